#include "cql/protocol/frame_edit.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "cql/protocol/response_peeks.h"

namespace penumbra::cql {

void append_execute(Bytes& out, const FrameView& frame, const ExecutedView& execute, const ParametersView& parameters,
                    std::int16_t stream, BytesView id, std::optional<std::int64_t> micros,
                    std::optional<Consistency> level) {
    ASSERT(id.size() == execute.id.size());
    const auto start = out.size();
    out.insert(out.end(), frame.whole.begin(), frame.whole.end());
    if (micros) {
        ASSERT(!parameters.timestamp);
        Byte bytes[8];
        store_be(bytes, *micros);
        const auto at = start + kHeaderSize + parameters.timestamp_at;
        out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), bytes, bytes + sizeof bytes);
    }
    Byte* const to = out.data() + start;
    store_be(to + kStreamAt, stream);
    std::memcpy(to + kHeaderSize + execute.id_at + 2, id.data(), id.size());
    // It stands in front of the timestamp, which moves nothing before it.
    if (level) store_be(to + kHeaderSize + parameters.consistency_at, static_cast<std::uint16_t>(*level));
    if (micros) {
        store_be(to + kLengthAt, frame.header.length + 8);
        // The flag is in the lowest byte, which is the last of four in v5.
        to[kHeaderSize + parameters.flags_at + parameters.flags_size() - 1] |= query_flag::kTimestamp;
    }
}

void FrameEdit::reset(const FrameView& frame) {
    frame_ = frame.whole;
    flags_ = frame.header.flags;
    stream_ = frame.header.stream;
    in_place_ = true;
    splices_.clear();
    scratch_used_ = 0;
}

void FrameEdit::splice(std::size_t at, std::size_t removed, BytesView inserted) {
    put(Part::prefix, at, removed, inserted);
}

void FrameEdit::put(Part part, std::size_t at, std::size_t removed, BytesView inserted) {
    ASSERT(at + removed + kHeaderSize <= frame_.size());
    const Splice splice{static_cast<std::uint32_t>(at), part, static_cast<std::uint32_t>(removed), scratch_used_,
                        static_cast<std::uint32_t>(inserted.size())};
    in_place_ &= inserted.size() == removed;
    const auto needed = scratch_used_ + inserted.size();
    if (scratch_.size() < needed) scratch_.resize(std::max<std::size_t>(2 * needed, 64));
    if (!inserted.empty()) std::memcpy(scratch_.data() + scratch_used_, inserted.data(), inserted.size());
    scratch_used_ = static_cast<std::uint32_t>(needed);
    // Kept in the order of the frame; within one part at one place, in the order given. Mostly it comes in order.
    auto behind = splices_.end();
    while (behind != splices_.begin() && std::prev(behind)->is_behind(splice)) --behind;
    ASSERT(behind == splices_.begin() || std::prev(behind)->at + std::prev(behind)->removed <= splice.at);
    ASSERT(behind == splices_.end() || splice.at + splice.removed <= behind->at);
    if (behind == splices_.end()) {
        splices_.push_back(splice);
    } else {
        splices_.insert(behind, splice);
    }
}

/// The flags of the parameters are the one place that several edits touch: they meet in one splice.
void FrameEdit::patch_parameter_flags(const ParametersView& parameters, std::uint32_t set, std::uint32_t cleared) {
    const auto size = parameters.flags_size();
    const auto found = std::ranges::find_if(
        splices_, [&](const Splice& s) { return s.at == parameters.flags_at && s.part == Part::flags; });
    auto inserted_at = scratch_used_;
    if (found != splices_.end()) {
        inserted_at = found->inserted_at;
    } else {
        put(Part::flags, parameters.flags_at, size, frame_.subspan(kHeaderSize + parameters.flags_at, size));
    }
    Byte* const flags = scratch_.data() + inserted_at;
    if (size == 1) {
        *flags = static_cast<Byte>((*flags | set) & ~cleared);
    } else {
        store_be(flags, (load_be<std::uint32_t>(flags) | set) & ~cleared);
    }
}

void FrameEdit::add_timestamp(const ParametersView& parameters, std::int64_t micros) {
    if (!parameters.timestamp) set_timestamp(parameters, micros);
}

void FrameEdit::set_timestamp(const ParametersView& parameters, std::int64_t micros) {
    Byte bytes[8];
    store_be(bytes, micros);
    patch_parameter_flags(parameters, query_flag::kTimestamp, 0);
    put(Part::timestamp, parameters.timestamp_at, parameters.timestamp ? 8 : 0, bytes);
}

void FrameEdit::replace_consistency(const ParametersView& parameters, Consistency consistency) {
    Byte bytes[2];
    store_be(bytes, static_cast<std::uint16_t>(consistency));
    put(Part::consistency, parameters.consistency_at, 2, bytes);
}

