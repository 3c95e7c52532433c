// Any bytes as a frame, in both directions and every version: nothing reads outside, and what decodes encodes to
// something that decodes to the same. Then edits, where the frame is a request that has parameters.
#include <cstdint>
#include <cstdlib>

#include "cql/protocol/frame_edit.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/tests/encode_again.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// Encoding is a projection: what it leaves out (bytes behind a request, idle flags) is gone after the first time.
void check_identity(const FrameView& frame) {
    const auto once = encode_again(frame);
    if (!once) return;
    const auto direction = frame.header.direction();
    const auto again_frame = view_frame(once.value(), direction);
    require(again_frame.has_value());
    const auto twice = encode_again(again_frame.value());
    require(twice.has_value() && twice.value() == once.value());
    // Of a response nothing is left out but flags that we do not know and lengths under -1.
    if (direction == Direction::response) require(once.value().size() <= frame.whole.size());
}

void check_values(const FrameView& frame) {
    if (frame.header.opcode != Opcode::result) return;
    const auto rows = decode_rows(frame);
    if (!rows || rows.value().metadata.columns.empty()) return;
    rows.value().for_each([&](std::span<const CellView> cells) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const auto& type = *rows.value().metadata.columns[i].type;
            to_text(type, cells[i]);
            if (cells[i].has_value()) (void)validate(type, cells[i].bytes());
        }
    });
}

void check_edits(const FrameView& frame) {
    static FrameEdit edit;
    edit.reset(frame);
    const Bytes value{1, 2, 3};
    const ExtraValue extra[] = {{0, value, "n"}, {1, CellView::null(), "m"}, {1000, CellView::unset(), ""}};
    Bytes out;
    const auto edit_parameters = [&](const ParametersView& parameters) {
        edit.add_timestamp(parameters, 42);
        edit.replace_paging_state(parameters, value);
        edit.remove_keyspace(parameters);
        edit.replace_consistency(parameters, Consistency::quorum);
    };
    const auto edited = [&]() -> FrameView {
        edit.append_to(out);
        const auto view = view_frame(out, Direction::request);
        require(view.has_value() && out.size() == edit.size());
        return view.value();
    };
    const auto check = [&](const ParametersView& before, const ParametersView& after, std::size_t added) {
        require(after.timestamp == before.timestamp.value_or(42) &&
                after.values.size() == before.values.size() + added && !after.keyspace &&
                after.consistency == Consistency::quorum && after.paging_state == CellView(value) &&
                after.page_size == before.page_size && after.serial_consistency == before.serial_consistency &&
                after.now_in_seconds == before.now_in_seconds);
    };
    if (frame.header.opcode == Opcode::query) {
        const auto query = decode_query(frame);
        if (!query || query.value().parameters.values.size() > 65'000) return;
        edit_parameters(query.value().parameters);
        edit.add_values(query.value().parameters, extra);
        edit.replace_query(query.value(), "text");
        edit.strip_payload(query.value().prefix);
        const auto after = decode_query(edited());
        require(after.has_value() && after.value().query == "text" && after.value().prefix.size == 0);
        check(query.value().parameters, after.value().parameters, 3);
    } else if (frame.header.opcode == Opcode::execute) {
        const auto execute = decode_execute(frame);
        if (!execute || execute.value().parameters.values.size() > 65'000) return;
        edit.add_values(execute.value().parameters, extra);
        edit_parameters(execute.value().parameters);
        edit.replace_id(execute.value(), value);
        const auto after = decode_execute(edited());
        require(after.has_value() && equal(after.value().id, value));
        check(execute.value().parameters, after.value().parameters, 3);
    } else if (frame.header.opcode == Opcode::batch) {
        const auto batch = decode_batch(frame);
        if (!batch) return;
        for (const auto child : batch.value().children) {
            if (child.values.size() > 65'000) return;
        }
        edit_parameters(batch.value().parameters);
        for (const auto child : batch.value().children) {
            edit.add_values(child, extra);
            if (child.prepared) {
                edit.replace_id(child, value);
            } else {
                edit.replace_query(child, "text");
            }
        }
        const auto after = decode_batch(edited());
        require(after.has_value() && after.value().children.size() == batch.value().children.size());
        for (const auto child : after.value().children)
            require(child.prepared ? equal(child.id, value) : child.query == "text");
        check(batch.value().parameters, after.value().parameters, 0);
    }
}

/// The ids and the paging state of a response are ours to choose; everything else stays.
void check_response_edits(const FrameView& frame) {
    static FrameEdit edit;
    edit.reset(frame);
    const Bytes id{1, 2, 3};
    Bytes out;
    const auto edited = [&]() -> FrameView {
        edit.append_to(out);
        const auto view = view_frame(out, Direction::response);
        require(view.has_value() && out.size() == edit.size());
        return view.value();
    };
    if (const auto prepared = peek_prepared(frame)) {
        edit.replace_id(prepared.value(), id);
        if (prepared.value().result_metadata_id) edit.replace_result_metadata_id(prepared.value(), id);
        const auto after = edited();
        const auto peek = peek_prepared(after);
        require(peek && equal(peek.value().id, id));
        require(!prepared.value().result_metadata_id || equal(*peek.value().result_metadata_id, id));
        require(encode_again(frame).has_value() == encode_again(after).has_value());
    } else if (const auto rows = peek_rows(frame)) {
        if (rows.value().paging_state) edit.replace_paging_state(rows.value(), id);
        if (rows.value().new_metadata_id) edit.replace_new_metadata_id(rows.value(), id);
        const auto after = edited();
        const auto peek = peek_rows(after);
        require(peek && peek.value().flags == rows.value().flags);
        require(!rows.value().paging_state || *peek.value().paging_state == CellView(id));
        require(!rows.value().new_metadata_id || equal(*peek.value().new_metadata_id, id));
        require(encode_again(frame).has_value() == encode_again(after).has_value());
    } else if (const auto error = decode_error(frame)) {
        for (const auto version : kAllVersions) {
            const auto old = downgraded(error.value(), version);
            Bytes bytes;
            encode_error(bytes, {version}, old);
            const auto back = decode_error(view_frame(bytes, Direction::response).value());
            require(back && back.value().code == old.code && back.value().detail.index() == old.detail.index());
        }
    }
}

}  // namespace
}  // namespace penumbra::cql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penumbra;
    using namespace penumbra::cql;
    if (size < 4) return 0;
    read_all({data, size});
    // As a body: version and direction, opcode, flags, then the rest, with a header that fits.
    Bytes bytes(data + 3, data + size);
    Bytes frame;
    Writer out(frame);
    const std::uint8_t direction = data[0] & 0x80;
    out.u8(static_cast<std::uint8_t>(3 + data[0] % 3) | direction);
    out.u8(data[1] & ~header_flag::kCompressed);
    out.i16(1);
    out.u8(data[2] % 17);
    out.u32(static_cast<std::uint32_t>(bytes.size()));
    out.raw(bytes);
    const auto view = view_frame(frame, direction ? Direction::response : Direction::request).value();
    read_all(frame);
    check_identity(view);
    if (direction) {
        check_values(view);
        check_response_edits(view);
    } else {
        check_edits(view);
    }
    return 0;
}
