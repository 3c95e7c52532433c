#include "journal/index.h"

#include <algorithm>
#include <queue>

#include "base/assert.h"

namespace penumbra::journal {

static_assert(sizeof(Entry) == kMemoryPerOwed);

Ledger& Index::ledger(std::uint8_t stream, std::uint32_t scope) {
    const std::lock_guard lock(mutex_);
    return ledger_locked(stream, scope);
}

Ledger& Index::ledger_locked(std::uint8_t stream, std::uint32_t scope) {
    auto& found = ledgers_[{stream, scope}];
    if (!found) found = std::make_unique<Ledger>(stream, scope);
    return *found;
}

const Ledger* Index::find_ledger(std::uint8_t stream, std::uint32_t scope) const {
    const auto found = ledgers_.find({stream, scope});
    return found == ledgers_.end() ? nullptr : found->second.get();
}

void Index::accepted(Ledger& ledger) {
    ledger.owed.fetch_add(1);
    owed_.fetch_add(1);
}

void Index::failed(Ledger& ledger) {
    ledger.owed.fetch_sub(1);
    owed_.fetch_sub(1);
}

Entry* Index::find(EntryId id) const {
    const auto found = chunks_.find(id.value() / kChunk);
    if (found == chunks_.end()) return nullptr;
    auto& entry = found->second->entries[id.value() % kChunk];
    return entry.state == EntryState::none ? nullptr : &entry;
}

void Index::link(Ledger& ledger, Entry& entry, Entry* before) {
    entry.before = before;
    entry.after = before ? before->after : ledger.first;
    (before ? before->after : ledger.first) = &entry;
    (entry.after ? entry.after->before : ledger.last) = &entry;
}

void Index::unlink(Entry& entry) {
    (entry.before ? entry.before->after : entry.ledger->first) = entry.after;
    (entry.after ? entry.after->before : entry.ledger->last) = entry.before;
    entry.before = entry.after = nullptr;
}

Entry& Index::add_locked(const NewEntry& added, EntryState state) {
    auto& chunk = chunks_[added.id.value() / kChunk];
    if (!chunk) chunk = spare_ ? std::move(spare_) : std::make_unique<Chunk>();
    auto& entry = chunk->entries[added.id.value() % kChunk];
    ASSERT(entry.state == EntryState::none);
    ++chunk->used;
    entry.ledger = added.ledger;
    entry.segment = added.segment;
    entry.id = added.id;
    entry.appended_at = added.appended_at;
    entry.offset = added.offset;
    entry.length = added.length;
    entry.state = state;
    ASSERT(!added.ledger->last || added.ledger->last->id < entry.id);
    link(*added.ledger, entry, added.ledger->last);
    ++added.segment->live;
    next_id_ = std::max(next_id_, EntryId(added.id.value() + 1));
    return entry;
}

void Index::add(std::span<const NewEntry> entries) {
    while (!entries.empty()) {
        const std::lock_guard lock(mutex_);
        const auto some = entries.first(std::min(entries.size(), kPerHold));
        for (const auto& entry : some) add_locked(entry, EntryState::under_way);
        entries = entries.subspan(some.size());
    }
}

bool Index::recover(const NewEntry& entry) {
    const std::lock_guard lock(mutex_);
    if (find(entry.id)) return false;
    accepted(*entry.ledger);
    add_locked(entry, EntryState::released);
    return true;
}

bool Index::leave(Segment& segment) {
    ASSERT(segment.live > 0);
    return --segment.live == 0 && segment.tell_when_drained;
}

bool Index::drop(Entry& entry) {
    auto& ledger = *entry.ledger;
    auto& segment = *entry.segment;
    bool drained = false;
    if (entry.state == EntryState::set_aside) {
        const auto at = ledger.set_aside.find(entry.id);
        if (at->second.noted_in) drained = leave(*at->second.noted_in);
        ledger.set_aside.erase(at);
    } else {
        unlink(entry);
    }
    const auto number = entry.id.value() / kChunk;
    entry = {};
    const auto found = chunks_.find(number);
    if (--found->second->used == 0) {
        spare_ = std::move(found->second);  // of a steady stream of appends and settles the next one is made right away
        chunks_.erase(found);
    }
    ledger.owed.fetch_sub(1);
    owed_.fetch_sub(1);
    return leave(segment) || drained;
}

bool Index::settle(EntryId id) {
    const std::lock_guard lock(mutex_);
    auto* const entry = find(id);
    return entry && drop(*entry);
}

bool Index::release(EntryId id) {
    const std::lock_guard lock(mutex_);
    auto* const entry = find(id);
    if (entry && entry->state == EntryState::under_way) entry->state = EntryState::released;
    return entry != nullptr;
}

EntryInfo Index::info_of(const Entry& entry) {
    return {entry.id, entry.ledger->stream, entry.ledger->scope, entry.appended_at};
}

std::optional<EntryInfo> Index::set_aside(EntryId id, std::string reason, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    auto* const entry = find(id);
    if (!entry || entry->state == EntryState::set_aside) return std::nullopt;
    unlink(*entry);
    entry->state = EntryState::set_aside;
    entry->ledger->set_aside.emplace(id, SetAside{std::move(reason), now, nullptr});
    return info_of(*entry);
}

bool Index::noted(EntryId id, Segment& segment) {
    const std::lock_guard lock(mutex_);
    auto* const entry = find(id);
    if (!entry || entry->state != EntryState::set_aside) return false;
    auto& note = entry->ledger->set_aside.find(id)->second;
    // Set aside, offered again and set aside once more before the first note was written: the later one counts.
    if (note.noted_in) leave(*note.noted_in);
    note.noted_in = &segment;
    ++segment.live;
    return true;
}

bool Index::retry(std::uint8_t stream, std::uint32_t scope) {
    const std::lock_guard lock(mutex_);
    auto& ledger = ledger_locked(stream, scope);
    bool drained = false;
    Entry* before = nullptr;
    // Both are in the order of ids, so that one walk finds every place. An operator asked for it: it may take its time.
    for (auto& [id, note] : ledger.set_aside) {
        auto& entry = *find(id);
        for (auto* next = before ? before->after : ledger.first; next && next->id < id; next = next->after)
            before = next;
        entry.state = EntryState::released;
        link(ledger, entry, before);
        before = &entry;
        if (note.noted_in) drained |= leave(*note.noted_in);
    }
    ledger.set_aside.clear();
    return drained;
}

bool Index::retry(std::uint32_t scope, std::vector<std::uint8_t>& streams) {
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, ledger] : ledgers_) {
            if (key.second == scope && !ledger->set_aside.empty()) streams.push_back(key.first);
        }
    }
    bool drained = false;
    for (const auto stream : streams) drained |= retry(stream, scope);
    return drained;
}

