#include <gtest/gtest.h>

#include "cql/types/scalars.h"
#include "sync/list_changer.h"

namespace penumbra::sync {
namespace {

using Values = std::vector<int>;

std::vector<Bytes> encoded(const Values& values) {
    std::vector<Bytes> out;
    for (const int value : values) out.push_back(cql::encode_int(value));
    return out;
}

/// What becomes of `there`, by the rules of the statements that carry the steps out.
Values after(const Values& wanted, const Values& there, ListSteps* took = nullptr) {
    const auto type = cql::scalar(cql::TypeKind::int_);
    const auto wanted_bytes = encoded(wanted), there_bytes = encoded(there);
    const auto steps =
        list_steps(*type, {wanted_bytes.begin(), wanted_bytes.end()}, {there_bytes.begin(), there_bytes.end()});
    if (took) *took = steps;
    Values now = there;
    const auto first = now.begin() + static_cast<std::ptrdiff_t>(steps.remove_first);
    now.erase(first, first + static_cast<std::ptrdiff_t>(steps.remove_count));
    const auto from = wanted.begin() + static_cast<std::ptrdiff_t>(steps.add_first);
    now.insert(steps.how == ListWrite::append ? now.end() : now.begin(), from,
               from + static_cast<std::ptrdiff_t>(steps.add_count));
    return now;
}

TEST(ListSteps, WhatIsMissingIsAddedWhereItBelongs) {
    ListSteps steps;
    EXPECT_EQ(after({1, 2, 3}, {1, 2}, &steps), (Values{1, 2, 3}));
    EXPECT_EQ(steps.remove_count, 0U);
    EXPECT_EQ(steps.how, ListWrite::append);
    EXPECT_EQ(after({3, 1, 2}, {1, 2}, &steps), (Values{3, 1, 2}));
    EXPECT_EQ(steps.remove_count, 0U);
    EXPECT_EQ(steps.how, ListWrite::prepend);
}

TEST(ListSteps, WhatIsTooMuchGoesAndNothingElse) {
    ListSteps steps;
    EXPECT_EQ(after({1, 2, 3}, {1, 9, 9, 2, 3}, &steps), (Values{1, 2, 3}));
    EXPECT_EQ(steps.remove_count, 2U);
    EXPECT_EQ(steps.add_count, 0U);
    EXPECT_EQ(after({}, {1, 2}, &steps), Values{});
    EXPECT_EQ(steps.add_count, 0U);
    EXPECT_TRUE((after({1, 1}, {1, 1}, &steps), steps.nothing()));
}

TEST(ListSteps, AnyListFromAnyOther) {
    // All lists of up to four elements out of three values.
    std::vector<Values> all{{}};
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].size() == 4) break;
        for (const int next : {1, 2, 3}) {
            auto longer = all[i];
            longer.push_back(next);
            all.push_back(std::move(longer));
        }
    }
    for (const auto& wanted : all) {
        for (const auto& there : all) ASSERT_EQ(after(wanted, there), wanted);
    }
}

}  // namespace
}  // namespace penumbra::sync
