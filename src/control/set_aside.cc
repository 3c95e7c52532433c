#include "control/set_aside.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace penumbra::control {

namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

/// On the background shard: reads the disk.
std::vector<SetAsideView> read_views(const journal::Journal& journal, std::vector<SetAsideView> views,
                                     const cql::SchemaPtr& schema) {
    for (auto& view : views) {
        const auto payload = journal.read(view.entry.entry.id);
        if (!payload) {
            view.unreadable = to_string(payload.error());
            continue;
        }
        const auto owed = sync::decode_owed(payload.value());
        auto picture =
            owed ? sync::picture_of(owed.value(), schema.get()) : Result<sync::OwedPicture>(fail(owed.error()));
        if (picture) {
            view.picture = std::move(picture.value());
        } else {
            view.unreadable = to_string(picture.error());
        }
    }
    return views;
}

Result<std::vector<sync::OwedResync>> read_rows(const journal::Journal& journal, journal::EntryId id) {
    TRY(const auto payload, journal.read(id));
    TRY(auto owed, sync::decode_owed(payload));
    if (auto* order = std::get_if<sync::OwedResync>(&owed)) return std::vector{std::move(*order)};
    return std::move(std::get<sync::OwedStatement>(owed).rows);
}

}  // namespace

Result<std::optional<routing::ScopeId>> SetAside::scope_of(const std::optional<std::string>& migration) const {
    if (!migration) return std::optional<routing::ScopeId>();
    TRY(const auto found, coordinator_.find(*migration));
    return std::optional(found.id);
}

std::string SetAside::name_of(std::uint32_t scope) const {
    for (const auto& migration : coordinator_.list()) {
        if (migration.id.value() == scope) return migration.name;
    }
    return {};
}

Task<Result<std::vector<SetAsideView>>> SetAside::list(std::optional<std::string> migration, std::size_t limit) {
    auto found = scope_of(migration);
    CO_TRY(const auto scope, std::move(found));
    const auto number = scope ? std::optional(scope->value()) : std::nullopt;
    std::vector<SetAsideView> views;
    for (auto& entry : journal_.set_aside_entries(number, limit)) {
        auto name = name_of(entry.entry.scope);
        views.push_back({std::move(entry), std::move(name), std::nullopt, {}});
    }
    // Of the source: types are those that the application's values were bound as, on either side.
    auto schema = coordinator_.surroundings().source.schema();
    if (!schema) schema = coordinator_.surroundings().target.schema();
    auto read = [&journal = journal_, views = std::move(views), schema = std::move(schema)]() mutable {
        return read_views(journal, std::move(views), schema);
    };
    auto done = co_await call_on(background_, std::move(read));
    co_return done;
}

Task<Status> SetAside::resync_instead(journal::SetAsideEntry entry) {
    const auto id = entry.entry.id;
    auto read = [&journal = journal_, id] { return read_rows(journal, id); };
    auto rows = co_await call_on(background_, std::move(read));
    if (!rows) co_return fail(rows.error());
    if (rows.value().empty())
        co_return fail(Errc::unsupported,
                       "it does not say which rows it touches; `penumbra verify --repair` finds them, then drop it");
    for (const auto& row : rows.value()) {
        Bytes payload;
        sync::encode_owed_resync(row, payload);
        const OneShot<Status> written;
        journal_.append(entry.entry.stream, entry.entry.scope, payload,
                        [&journal = journal_, written](Result<journal::EntryId> order) {
                            if (order) journal.release(order.value());
                            written.set(order ? ok() : Status(fail(order.error())));
                        });
        auto durable = co_await written;
        // What was ordered before it stays: a resync more does no harm.
        if (!durable) co_return durable;
    }
    // Only now: in between both are owed.
    if (!journal_.drop_set_aside(id)) co_return fail(Errc::not_found, "it is not set aside any more");
    co_return ok();
}

Task<Status> SetAside::act(Action action, journal::SetAsideEntry entry) {
    const auto id = entry.entry.id;
    if (action == Action::resync) {
        auto done = co_await resync_instead(std::move(entry));
        co_return done;
    }
    const bool there = action == Action::retry ? journal_.retry_set_aside(id) : journal_.drop_set_aside(id);
    if (!there) co_return fail(Errc::not_found, "it is not set aside any more");
    co_return ok();
}

Task<Result<SetAsideReport>> SetAside::carry_out(Action action, SetAsideOrder order) {
    static constexpr std::string_view kNames[] = {"set-aside retry", "set-aside resync", "set-aside drop"};
    auto found = scope_of(order.migration);
    CO_TRY(const auto scope, std::move(found));
    const auto number = scope ? std::optional(scope->value()) : std::nullopt;
    std::vector<journal::SetAsideEntry> entries;
    SetAsideReport report;
    if (order.entries.empty()) {
        entries = journal_.set_aside_entries(number, kAll);
    }
    for (const auto id : order.entries) {
        auto entry = journal_.set_aside_entry(journal::EntryId(id));
        if (!entry || (number && entry->entry.scope != *number)) {
            report.failed.push_back({id, "no such entry is set aside"});
        } else {
            entries.push_back(std::move(*entry));
        }
    }
    // Before anything happens: what an operator gives up must not be gone without a trace.
    AuditEntry audit;
    audit.at = Shard::here().clock().wall_micros();
    audit.migration = order.migration.value_or("");
    if (scope) audit.migration = name_of(scope->value());
    audit.command = kNames[static_cast<int>(action)];
    audit.reason = order.reason;
    audit.outcome = "done";
    std::string ids;
    for (const auto& entry : entries) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", entry.entry.id.value());
    audit.gates.push_back({MoveGate::nothing_set_aside, false, fmt::format("entries {}", ids.empty() ? "none" : ids)});
    auto noted = co_await coordinator_.note_in_audit(std::move(audit));
    CO_TRY(std::move(noted));
    for (auto& entry : entries) {
        const auto id = entry.entry.id.value();
        auto done = co_await act(action, std::move(entry));
        if (done) {
            report.done.push_back(id);
        } else {
            report.failed.push_back({id, done.error().what});
        }
    }
    report.left = journal_.set_aside_entries(number, kAll).size();
    co_return report;
}

Task<Result<SetAsideReport>> SetAside::retry(SetAsideOrder order) {
    return carry_out(Action::retry, std::move(order));
}
Task<Result<SetAsideReport>> SetAside::resync(SetAsideOrder order) {
    return carry_out(Action::resync, std::move(order));
}
Task<Result<SetAsideReport>> SetAside::drop(SetAsideOrder order) {
    return carry_out(Action::drop, std::move(order));
}

}  // namespace penumbra::control
