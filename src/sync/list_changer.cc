#include "sync/list_changer.h"

#include <algorithm>

#include "cql/types/elements.h"
#include "cql/types/value.h"

namespace penumbra::sync {

namespace {

/// Where the shadow shows no times: a tombstone of a single element harms nobody, however far ahead it lies, and a
/// client's clock may be ahead of ours.
constexpr std::int64_t kAhead = 10'000'000;

Result<std::vector<BytesView>> elements_of(const cql::DataType& type, const WholeImage* list) {
    std::vector<BytesView> out;
    if (list == nullptr) return out;
    cql::Elements elements(type, list->value);
    for (cql::Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) return out;
        if (!element.value.has_value()) return fail(Errc::malformed, "a list with a null in it");
        out.push_back(element.value.bytes());
    }
}

}  // namespace

ListSteps list_steps(const cql::DataType& element_type, const std::vector<BytesView>& wanted,
                     const std::vector<BytesView>& there) {
    const auto most = std::min(wanted.size(), there.size());
    const auto same = [&](BytesView a, BytesView b) { return cql::equal_values(element_type, a, b); };
    std::size_t head = 0, end = 0;
    while (head < most && same(wanted[head], there[head])) ++head;
    while (end < most && same(wanted[wanted.size() - 1 - end], there[there.size() - 1 - end])) ++end;
    // Only removed from: both parts stay.
    if (wanted.size() < there.size() && head + end >= wanted.size())
        return {head, there.size() - wanted.size(), 0, 0, ListWrite::append};
    if (head >= end) return {head, there.size() - head, head, wanted.size() - head, ListWrite::append};
    return {0, there.size() - end, 0, wanted.size() - end, ListWrite::prepend};
}

Task<Status> ListChanger::send(Write write) {
    if (write.timestamp) newest_sent_ = std::max(newest_sent_, *write.timestamp);
    auto done = co_await work_.to.write_once(std::move(write));
    in_doubt_ |= !done && classify(done.error()) == Failure::passing;
    co_return done;
}

std::vector<ListChanger::Times> ListChanger::times_of(const std::vector<BytesView>& elements, std::size_t first,
                                                      const WholeImage* there) {
    const auto& type = *shape_->column(column_).type;
    std::vector<BytesView> gone;
    if (there != nullptr && !there->times.empty()) {
        auto known = elements_of(type, there);
        if (known && known.value().size() == there->times.size()) gone = std::move(known.value());
    }
    std::vector<Times> times;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        if (first + i < primary_->times.size()) {
            times.push_back(primary_->times[first + i]);
            continue;
        }
        const auto same = std::ranges::find_if(
            gone, [&](BytesView one) { return cql::equal_values(*type.elements[0], one, elements[i]); });
        if (const auto known = time_of_write(elements[i])) {
            times.push_back({*known, 0});
        } else if (same != gone.end()) {
            times.push_back(there->times[static_cast<std::size_t>(same - gone.begin())]);
        } else {
            const auto here = work_.options.list_times.otherwise();
            const auto elsewhere = further_ ? further_->otherwise() : std::nullopt;
            times.push_back({std::max(here, elsewhere).value_or(work_.pair.unknown_timestamp), 0});
        }
    }
    return times;
}

std::optional<std::int64_t> ListChanger::time_of_write(BytesView element) {
    if (const auto known = work_.options.list_times.of(element)) return known;
    if (!work_.options.further_list_times) return std::nullopt;
    if (!further_) further_ = work_.options.further_list_times();
    return further_->of(element);
}

std::int64_t ListChanger::time_of_deletion(const WholeImage& there) const {
    if (there.times.empty()) return work_.wall_micros() + kAhead;
    return std::ranges::max(there.times, {}, &Times::written).written;
}

Task<Status> ListChanger::add(std::vector<BytesView> elements, std::vector<Times> times, ListWrite how) {
    const auto& type = *shape_->column(column_).type;
    WholeImage part;
    part.column = column_;
    cql::ElementsBuilder builder(type);
    for (const auto element : elements) builder.add(element);
    part.value = std::move(builder).finish();
    part.times = std::move(times);
    auto planned = list_runs(*shape_, part, work_.pair.unknown_timestamp);
    CO_TRY(auto runs, std::move(planned));
    if (how == ListWrite::prepend) std::ranges::reverse(runs);
    const WriteTimes when{work_.wall_seconds(), work_.pair.unknown_timestamp, {}};
    for (const auto& run : runs) {
        if (run.expires != 0 && run.expires <= when.now_seconds) continue;
        auto write = plan_list_write(*shape_, key_, column_, run, how, when);
        auto done = co_await send(std::move(write));
        CO_TRY(std::move(done));
        if (how == ListWrite::overwrite) how = ListWrite::append;
    }
    co_return ok();
}

Task<Status> ListChanger::change(const WholeImage* there) {
    ++tries_;
    const auto& type = *shape_->column(column_).type;
    auto read_wanted = elements_of(type, primary_);
    CO_TRY(auto wanted, std::move(read_wanted));
    auto read_there = elements_of(type, there);
    CO_TRY(const auto elements, std::move(read_there));

    if (in_doubt_) {
        // What we sent before may come late: below the tombstone of an overwrite above it, it does nothing.
        in_doubt_ = false;
        auto at = newest_sent_;
        if (there != nullptr) {
            for (const auto& life : there->times) at = std::max(at, life.written);
        }
        if (primary_ == nullptr) {
            auto write = plan_column_delete(*shape_, key_, column_, at + 1);
            auto done = co_await send(std::move(write));
            co_return done;
        }
        auto times = times_of(wanted, 0, there);
        for (auto& life : times) life.written = at + 1;
        auto done = co_await add(std::move(wanted), std::move(times), ListWrite::overwrite);
        co_return done;
    }

    const auto steps = list_steps(*type.elements[0], wanted, elements);
    if (steps.remove_count > 0) {
        auto deletes =
            plan_list_deletes(*shape_, key_, column_, steps.remove_first, steps.remove_count, time_of_deletion(*there));
        for (auto& one : deletes) {
            auto done = co_await send(std::move(one));
            CO_TRY(std::move(done));
        }
    }
    if (steps.add_count == 0) co_return ok();
    const auto begin = wanted.begin() + static_cast<std::ptrdiff_t>(steps.add_first);
    std::vector<BytesView> missing(begin, begin + static_cast<std::ptrdiff_t>(steps.add_count));
    auto times = times_of(missing, steps.add_first, there);
    if (tries_ > 2) {
        // A deletion stands there that nobody shows: just above what we know, then above what is owed, and at last
        // above everything.
        auto least = newest_sent_ + 1;
        if (tries_ == 4) least = std::max(least, work_.options.newest_owed().value_or(least));
        if (tries_ > 4) least = work_.wall_micros();
        for (auto& life : times) life.written = std::max(life.written, least);
    }
    auto done = co_await add(std::move(missing), std::move(times), steps.how);
    co_return done;
}

}  // namespace penumbra::sync
