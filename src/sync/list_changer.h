#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sync/row_writes.h"
#include "sync/work.h"

namespace penumbra::sync {

/// How one list becomes another. The longest part at its head or at its end that both have stays; the rest of it goes,
/// and what is missing is added at the end, or in front. Pure.
struct ListSteps {
    std::size_t remove_first = 0, remove_count = 0;  ///< places in the list as it is
    std::size_t add_first = 0, add_count = 0;        ///< places in the list as it shall be
    ListWrite how = ListWrite::append;

    bool nothing() const { return remove_count == 0 && add_count == 0; }
};
ListSteps list_steps(const cql::DataType& element_type, const std::vector<BytesView>& wanted,
                     const std::vector<BytesView>& there);

/// Makes one list of the shadow equal to the primary's, under a hold. Elements that are added get their own times:
/// the primary's where it shows them, else those of the writes that are owed (WorkOptions::list_times, then
/// further_list_times), else what the shadow shows of an equal element that had to go, else ListTimes::otherwise, else
/// Pair::unknown_timestamp. An element with a time that is too early would be lost to an older deletion that comes
/// late.
class ListChanger {
  public:
    /// `primary` null: there shall be none.
    ListChanger(Work& work, ShapePtr shape, RowKey key, std::size_t column, const WholeImage* primary)
        : work_(work), shape_(std::move(shape)), key_(std::move(key)), column_(column), primary_(primary) {}
    ListChanger(const ListChanger&) = delete;

    /// One try, after which the caller looks. Called again it presumes that the one before did not do: that something
    /// that nobody can see is newer than what it wrote, or, when its fate was unknown, that it may still come late.
    Task<Status> change(const WholeImage* there);

  private:
    using Times = WholeImage::Times;
    Task<Status> send(Write write);
    Task<Status> add(std::vector<BytesView> elements, std::vector<Times> times, ListWrite how);
    std::vector<Times> times_of(const std::vector<BytesView>& elements, std::size_t first, const WholeImage* there);
    std::optional<std::int64_t> time_of_write(BytesView element);
    std::int64_t time_of_deletion(const WholeImage& there) const;

    Work& work_;
    ShapePtr shape_;
    RowKey key_;
    std::size_t column_;
    const WholeImage* primary_;
    std::optional<ListTimes> further_;
    int tries_ = 0;
    bool in_doubt_ = false;
    std::int64_t newest_sent_ = 0;
};

}  // namespace penumbra::sync