void FrameEdit::replace_paging_state(const ParametersView& parameters, CellView state) {
    const std::size_t old = parameters.serial_consistency_at - parameters.paging_state_at;
    if (!state.has_value()) {
        put(Part::paging_state, parameters.paging_state_at, old, {});
        patch_parameter_flags(parameters, 0, query_flag::kPagingState);
        return;
    }
    Byte size[4];
    store_be(size, static_cast<std::uint32_t>(state.bytes().size()));
    put(Part::paging_state, parameters.paging_state_at, old, size);
    put(Part::paging_state, parameters.serial_consistency_at, 0, state.bytes());
    patch_parameter_flags(parameters, query_flag::kPagingState, 0);
}

void FrameEdit::remove_keyspace(const ParametersView& parameters) {
    put(Part::keyspace, parameters.keyspace_at, parameters.now_in_seconds_at - parameters.keyspace_at, {});
    patch_parameter_flags(parameters, 0, query_flag::kKeyspace);
}

void FrameEdit::ask_for_metadata(const ParametersView& parameters) {
    if (parameters.has(query_flag::kSkipMetadata)) patch_parameter_flags(parameters, 0, query_flag::kSkipMetadata);
}

/// Each extra value at its place.
void FrameEdit::insert_extra(Part part, const ValuesView& values, std::span<const ExtraValue> extra) {
    ASSERT(values.size() + extra.size() <= 0xFFFF);
    auto it = values.begin();
    const auto end = values.end();
    std::size_t index = 0;
    auto place = values.at();
    for (const auto& value : extra) {
        for (; index < value.before && it != end; ++it, ++index) place = (*it).at + (*it).size;
        Byte size[4];
        const auto bytes = value.value.bytes();
        std::int32_t length = value.value.is_null() ? -1 : -2;
        if (value.value.has_value()) length = static_cast<std::int32_t>(bytes.size());
        store_be(size, length);
        if (values.named()) {
            Byte name_size[2];
            store_be(name_size, static_cast<std::uint16_t>(value.name.size()));
            put(part, place, 0, name_size);
            put(part, place, 0, bytes_of(value.name));
        }
        put(part, place, 0, size);
        put(part, place, 0, bytes);
    }
}

void FrameEdit::add_values(const ParametersView& parameters, std::span<const ExtraValue> extra) {
    if (extra.empty()) return;
    Byte count[2];
    const auto sum = static_cast<std::uint16_t>(parameters.values.size() + extra.size());
    store_be(count, sum);
    const bool had = parameters.has(query_flag::kValues);
    put(Part::values, parameters.values_at, had ? 2 : 0, count);
    // Without values of its own the frame has no names either, and nothing to put in front of.
    const ValuesView none(0, ValuesView::Named::no, parameters.version, parameters.values_at, {});
    insert_extra(Part::values, had ? parameters.values : none, extra);
    patch_parameter_flags(parameters, query_flag::kValues, had ? 0 : query_flag::kNames);
}

void FrameEdit::add_values(const BatchChild& child, std::span<const ExtraValue> extra) {
    if (extra.empty()) return;
    Byte count[2];
    store_be(count, static_cast<std::uint16_t>(child.values.size() + extra.size()));
    put(Part::child_values, child.values_at, 2, count);
    insert_extra(Part::child_values, child.values, extra);
}

void FrameEdit::replace_values(const ParametersView& parameters, std::uint16_t count, BytesView values) {
    const bool had = parameters.has(query_flag::kValues);
    Byte size[2];
    store_be(size, count);
    put(Part::values, parameters.values_at, had ? 2 : 0, size);
    if (had) {
        put(Part::values, parameters.values.at(), parameters.values.bytes().size(), values);
    } else {
        put(Part::values, parameters.values_at, 0, values);
    }
    patch_parameter_flags(parameters, query_flag::kValues, query_flag::kNames);
}

void FrameEdit::replace_values(const BatchChild& child, std::uint16_t count, BytesView values) {
    Byte size[2];
    store_be(size, count);
    put(Part::child_values, child.values_at, 2, size);
    put(Part::child_values, child.values.at(), child.values.bytes().size(), values);
}

namespace {

std::array<Byte, 4> long_size(std::size_t size) {
    std::array<Byte, 4> bytes;
    store_be(bytes.data(), static_cast<std::uint32_t>(size));
    return bytes;
}

}  // namespace

void FrameEdit::replace_query(const QueryView& query, std::string_view text) {
    put(Part::statement, query.query_at, 4, long_size(text.size()));
    put(Part::statement, query.query_at + 4, query.query.size(), bytes_of(text));
}

void FrameEdit::replace_query(const PrepareView& prepare, std::string_view text) {
    put(Part::statement, prepare.query_at, 4, long_size(text.size()));
    put(Part::statement, prepare.query_at + 4, prepare.query.size(), bytes_of(text));
}

void FrameEdit::replace_query(const BatchChild& child, std::string_view text) {
    ASSERT(!child.prepared);
    put(Part::statement, child.statement_at, 4, long_size(text.size()));
    put(Part::statement, child.statement_at + 4, child.query.size(), bytes_of(text));
}

