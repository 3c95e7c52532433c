#pragma once

#include <memory>
#include <vector>

#include "sync/row_diff.h"
#include "sync/row_writes.h"
#include "sync/work.h"

namespace penumbra::sync {

enum class Fix : std::uint8_t { report, repair };

/// Looks again at rows that seemed to differ, and makes them equal.
///
/// The order of reads decides what may be concluded. A write in flight may be on the shadow and not yet on the primary:
/// what only the shadow has is known to be surplus only when the primary was read after a settle() that came after the
/// shadow was read. A write may also be on the primary and not yet on the shadow: what only the primary has is known to
/// be missing only when the shadow was read after a settle() that came after the primary was. Hence: shadow, settle,
/// primary, settle, shadow, and the primary once more. When the two looks at either agree, nothing moved and the
/// difference is real: a row that came and went between two looks at the shadow was another one, or gone, at one of the
/// two at the primary. Deleting on any weaker ground would delete a client's write.
class Equalizer {
  public:
    Equalizer(Work& work, Seconds tolerance, Fix fix) : work_(work), tolerance_(tolerance.count()), fix_(fix) {}

    /// Counts what really differs in Work::report, and repairs it if told to. A few dozen rows at a time.
    Task<Status> examine(ShapePtr shape, std::vector<RowKey> suspects);
    /// For a copy: brings lists and counters of these rows of the primary to the shadow where it does not have them.
    Task<Status> bring_wholes(ShapePtr shape, std::vector<RowItem> rows);

  private:
    struct Suspect {
        RowKey key;
        std::optional<RowImage> primary, shadow, earlier;  ///< the shadow at the first look
        std::uint64_t reported = 0;
    };
    using Suspects = std::shared_ptr<std::vector<Suspect>>;

    DiffLimits limits() const { return {work_.wall_seconds(), tolerance_}; }
    WriteTimes times() const { return {work_.wall_seconds(), work_.pair.unknown_timestamp, {}}; }
    std::vector<CellDifference> differences_of(const TableShape& shape, const Suspect& suspect) const;
    void report(const TableShape& shape, Suspect& suspect, const std::vector<CellDifference>& differences);

    static Task<Status> read_one(Equalizer* self, ShapePtr shape, Requester* side, ElementTimes times,
                                 const RowKey* key, std::optional<RowImage>* into);
    Task<Status> read_primary(ShapePtr shape, Suspects suspects);
    Task<Status> read_shadow(ShapePtr shape, Suspects suspects);
    Task<Status> look(ShapePtr shape, Suspects suspects);
    /// What is known to differ after a look, because the primary stood still too, is counted and repaired gently.
    Task<Status> settle_still(ShapePtr shape, Suspects still, Suspects confirmed, Suspects moving);
    Transit::Passage carries(const TableShape& shape, const Suspects& suspects) const;
    /// What the primary has of each after a look.
    Task<Result<std::vector<std::optional<RowImage>>>> primary_again(ShapePtr shape, Suspects suspects);
    /// Of one cluster at two moments.
    bool same(const TableShape& shape, const std::optional<RowImage>& one, const std::optional<RowImage>& other) const;

    /// Writes at the primary's times and deletes at the shadow's: safe while clients write.
    Task<Status> repair_gently(ShapePtr shape, Suspects suspects);
    /// The rest, while nobody writes: times above what stands, lists, counters.
    static Task<Status> repair_held(Equalizer* self, ShapePtr shape, Suspects suspects);
    /// `now`: the time of what has to win.
    Task<Status> force(ShapePtr shape, Suspect* suspect, std::int64_t now);
    Task<Status> remove_bare(ShapePtr shape, Suspect* suspect, std::int64_t now);
    Task<Status> force_list(ShapePtr shape, const Suspect* suspect, const WholeImage* primary,
                            const WholeImage* shadow);
    Task<Status> force_counters(ShapePtr shape, const Suspect* suspect);
    static Task<Status> bring_held(Equalizer* self, ShapePtr shape, Suspects suspects);

    Work& work_;
    std::int64_t tolerance_;
    Fix fix_;
};

}  // namespace penumbra::sync
