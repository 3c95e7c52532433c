#include "journal/lane.h"

#include <algorithm>

#include "journal/crc32c.h"

namespace penumbra::journal {

namespace {
constexpr std::size_t kKeptBytes = 4 << 20;
constexpr std::size_t kKeptAppends = 16 << 10;
}  // namespace

Batch::Append& Batch::add(RecordKind kind, std::uint8_t stream, std::uint32_t scope, std::int64_t now,
                          BytesView payload) {
    const auto at = bytes.size();
    bytes.resize(at + record_bytes(payload.size()));
    std::ranges::copy(payload, bytes.begin() + static_cast<std::ptrdiff_t>(at + kRecordHeaderBytes));
    auto& append = appends.emplace_back();
    append.at = at;
    append.header.kind = kind;
    append.header.stream = stream;
    append.header.length = static_cast<std::uint32_t>(payload.size());
    append.header.payload_crc = crc32c(payload);  // here, not on the writer: the payload is in this core's cache
    append.header.appended_at = now;
    append.header.scope = scope;
    return append;
}

void Batch::clear() {
    bytes.clear();
    appends.clear();
    errors.clear();
    if (bytes.capacity() > kKeptBytes) bytes.shrink_to_fit();
    if (appends.capacity() > kKeptAppends) appends.shrink_to_fit();
}

Lane::~Lane() {
    delete pending.load();
}

Ledger& Lane::ledger(std::uint8_t stream, std::uint32_t scope) {
    auto& known = ledgers[(std::uint64_t{stream} << 32) | scope];
    if (!known) known = &index->ledger(stream, scope);
    return *known;
}

std::unique_ptr<Batch> Lane::take_to_fill() {
    std::unique_ptr<Batch> batch(pending.exchange(nullptr));
    if (!batch) batch = std::move(spare);
    if (!batch) batch = std::make_unique<Batch>();
    return batch;
}

void Lane::hand_over(std::unique_ptr<Batch> batch) {
    if (batch->appends.size() == 1) filling_since = batch->began_at();
    pending = batch.release();
}

std::unique_ptr<Batch> Lane::take_to_write() {
    std::unique_ptr<Batch> batch(pending.exchange(nullptr));
    if (!batch) return nullptr;
    auto began = batch->began_at();
    writing_since = began;
    filling_since.compare_exchange_strong(began, 0);
    return batch;
}

void Lane::answer(std::unique_ptr<Batch> batch) {
    writing_since = 0;
    // The lane, and with it the index, outlives a journal that is gone when the shard comes to this.
    shard.post([lane = shared_from_this(), batch = std::move(batch)]() mutable {
        lane->run_answers(*batch);
        batch->clear();
        lane->spare = std::move(batch);
    });
}

void Lane::run_answers(Batch& batch) {
    for (auto& append : batch.appends) {
        if (append.error) {
            index->failed(*append.ledger);
            append.durable(fail(batch.errors[*append.error]));
        } else {
            append.durable(EntryId(append.header.sequence));
        }
    }
}

}  // namespace penumbra::journal