std::optional<Index::Undone> Index::retry(EntryId id) {
    const std::lock_guard lock(mutex_);
    auto* const entry = find(id);
    if (!entry || entry->state != EntryState::set_aside) return std::nullopt;
    auto& ledger = *entry->ledger;
    Undone undone{info_of(*entry), false};
    const auto note = ledger.set_aside.find(id);
    if (note->second.noted_in) undone.drained = leave(*note->second.noted_in);
    ledger.set_aside.erase(note);
    // An old entry, so its place is near the front.
    Entry* before = nullptr;
    for (auto* next = ledger.first; next && next->id < id; next = next->after) before = next;
    entry->state = EntryState::released;
    link(ledger, *entry, before);
    return undone;
}

std::optional<Index::Undone> Index::drop_set_aside(EntryId id) {
    const std::lock_guard lock(mutex_);
    auto* const entry = find(id);
    if (!entry || entry->state != EntryState::set_aside) return std::nullopt;
    Undone undone{info_of(*entry), false};
    undone.drained = drop(*entry);
    return undone;
}

bool Index::forget(std::uint8_t stream, std::uint32_t scope, EntryId first_kept) {
    bool drained = false;
    for (bool more = true; more;) {
        const std::lock_guard lock(mutex_);
        auto& ledger = ledger_locked(stream, scope);
        const auto goes = [&] { return ledger.first && ledger.first->id < first_kept; };
        const auto goes_aside = [&] {
            return !ledger.set_aside.empty() && ledger.set_aside.begin()->first < first_kept;
        };
        std::size_t dropped = 0;
        for (; dropped < kPerHold && goes(); ++dropped) drained |= drop(*ledger.first);
        for (; dropped < kPerHold && goes_aside(); ++dropped) {
            drained |= drop(*find(ledger.set_aside.begin()->first));
        }
        more = goes() || goes_aside();
    }
    return drained;
}

EntryId Index::next_id() const {
    const std::lock_guard lock(mutex_);
    return next_id_;
}

bool Index::forget(std::uint32_t scope, EntryId first_kept, std::vector<std::uint8_t>& streams) {
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, ledger] : ledgers_) {
            if (key.second == scope) streams.push_back(key.first);
        }
    }
    bool drained = false;
    for (const auto stream : streams) drained |= forget(stream, scope, first_kept);
    return drained;
}

