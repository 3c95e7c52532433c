#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "cql/protocol/frame.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"

namespace penumbra::cql {

/// A value to bind besides those that the client bound: a marker of our own. It goes in front of the client's value
/// number `before`; those past the last one go behind it, in the order given.
struct ExtraValue {
    std::size_t before = 0;
    CellView value;
    std::string_view name = {};  ///< needed where the frame's values are named
};

/// What nearly every EXECUTE needs, in one step: another stream, an id of the same length, the default timestamp where
/// `micros` says one (the frame has none then), and another consistency level where `level` says one. Appended to
/// `out`, which must not be the buffer of the frame.
void append_execute(Bytes& out, const FrameView& frame, const ExecutedView& execute, const ParametersView& parameters,
                    std::int16_t stream, BytesView id, std::optional<std::int64_t> micros,
                    std::optional<Consistency> level = {});

/// Changes to one frame, collected and then written in one pass: the copy into a backend's buffer is also the edit. The
/// frame itself is never touched, so the same one can be edited differently for two clusters.
/// Offsets and views must come from decoding the very frame given. Edits must not overlap. Reuse the object: once its
/// buffers have grown, an edit allocates nothing.
class FrameEdit {
  public:
    FrameEdit() = default;
    explicit FrameEdit(const FrameView& frame) { reset(frame); }
    void reset(const FrameView& frame);

    void set_stream(std::int16_t stream) { stream_ = stream; }
    void clear_flag(std::uint8_t flag) { flags_ = static_cast<std::uint8_t>(flags_ & ~flag); }
    void set_flag(std::uint8_t flag) { flags_ = static_cast<std::uint8_t>(flags_ | flag); }
    /// Puts `inserted` (copied) in place of `removed` bytes of the body at `at`; in front of other edits at that place.
    void splice(std::size_t at, std::size_t removed, BytesView inserted);

    /// A default timestamp in microseconds where the frame carries none; one that is there stays.
    void add_timestamp(const ParametersView& parameters, std::int64_t micros);
    /// Writes the timestamp whether there was one or not.
    void set_timestamp(const ParametersView& parameters, std::int64_t micros);
    void replace_consistency(const ParametersView& parameters, Consistency consistency);
    /// Null takes the paging state out.
    void replace_paging_state(const ParametersView& parameters, CellView state);
    void remove_keyspace(const ParametersView& parameters);
    /// The rows come with their metadata even where the client said that it knows them.
    void ask_for_metadata(const ParametersView& parameters);
    /// For QUERY and EXECUTE; once per frame. `extra` in ascending order of `before`.
    void add_values(const ParametersView& parameters, std::span<const ExtraValue> extra);
    void add_values(const BatchChild& child, std::span<const ExtraValue> extra);
    /// `values` are `count` [value]s in the order of the markers, in place of those that are there, named or not.
    void replace_values(const ParametersView& parameters, std::uint16_t count, BytesView values);
    void replace_values(const BatchChild& child, std::uint16_t count, BytesView values);
    void replace_query(const QueryView& query, std::string_view text);
    void replace_query(const PrepareView& prepare, std::string_view text);
    void replace_query(const BatchChild& child, std::string_view text);
    void replace_id(const ExecutedView& execute, BytesView id);
    void replace_id(const BatchChild& child, BytesView id);
    void replace_result_metadata_id(const ExecutedView& execute, BytesView id);
    /// ScyllaDB before 2026.2 reads a custom payload as part of the message (CQL-FACTS 1.2).
    void strip_payload(const RequestPrefix& prefix);

    // Of responses:
    /// A paging state leaves marked with the cluster that it belongs to. Only where the rows have one.
    void replace_paging_state(const RowsPeek& rows, BytesView state);
    void replace_id(const PreparedPeek& prepared, BytesView id);
    void replace_id(const PreparedResult& prepared, BytesView id);
    /// v5: the id of result metadata must be the same from either cluster. Only where there is one.
    void replace_result_metadata_id(const PreparedPeek& prepared, BytesView id);
    void replace_result_metadata_id(const PreparedResult& prepared, BytesView id);
    /// Of rows that say that their columns changed.
    void replace_new_metadata_id(const RowsPeek& rows, BytesView id);
    void replace_new_metadata_id(const RowsMetadata& rows, BytesView id);
    /// A payload tells the client of tablets, which are not its business.
    void strip_payload(const ResponsePrefix& prefix);

    /// Bytes of the frame as edited.
    std::size_t size() const;
    /// Appends the edited frame to `out`, which must not be the buffer that holds the frame.
    void append_to(Bytes& out) const;

  private:
    /// Parts of a message in their order in it: which of two edits comes first where both insert at one offset.
    enum class Part : std::uint8_t {
        prefix,
        statement,
        child_values,
        result_metadata_id,
        consistency,
        flags,
        values,
        paging_state,
        new_metadata_id,
        timestamp,
        keyspace
    };
    struct Splice {
        std::uint32_t at;
        Part part;
        std::uint32_t removed;
        std::uint32_t inserted_at;  ///< in scratch_
        std::uint32_t inserted;

        bool is_behind(const Splice& other) const { return at != other.at ? at > other.at : part > other.part; }
    };
    void put(Part part, std::size_t at, std::size_t removed, BytesView inserted);
    void patch_parameter_flags(const ParametersView& parameters, std::uint32_t set, std::uint32_t cleared);
    void insert_extra(Part part, const ValuesView& values, std::span<const ExtraValue> extra);
    void replace_short_bytes(Part part, std::size_t at, std::size_t old_size, BytesView bytes);

    BytesView frame_;
    std::uint8_t flags_ = 0;
    std::int16_t stream_ = 0;
    bool in_place_ = true;  ///< every splice is as long as what it replaces
    boost::container::small_vector<Splice, 8> splices_;
    Bytes scratch_;  ///< as large as it ever had to be
    std::uint32_t scratch_used_ = 0;
};

}  // namespace penumbra::cql