void FrameEdit::replace_short_bytes(Part part, std::size_t at, std::size_t old_size, BytesView bytes) {
    ASSERT(bytes.size() <= 0xFFFF);
    if (old_size == bytes.size()) {
        put(part, at + 2, old_size, bytes);
        return;
    }
    Byte size[2];
    store_be(size, static_cast<std::uint16_t>(bytes.size()));
    put(part, at, 2, size);
    put(part, at + 2, old_size, bytes);
}

void FrameEdit::replace_id(const ExecutedView& execute, BytesView id) {
    replace_short_bytes(Part::statement, execute.id_at, execute.id.size(), id);
}

void FrameEdit::replace_id(const BatchChild& child, BytesView id) {
    ASSERT(child.prepared);
    replace_short_bytes(Part::statement, child.statement_at, child.id.size(), id);
}

void FrameEdit::replace_result_metadata_id(const ExecutedView& execute, BytesView id) {
    ASSERT(execute.result_metadata_id.has_value());
    replace_short_bytes(Part::result_metadata_id, execute.result_metadata_id_at, execute.result_metadata_id->size(),
                        id);
}

void FrameEdit::strip_payload(const RequestPrefix& prefix) {
    if (prefix.size == 0) return;
    splice(0, prefix.size, {});
    clear_flag(header_flag::kCustomPayload);
}

void FrameEdit::replace_paging_state(const RowsPeek& rows, BytesView state) {
    ASSERT(rows.paging_state.has_value());
    put(Part::paging_state, rows.paging_state_at, 4, long_size(state.size()));
    put(Part::paging_state, rows.paging_state_at + 4, rows.paging_state->bytes().size(), state);
}

void FrameEdit::replace_id(const PreparedPeek& prepared, BytesView id) {
    replace_short_bytes(Part::statement, prepared.id_at, prepared.id.size(), id);
}

void FrameEdit::replace_id(const PreparedResult& prepared, BytesView id) {
    replace_short_bytes(Part::statement, prepared.id_at, prepared.id.size(), id);
}

void FrameEdit::replace_result_metadata_id(const PreparedResult& prepared, BytesView id) {
    ASSERT(prepared.result_metadata_id.has_value());
    replace_short_bytes(Part::result_metadata_id, prepared.result_metadata_id_at, prepared.result_metadata_id->size(),
                        id);
}

void FrameEdit::replace_result_metadata_id(const PreparedPeek& prepared, BytesView id) {
    ASSERT(prepared.result_metadata_id.has_value());
    replace_short_bytes(Part::result_metadata_id, prepared.result_metadata_id_at, prepared.result_metadata_id->size(),
                        id);
}

void FrameEdit::replace_new_metadata_id(const RowsMetadata& rows, BytesView id) {
    ASSERT(rows.new_metadata_id.has_value());
    replace_short_bytes(Part::new_metadata_id, rows.new_metadata_id_at, rows.new_metadata_id->size(), id);
}

void FrameEdit::replace_new_metadata_id(const RowsPeek& rows, BytesView id) {
    ASSERT(rows.new_metadata_id.has_value());
    replace_short_bytes(Part::new_metadata_id, rows.new_metadata_id_at, rows.new_metadata_id->size(), id);
}

void FrameEdit::strip_payload(const ResponsePrefix& prefix) {
    if (prefix.payload_at == prefix.size) return;
    put(Part::prefix, prefix.payload_at, prefix.size - prefix.payload_at, {});
    clear_flag(header_flag::kCustomPayload);
}

std::size_t FrameEdit::size() const {
    std::size_t size = frame_.size();
    for (const auto& splice : splices_) size += splice.inserted - static_cast<std::size_t>(splice.removed);
    return size;
}

void FrameEdit::append_to(Bytes& out) const {
    const auto start = out.size();
    std::size_t total = frame_.size();
    if (in_place_) {
        // Most requests: a prepared id for one of the same length. One copy of the whole, then what differs over it.
        out.insert(out.end(), frame_.begin(), frame_.end());
        Byte* const body = out.data() + start + kHeaderSize;
        for (const auto& splice : splices_) {
            std::memcpy(body + splice.at, scratch_.data() + splice.inserted_at, splice.inserted);
        }
    } else {
        total = size();
        out.resize(start + total);
        Byte* to = out.data() + start;
        const auto copy = [&to](const Byte* from, std::size_t size) {
            if (size == 0) return;
            std::memcpy(to, from, size);
            to += size;
        };
        const Byte* const body = frame_.data() + kHeaderSize;
        const Byte* done = frame_.data();
        for (const auto& splice : splices_) {
            copy(done, static_cast<std::size_t>(body + splice.at - done));
            copy(scratch_.data() + splice.inserted_at, splice.inserted);
            done = body + splice.at + splice.removed;
        }
        copy(done, static_cast<std::size_t>(frame_.data() + frame_.size() - done));
    }
    Byte* const frame = out.data() + start;
    frame[kFlagsAt] = flags_;
    store_be(frame + kStreamAt, stream_);
    store_be(frame + kLengthAt, static_cast<std::uint32_t>(total - kHeaderSize));
}

}  // namespace penumbra::cql