std::vector<EntryInfo> Index::owed(std::uint8_t stream, std::size_t limit,
                                   const std::vector<std::uint32_t>& skip_scopes) const {
    const auto younger = [](const Entry* a, const Entry* b) { return a->id > b->id; };
    const auto released_from = [](const Entry* entry) {
        while (entry && entry->state != EntryState::released) entry = entry->after;
        return entry;
    };
    std::vector<EntryInfo> out;
    const std::lock_guard lock(mutex_);
    // The heads of all scopes, oldest on top: scopes that are skipped cost nothing however much they owe.
    std::priority_queue<const Entry*, std::vector<const Entry*>, decltype(younger)> heads(younger);
    for (auto at = ledgers_.lower_bound({stream, 0}); at != ledgers_.end() && at->first.first == stream; ++at) {
        if (std::ranges::find(skip_scopes, at->first.second) != skip_scopes.end()) continue;
        if (const auto* head = released_from(at->second->first)) heads.push(head);
    }
    while (!heads.empty() && out.size() < limit) {
        const auto* const oldest = heads.top();
        heads.pop();
        out.push_back(info_of(*oldest));
        if (const auto* next = released_from(oldest->after)) heads.push(next);
    }
    return out;
}

std::optional<Index::Place> Index::place(EntryId id) const {
    const std::lock_guard lock(mutex_);
    const auto* const entry = find(id);
    if (!entry) return std::nullopt;
    const auto& segment = *entry->segment;
    return Place{info_of(*entry), segment.header.id, segment.path, segment.file, entry->offset, entry->length};
}

namespace {

/// When the oldest on disk was appended, set aside or not; 0 when none is.
std::int64_t oldest_of(const Ledger& ledger, std::int64_t oldest_set_aside) {
    if (!ledger.first) return oldest_set_aside;
    return oldest_set_aside == 0 ? ledger.first->appended_at : std::min(ledger.first->appended_at, oldest_set_aside);
}

}  // namespace

Owed Index::owed_of(std::uint8_t stream, std::uint32_t scope, std::int64_t under_way_since) const {
    const std::lock_guard lock(mutex_);
    const auto* const ledger = find_ledger(stream, scope);
    if (!ledger) return {};
    Owed owed{.entries = ledger->owed.load(), .set_aside = ledger->set_aside.size()};
    if (owed.entries == 0) return owed;
    const auto aside = ledger->set_aside.empty() ? 0 : find(ledger->set_aside.begin()->first)->appended_at;
    owed.oldest_appended_at = oldest_of(*ledger, aside);
    if (owed.oldest_appended_at == 0) owed.oldest_appended_at = under_way_since;
    if (owed.entries > owed.set_aside)
        owed.oldest_waiting_at = ledger->first ? ledger->first->appended_at : under_way_since;
    return owed;
}

Owed Index::owed_total(std::int64_t under_way_since) const {
    const std::lock_guard lock(mutex_);
    Owed total{.entries = owed_.load()};
    if (total.entries == 0) return total;
    for (const auto& [key, ledger] : ledgers_) {
        total.set_aside += ledger->set_aside.size();
        const auto aside = ledger->set_aside.empty() ? 0 : find(ledger->set_aside.begin()->first)->appended_at;
        const auto oldest = oldest_of(*ledger, aside);
        if (oldest != 0 && (total.oldest_appended_at == 0 || oldest < total.oldest_appended_at))
            total.oldest_appended_at = oldest;
    }
    if (total.oldest_appended_at == 0) total.oldest_appended_at = under_way_since;
    return total;
}

std::vector<SetAsideEntry> Index::set_aside_entries(std::optional<std::uint32_t> scope, std::size_t limit) const {
    std::vector<SetAsideEntry> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [key, ledger] : ledgers_) {
        if (scope && key.second != *scope) continue;
        for (const auto& [id, note] : ledger->set_aside) {
            if (out.size() == limit) return out;
            out.push_back({info_of(*find(id)), note.reason, note.at});
        }
    }
    return out;
}

std::optional<SetAsideEntry> Index::set_aside_entry(EntryId id) const {
    const std::lock_guard lock(mutex_);
    const auto* const entry = find(id);
    if (!entry || entry->state != EntryState::set_aside) return std::nullopt;
    const auto& note = entry->ledger->set_aside.at(id);
    return SetAsideEntry{info_of(*entry), note.reason, note.at};
}

std::uint64_t Index::live(const Segment& segment) const {
    const std::lock_guard lock(mutex_);
    return segment.live;
}

bool Index::tell_when_drained(Segment& segment) {
    const std::lock_guard lock(mutex_);
    segment.tell_when_drained = true;
    return segment.live == 0;
}

}  // namespace penumbra::journal
