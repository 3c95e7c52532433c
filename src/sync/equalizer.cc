#include "sync/equalizer.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "cql/types/scalars.h"
#include "cql/types/token.h"
#include "cql/types/value.h"
#include "sync/counter_changer.h"
#include "sync/list_changer.h"

namespace penumbra::sync {

namespace {

/// Looks at a row that keeps moving before it is compared under a hold.
constexpr int kLooks = 4;
/// The last ones go above whatever cannot be seen.
constexpr int kListAttempts = 5;
/// Rows per hold: what two reads and a few writes of each take stays in the milliseconds.
constexpr std::size_t kRowsPerHold = 16;

const RowImage kNothing;
const RowImage& image_or_nothing(const std::optional<RowImage>& image) {
    return image ? *image : kNothing;
}

std::vector<const CellImage*> all_cells(const RowImage& row) {
    std::vector<const CellImage*> cells;
    for (const auto& cell : row.cells) cells.push_back(&cell);
    return cells;
}

const WholeImage* whole_of(const RowImage& row, std::size_t column) {
    const auto found = std::ranges::find(row.wholes, column, &WholeImage::column);
    return found == row.wholes.end() ? nullptr : &*found;
}

/// Whether the statement may have happened although it failed.
bool fate_unknown(const Error& error) {
    return classify(error) == Failure::passing;
}

std::string whole_text(const TableShape& shape, const WholeImage* whole) {
    if (whole == nullptr) return "";
    auto text = cql::to_text(*shape.column(whole->column).type, BytesView(whole->value));
    return text.size() > 200 ? text.substr(0, 200) + "…" : text;
}

}  // namespace

std::vector<CellDifference> Equalizer::differences_of(const TableShape& shape, const Suspect& suspect) const {
    return compare_rows(shape, suspect.primary ? &*suspect.primary : nullptr,
                        suspect.shadow ? &*suspect.shadow : nullptr, limits());
}

void Equalizer::report(const TableShape& shape, Suspect& suspect, const std::vector<CellDifference>& differences) {
    auto& report = work_.report;
    for (const auto& difference : differences) {
        ++report.differences;
        ++suspect.reported;
        if (difference.is_conflict()) ++report.conflicts;
        if (report.samples.size() >= Report::kMaxSamples) continue;
        Difference sample;
        sample.table = shape.cql_name();
        sample.key = shape.key_text(suspect.key);
        sample.kind = difference.kind;
        std::string primary, shadow;
        if (difference.is_row()) {
            (difference.kind == DifferenceKind::missing ? primary : shadow) =
                suspect.key.is_static ? "static columns" : "the row";
        } else if (difference.is_whole()) {
            const auto* whole = difference.primary_whole ? difference.primary_whole : difference.shadow_whole;
            sample.column = shape.column(whole->column).name;
            primary = whole_text(shape, difference.primary_whole);
            shadow = whole_text(shape, difference.shadow_whole);
        } else {
            sample.column = shape.cell_name(difference.primary ? *difference.primary : *difference.shadow);
            if (difference.primary) primary = shape.cell_text(*difference.primary);
            if (difference.shadow) shadow = shape.cell_text(*difference.shadow);
        }
        const bool source_is_primary = work_.pair.primary == routing::Side::source;
        sample.source = std::move(source_is_primary ? primary : shadow);
        sample.target = std::move(source_is_primary ? shadow : primary);
        report.add_sample(std::move(sample));
    }
}

// ---- reading

Task<Status> Equalizer::read_one(Equalizer* self, ShapePtr shape, Requester* side, ElementTimes times,
                                 const RowKey* key, std::optional<RowImage>* into) {
    // The difference of two counters is added once and for all: an increment that was acknowledged at ONE and is not on
    // a quorum yet, or one that was not acknowledged and is on some replica only, must be in it.
    std::optional<cql::Consistency> level;
    if (shape->table().is_counter && self->fix_ == Fix::repair) level = cql::Consistency::all;
    auto read = co_await read_row(std::move(shape), side, times, *key, level);
    if (!read) co_return fail(std::move(read.error()));
    *into = std::move(read.value());
    co_return ok();
}

namespace {
Status first_failure(std::vector<Status> results) {
    for (auto& result : results) {
        if (!result) return std::move(result);
    }
    return ok();
}
}  // namespace

Task<Status> Equalizer::read_primary(ShapePtr shape, Suspects suspects) {
    std::vector<Task<Status>> tasks;
    for (auto& suspect : *suspects)
        tasks.push_back(read_one(this, shape, &work_.from, work_.from_times, &suspect.key, &suspect.primary));
    auto results = co_await when_all(std::move(tasks));
    co_return first_failure(std::move(results));
}

Task<Status> Equalizer::read_shadow(ShapePtr shape, Suspects suspects) {
    std::vector<Task<Status>> tasks;
    for (auto& suspect : *suspects)
        tasks.push_back(read_one(this, shape, &work_.to, work_.to_times, &suspect.key, &suspect.shadow));
    auto results = co_await when_all(std::move(tasks));
    co_return first_failure(std::move(results));
}

Task<Status> Equalizer::look(ShapePtr shape, Suspects suspects) {
    auto read = co_await read_shadow(shape, suspects);
    CO_TRY(std::move(read));
    for (auto& suspect : *suspects) suspect.earlier = std::move(suspect.shadow);
    auto settled = co_await work_.settle();
    CO_TRY(std::move(settled));
    auto read_again = co_await read_primary(shape, suspects);
    CO_TRY(std::move(read_again));
    auto settled_again = co_await work_.settle();
    CO_TRY(std::move(settled_again));
    auto last = co_await read_shadow(shape, suspects);
    co_return last;
}

Task<Result<std::vector<std::optional<RowImage>>>> Equalizer::primary_again(ShapePtr shape, Suspects suspects) {
    std::vector<std::optional<RowImage>> images(suspects->size());
    std::vector<Task<Status>> tasks;
    for (std::size_t i = 0; i < suspects->size(); ++i)
        tasks.push_back(read_one(this, shape, &work_.from, work_.from_times, &(*suspects)[i].key, &images[i]));
    auto results = co_await when_all(std::move(tasks));
    auto failed = first_failure(std::move(results));
    if (!failed) co_return fail(std::move(failed.error()));
    co_return images;
}

bool Equalizer::same(const TableShape& shape, const std::optional<RowImage>& one,
                     const std::optional<RowImage>& other) const {
    return compare_rows(shape, one ? &*one : nullptr, other ? &*other : nullptr, limits()).empty();
}

/// From here on the primary is read for what is written: see Transit. Nothing within may settle(): a verify waits there
/// for orders, and those wait for what is carried.
Transit::Passage Equalizer::carries(const TableShape& shape, const Suspects& suspects) const {
    if (fix_ == Fix::report || suspects->empty()) return {};
    auto tokens = TokenRange::of(cql::murmur3_token(suspects->front().key.partition));
    for (const auto& suspect : *suspects) {
        const auto one = TokenRange::of(cql::murmur3_token(suspect.key.partition));
        tokens.start = std::min(tokens.start, one.start);
        tokens.end = std::max(tokens.end, one.end);
    }
    return work_.carries(shape, tokens);
}

// ---- examining

Task<Status> Equalizer::examine(ShapePtr shape, std::vector<RowKey> keys) {
    auto pending = std::make_shared<std::vector<Suspect>>();
    for (auto& key : keys) pending->push_back({std::move(key), {}, {}, {}, 0});
    auto confirmed = std::make_shared<std::vector<Suspect>>();

    for (int look_number = 0; look_number < kLooks && !pending->empty(); ++look_number) {
        auto looked = co_await look(shape, pending);
        CO_TRY(std::move(looked));
        auto moving = std::make_shared<std::vector<Suspect>>();
        auto still = std::make_shared<std::vector<Suspect>>();
        for (auto& suspect : *pending) {
            if (differences_of(*shape, suspect).empty()) {
                ++work_.report.moving;
            } else {
                (same(*shape, suspect.earlier, suspect.shadow) ? still : moving)->push_back(std::move(suspect));
            }
        }
        auto settled = co_await settle_still(shape, still, confirmed, moving);
        CO_TRY(std::move(settled));
        pending = std::move(moving);
    }

    if (fix_ == Fix::repair && !confirmed->empty()) {
        // What a gentle repair made equal is done; the rest needs a hold, together with what never stood still.
        auto looked = co_await look(shape, confirmed);
        CO_TRY(std::move(looked));
        for (auto& suspect : *confirmed) {
            if (differences_of(*shape, suspect).empty()) {
                work_.report.repaired += suspect.reported;
            } else {
                pending->push_back(std::move(suspect));
            }
        }
    }
    for (std::size_t begin = 0; begin < pending->size(); begin += kRowsPerHold) {
        auto batch = std::make_shared<std::vector<Suspect>>();
        for (std::size_t i = begin; i < std::min(pending->size(), begin + kRowsPerHold); ++i)
            batch->push_back(std::move((*pending)[i]));
        std::function<Task<Status>()> body = [this, shape, batch] { return repair_held(this, shape, batch); };
        auto held = co_await work_.under_hold(body);
        CO_TRY(std::move(held));
    }
    co_return ok();
}

Task<Status> Equalizer::settle_still(ShapePtr shape, Suspects still, Suspects confirmed, Suspects moving) {
    const auto passage = carries(*shape, still);
    auto again = co_await primary_again(shape, still);
    CO_TRY(auto primaries, std::move(again));
    auto differing = std::make_shared<std::vector<Suspect>>();
    for (std::size_t i = 0; i < still->size(); ++i) {
        auto& suspect = (*still)[i];
        if (same(*shape, suspect.primary, primaries[i])) {
            report(*shape, suspect, differences_of(*shape, suspect));
            suspect.primary = std::move(primaries[i]);
            differing->push_back(std::move(suspect));
        } else {
            moving->push_back(std::move(suspect));
        }
    }
    if (fix_ == Fix::repair) {
        auto repaired = co_await repair_gently(shape, differing);
        CO_TRY(std::move(repaired));
    }
    std::ranges::move(*differing, std::back_inserter(*confirmed));
    co_return ok();
}

// ---- repairing

Task<Status> Equalizer::repair_gently(ShapePtr shape, Suspects suspects) {
    auto writes = std::make_shared<std::vector<KeyedWrite>>();
    for (auto& suspect : *suspects) {
        const auto& key = suspect.key;
        const auto add = [&](Write write) { writes->push_back({shape, key, std::move(write)}); };
        std::vector<const CellImage*> write, remove;
        for (const auto& difference : differences_of(*shape, suspect)) {
            if (difference.is_whole() || shape->table().is_counter) continue;  // only under a hold
            switch (difference.kind) {
                case DifferenceKind::missing:
                    for (auto& one :
                         plan_writes(*shape, key, all_cells(*suspect.primary), Marker::by_insert, times()).writes)
                        add(std::move(one));
                    break;
                case DifferenceKind::extra:
                    if (key.is_static) {
                        remove = all_cells(*suspect.shadow);
                    } else {
                        // At the newest time that is seen: it takes the row marker, whose own time nobody can see, and
                        // nothing that a client writes from now on.
                        add(plan_row_delete(*shape, key,
                                            suspect.shadow->newest().value_or(work_.pair.unknown_timestamp)));
                    }
                    break;
                case DifferenceKind::absent:
                    write.push_back(difference.primary);
                    break;
                case DifferenceKind::unexpected:
                    remove.push_back(difference.shadow);
                    break;
                case DifferenceKind::value:
                case DifferenceKind::write_time:
                case DifferenceKind::expiry:
                    if (!difference.is_conflict()) write.push_back(difference.primary);
                    break;
                case DifferenceKind::schema:
                case DifferenceKind::refused:
                    break;
            }
        }
        if (!write.empty()) {
            for (auto& one : plan_writes(*shape, key, write, Marker::none, times()).writes) add(std::move(one));
        }
        for (auto& one : plan_deletes(*shape, key, remove, times())) add(std::move(one));
    }
    auto done = co_await work_.to.write_all(std::move(writes));
    co_return done;
}

Task<Status> Equalizer::repair_held(Equalizer* self, ShapePtr shape, Suspects suspects) {
    auto& work = self->work_;
    const auto passage = self->carries(*shape, suspects);
    auto read = co_await self->read_primary(shape, suspects);
    CO_TRY(std::move(read));
    auto read_shadow_first = co_await self->read_shadow(shape, suspects);
    CO_TRY(std::move(read_shadow_first));
    auto rest = std::make_shared<std::vector<Suspect>>();
    for (auto& suspect : *suspects) {
        const auto differences = self->differences_of(*shape, suspect);
        if (differences.empty()) {
            if (suspect.reported == 0) ++work.report.moving;
            work.report.repaired += suspect.reported;
            continue;
        }
        if (suspect.reported == 0) self->report(*shape, suspect, differences);
        rest->push_back(std::move(suspect));
    }
    if (self->fix_ == Fix::report || rest->empty()) co_return ok();

    auto gently = co_await self->repair_gently(shape, rest);
    CO_TRY(std::move(gently));
    auto read_second = co_await self->read_shadow(shape, rest);
    CO_TRY(std::move(read_second));
    for (auto& suspect : *rest) {
        if (self->differences_of(*shape, suspect).empty()) continue;
        const auto owed = work.options.newest_owed();
        if (owed && !shape->table().is_counter) {
            auto forced = co_await self->force(shape, &suspect, *owed);
            CO_TRY(std::move(forced));
            auto looked = co_await read_one(self, shape, &work.to, work.to_times, &suspect.key, &suspect.shadow);
            CO_TRY(std::move(looked));
            if (self->differences_of(*shape, suspect).empty()) continue;
        }
        auto forced = co_await self->force(shape, &suspect, work.wall_micros());
        CO_TRY(std::move(forced));
    }
    auto read_third = co_await self->read_primary(shape, rest);
    CO_TRY(std::move(read_third));
    auto read_last = co_await self->read_shadow(shape, rest);
    CO_TRY(std::move(read_last));
    for (auto& suspect : *rest) {
        if (self->differences_of(*shape, suspect).empty()) work.report.repaired += suspect.reported;
    }
    co_return ok();
}

Task<Status> Equalizer::force(ShapePtr shape, Suspect* suspect, std::int64_t now) {
    const auto& key = suspect->key;
    if (shape->table().is_counter) {
        auto done = co_await force_counters(shape, suspect);
        co_return done;
    }
    auto to = std::make_shared<std::vector<KeyedWrite>>();
    auto from = std::make_shared<std::vector<KeyedWrite>>();
    // One cell to both clusters at one time, so that they end up with the same cell.
    const auto raise = [&](const CellImage& cell, std::int64_t at) {
        auto at_that = times();
        at_that.all = std::max(at, cell.written.value_or(at));
        for (auto& one : plan_writes(*shape, key, {&cell}, Marker::none, at_that).writes) {
            to->push_back({shape, key, one});
            // Where the primary does not show the cell's time there is nothing to make equal.
            if (cell.written && work_.options.raise_primary == RaisePrimary::yes)
                from->push_back({shape, key, std::move(one)});
        }
    };
    std::vector<std::pair<const WholeImage*, const WholeImage*>> lists;
    bool surplus = false;
    const auto differences = differences_of(*shape, *suspect);
    for (const auto& difference : differences) {
        if (difference.is_whole()) {
            lists.emplace_back(difference.primary_whole, difference.shadow_whole);
            continue;
        }
        switch (difference.kind) {
            case DifferenceKind::missing: {
                // A deletion stands on the shadow that the primary never saw.
                auto at_now = times();
                at_now.all = now;
                for (auto& one : plan_writes(*shape, key, {}, Marker::by_insert, at_now).writes)
                    to->push_back({shape, key, std::move(one)});
                for (const auto& cell : suspect->primary->cells) raise(cell, now);
                break;
            }
            case DifferenceKind::extra: {
                auto at_now = times();
                at_now.all = now;
                for (auto& one : plan_deletes(*shape, key, all_cells(*suspect->shadow), at_now))
                    to->push_back({shape, key, std::move(one)});
                for (const auto& whole : suspect->shadow->wholes) lists.emplace_back(nullptr, &whole);
                surplus = !key.is_static;
                break;
            }
            case DifferenceKind::absent:
                raise(*difference.primary, now);
                break;
            case DifferenceKind::unexpected: {
                auto at_now = times();
                at_now.all = now;
                for (auto& one : plan_deletes(*shape, key, {difference.shadow}, at_now))
                    to->push_back({shape, key, std::move(one)});
                break;
            }
            case DifferenceKind::write_time:
                // The same value, and the shadow's is the later write of it: no way back for the shadow.
                if (work_.options.raise_primary == RaisePrimary::yes) {
                    auto at_shadows = times();
                    at_shadows.all = difference.shadow->written;
                    for (auto& one : plan_writes(*shape, key, {difference.primary}, Marker::none, at_shadows).writes)
                        from->push_back({shape, key, std::move(one)});
                }
                break;
            case DifferenceKind::value:
            case DifferenceKind::expiry:
                raise(*difference.primary, difference.shadow->written && difference.primary->written
                                               ? std::max(*difference.shadow->written, *difference.primary->written) + 1
                                               : now);
                break;
            case DifferenceKind::schema:
            case DifferenceKind::refused:
                break;
        }
    }
    // The shadow first: if we end here, the primary's value is on both, and the next repair raises the primary.
    auto written = co_await work_.to.write_all(to);
    CO_TRY(std::move(written));
    auto raised = co_await work_.from.write_all(from);
    CO_TRY(std::move(raised));
    for (const auto& [primary, shadow] : lists) {
        auto done = co_await force_list(shape, suspect, primary, shadow);
        CO_TRY(std::move(done));
    }
    if (surplus) {
        auto removed = co_await remove_bare(shape, suspect, now);
        CO_TRY(std::move(removed));
    }
    co_return ok();
}

/// A row that the primary lost with its last cell has no tombstone there, and a client may write to it with a time from
/// before that: it must not have one here either, but for a marker.
Task<Status> Equalizer::remove_bare(ShapePtr shape, Suspect* suspect, std::int64_t now) {
    auto looked = co_await read_one(this, shape, &work_.to, work_.to_times, &suspect->key, &suspect->shadow);
    CO_TRY(std::move(looked));
    if (!suspect->shadow || !suspect->shadow->cells.empty() || !suspect->shadow->wholes.empty()) co_return ok();
    auto write = plan_row_delete(*shape, suspect->key, now);
    auto removed = co_await work_.to.write(std::move(write));
    co_return removed;
}

// ---- lists and counters

/// Element by element: a tombstone over the whole list, or a time that we made up, would win or lose on the shadow
/// alone against what a client writes with timestamps of its own. What is added is sent once, since twice it is
/// doubled. Where the fate of that is unknown it may still come late, and the list is overwritten above it.
Task<Status> Equalizer::force_list(ShapePtr shape, const Suspect* suspect, const WholeImage* primary,
                                   const WholeImage* shadow) {
    const auto& key = suspect->key;
    const auto column = primary ? primary->column : shadow->column;
    const auto& type = *shape->column(column).type;
    std::optional<WholeImage> seen;
    if (shadow != nullptr) seen = *shadow;
    ListChanger changer(work_, shape, key, column, primary);
    for (int attempt = 1; attempt <= kListAttempts; ++attempt) {
        auto done = co_await changer.change(seen ? &*seen : nullptr);
        if (!done && classify(done.error()) == Failure::fatal) co_return done;
        // A place that is no longer there is refused too: a deletion may have been replayed beside us. Look again.
        if (!done && !fate_unknown(done.error()) && attempt == kListAttempts) {
            ++work_.report.refused;
            Difference sample{
                shape->cql_name(), shape->key_text(key), shape->column(column).name, DifferenceKind::refused, "", ""};
            (work_.pair.primary == routing::Side::source ? sample.target : sample.source) = done.error().what;
            work_.report.add_sample(std::move(sample));
            co_return ok();
        }
        std::optional<RowImage> now;
        auto read = co_await read_one(this, shape, &work_.to, work_.to_times, &key, &now);
        CO_TRY(std::move(read));
        const auto* list = whole_of(image_or_nothing(now), column);
        const bool equal = list == nullptr || primary == nullptr
                               ? list == primary
                               : cql::equal_values(type, BytesView(primary->value), BytesView(list->value));
        // What is equal now is not, should that come late whose fate we do not know.
        if (equal && done) {
            ++work_.report.lists_rewritten;
            co_return ok();
        }
        seen.reset();
        if (list != nullptr) seen = *list;
    }
    co_return ok();  // the caller's last look counts it
}

Task<Status> Equalizer::force_counters(ShapePtr shape, const Suspect* suspect) {
    const auto& key = suspect->key;
    if (!suspect->primary && !key.is_static) {
        auto write = plan_row_delete(*shape, key, work_.wall_micros());
        auto deleted = co_await work_.to.write(std::move(write));
        co_return deleted;
    }
    const auto& wanted_row = image_or_nothing(suspect->primary);
    std::vector<CounterChange> changes;
    for (const auto& counter : wanted_row.wholes) {
        const auto* other = whole_of(image_or_nothing(suspect->shadow), counter.column);
        auto wanted = cql::decode_bigint(counter.value);
        auto there = other ? cql::decode_bigint(other->value) : Result<std::int64_t>(0);
        CO_TRY(const auto primary, std::move(wanted));
        CO_TRY(const auto shadow, std::move(there));
        // A counter of zero exists only once it was incremented by something.
        if (primary != shadow || other == nullptr) changes.push_back({counter.column, primary - shadow});
    }
    if (!changes.empty()) {
        auto done = co_await add_to_counters(&work_, shape, &key, &changes);
        if (!done) {
            if (!fate_unknown(done.error()) || surely_not_done(done.error())) co_return done;
            ++work_.report.unknown_fate;
            Difference sample{shape->cql_name(), shape->key_text(key), "", DifferenceKind::value, "", ""};
            (work_.pair.primary == routing::Side::source ? sample.target : sample.source) =
                "counter update of unknown fate: " + done.error().what;
            work_.report.add_sample(std::move(sample));
            co_return ok();
        }
        ++work_.report.counters_settled;
    }
    for (const auto& counter : image_or_nothing(suspect->shadow).wholes) {
        if (whole_of(wanted_row, counter.column) != nullptr) continue;
        auto write = plan_column_delete(*shape, key, counter.column, work_.wall_micros());
        auto deleted = co_await work_.to.write(std::move(write));
        CO_TRY(std::move(deleted));
    }
    co_return ok();
}

Task<Status> Equalizer::bring_wholes(ShapePtr shape, std::vector<RowItem> rows) {
    for (std::size_t begin = 0; begin < rows.size(); begin += kRowsPerHold) {
        auto batch = std::make_shared<std::vector<Suspect>>();
        for (std::size_t i = begin; i < std::min(rows.size(), begin + kRowsPerHold); ++i) {
            batch->push_back({std::move(rows[i].key), std::move(rows[i].image), {}, {}, 0});
        }
        // Most of them are there already (shadowed since, or copied before): only the rest is worth a hold.
        auto read = co_await read_shadow(shape, batch);
        CO_TRY(std::move(read));
        std::erase_if(*batch, [&](const Suspect& suspect) {
            return std::ranges::all_of(suspect.primary->wholes, [&](const WholeImage& whole) {
                const auto* other = whole_of(image_or_nothing(suspect.shadow), whole.column);
                return other != nullptr && cql::equal_values(*shape->column(whole.column).type, BytesView(whole.value),
                                                             BytesView(other->value));
            });
        });
        if (batch->empty()) continue;
        std::function<Task<Status>()> body = [this, shape, batch] { return bring_held(this, shape, batch); };
        auto held = co_await work_.under_hold(body);
        CO_TRY(std::move(held));
    }
    co_return ok();
}

Task<Status> Equalizer::bring_held(Equalizer* self, ShapePtr shape, Suspects suspects) {
    const auto passage = self->carries(*shape, suspects);
    auto read = co_await self->read_primary(shape, suspects);
    CO_TRY(std::move(read));
    auto read_too = co_await self->read_shadow(shape, suspects);
    CO_TRY(std::move(read_too));
    for (auto& suspect : *suspects) {
        if (!suspect.primary) continue;
        if (shape->table().is_counter) {
            auto done = co_await self->force_counters(shape, &suspect);
            CO_TRY(std::move(done));
            continue;
        }
        for (const auto& list : suspect.primary->wholes) {
            const auto* other = whole_of(image_or_nothing(suspect.shadow), list.column);
            if (other != nullptr &&
                cql::equal_values(*shape->column(list.column).type, BytesView(list.value), BytesView(other->value)))
                continue;
            auto done = co_await self->force_list(shape, &suspect, &list, other);
            CO_TRY(std::move(done));
        }
    }
    co_return ok();
}

}  // namespace penumbra::sync
