#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cql/protocol/frame.h"
#include "cql/protocol/notation.h"

/// Requests of native_protocol_v3/v4/v5.spec 4.1. Decoders give views of the frame and allocate nothing; all offsets
/// are from the first byte of the body. Bytes after a message's end are passed over, as both kinds of server do.
namespace penumbra::cql {

/// Bits of <flags> in <query_parameters>: one byte in v3 and v4, four in v5.
namespace query_flag {
inline constexpr std::uint32_t kValues = 0x01;
inline constexpr std::uint32_t kSkipMetadata = 0x02;
inline constexpr std::uint32_t kPageSize = 0x04;
inline constexpr std::uint32_t kPagingState = 0x08;
inline constexpr std::uint32_t kSerialConsistency = 0x10;
inline constexpr std::uint32_t kTimestamp = 0x20;
inline constexpr std::uint32_t kNames = 0x40;
/// Defined from v5 on, but Cassandra 4 and later take it in any version (CQL-FACTS 1.5), and so do we.
inline constexpr std::uint32_t kKeyspace = 0x80;
inline constexpr std::uint32_t kNowInSeconds = 0x100;
}  // namespace query_flag

/// One bound value, with its name when values are named.
struct BoundValue {
    std::string_view name;
    CellView value;
    std::uint32_t at = 0;    ///< where it starts: its name, or else its length
    std::uint32_t size = 0;  ///< of all of it
};

/// The bound values of a request, checked when they were decoded.
class ValuesView {
  public:
    enum class Named : std::uint8_t { no, yes };

    class iterator {
      public:
        using value_type = BoundValue;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        iterator(const ValuesView* values, std::uint32_t offset) : values_(values), offset_(offset) {}
        BoundValue operator*() const { return values_->value_at(offset_); }
        iterator& operator++() {
            offset_ += values_->value_at(offset_).size;
            return *this;
        }
        iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        bool operator==(const iterator& other) const { return offset_ == other.offset_; }

      private:
        const ValuesView* values_ = nullptr;
        std::uint32_t offset_ = 0;
    };

    ValuesView() = default;
    ValuesView(std::uint16_t count, Named named, ProtocolVersion version, std::uint32_t at, BytesView checked)
        : bytes_(checked), at_(at), count_(count), named_(named), version_(version) {}

    std::size_t size() const { return count_; }
    bool empty() const { return count_ == 0; }
    bool named() const { return named_ == Named::yes; }
    iterator begin() const { return {this, 0}; }
    iterator end() const { return {this, static_cast<std::uint32_t>(bytes_.size())}; }
    /// The nth value, by walking to it; nothing when there are not so many.
    std::optional<BoundValue> nth(std::size_t n) const;
    std::optional<BoundValue> by_name(std::string_view name) const;
    /// The nth value alone; null when there are not so many, or they are named.
    CellView cell(std::size_t n) const;
    /// Where the first value starts (behind the count), and the values as they were sent.
    std::uint32_t at() const { return at_; }
    BytesView bytes() const { return bytes_; }

  private:
    BoundValue value_at(std::uint32_t offset) const;

    BytesView bytes_;
    std::uint32_t at_ = 0;
    std::uint16_t count_ = 0;
    Named named_ = Named::no;
    ProtocolVersion version_ = ProtocolVersion::v4;
};

inline CellView ValuesView::cell(std::size_t n) const {
    if (n >= count_ || named_ == Named::yes) return CellView::null();
    const Byte* at = bytes_.data();
    for (; n > 0; --n) {
        const auto size = load_be<std::int32_t>(at);
        at += 4 + (size > 0 ? size : 0);
    }
    const auto size = load_be<std::int32_t>(at);
    if (size >= 0) return BytesView(at + 4, static_cast<std::size_t>(size));
    return size == -2 && version_ != ProtocolVersion::v3 ? CellView::unset() : CellView::null();
}

/// <query_parameters> of QUERY and EXECUTE, and what ends a BATCH.
struct ParametersView {
    ProtocolVersion version = ProtocolVersion::v4;
    Consistency consistency = Consistency::one;
    std::uint32_t flags = 0;
    ValuesView values;
    std::optional<std::int32_t> page_size;
    std::optional<CellView> paging_state;
    std::optional<Consistency> serial_consistency;
    std::optional<std::int64_t> timestamp;
    std::optional<std::string_view> keyspace;
    std::optional<std::int32_t> now_in_seconds;

    bool has(std::uint32_t flag) const { return (flags & flag) != 0; }

    /// Where the parts are, or where they would be put.
    std::uint32_t consistency_at = 0;
    std::uint32_t flags_at = 0;
    std::uint32_t values_at = 0;  ///< the count
    std::uint32_t page_size_at = 0;
    std::uint32_t paging_state_at = 0;
    std::uint32_t serial_consistency_at = 0;
    std::uint32_t timestamp_at = 0;
    std::uint32_t keyspace_at = 0;
    std::uint32_t now_in_seconds_at = 0;
    std::uint32_t end = 0;

    std::uint32_t flags_size() const { return version == ProtocolVersion::v5 ? 4 : 1; }
};

/// What a request's body may start with: the custom payload (v4 and later).
struct RequestPrefix {
    BytesMapView payload;
    std::uint32_t size = 0;  ///< the message starts here
};
Result<RequestPrefix> read_request_prefix(const FrameView& frame);

struct StartupView {
    StringMapView options;
    /// The value of a key, whatever its case (Cassandra takes any).
    std::optional<std::string_view> option(std::string_view key) const;
};
struct AuthResponseView {
    CellView token;
};
struct RegisterView {
    StringListView events;
};
struct QueryView {
    RequestPrefix prefix;
    std::string_view query;
    std::uint32_t query_at = 0;  ///< its length
    ParametersView parameters;
};
struct PrepareView {
    RequestPrefix prefix;
    std::string_view query;
    std::uint32_t query_at = 0;
    std::uint32_t flags = 0;  ///< v5
    std::optional<std::string_view> keyspace;
};
/// How an EXECUTE names its statement.
struct ExecutedView {
    BytesView id;
    std::optional<BytesView> result_metadata_id;  ///< v5
    std::uint32_t id_at = 0;                      ///< its length
    std::uint32_t result_metadata_id_at = 0;
};
struct ExecuteView : ExecutedView {
    RequestPrefix prefix;
    ParametersView parameters;
};

enum class BatchType : std::uint8_t { logged = 0, unlogged = 1, counter = 2 };
std::string_view to_string(BatchType type);

/// One statement of a BATCH: text, or the id of a prepared one.
struct BatchChild {
    bool prepared = false;
    std::string_view query;
    BytesView id;
    std::uint32_t statement_at = 0;  ///< the length of text or id
    std::uint32_t values_at = 0;     ///< the count of values
    ValuesView values;
};

/// The statements of a BATCH, checked when they were decoded.
class BatchChildren {
  public:
    class iterator {
      public:
        using value_type = BatchChild;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        iterator(const BatchChildren* children, std::uint32_t offset) : children_(children), offset_(offset) {}
        BatchChild operator*() const {
            auto offset = offset_;
            return children_->take(offset);
        }
        iterator& operator++() {
            children_->take(offset_);
            return *this;
        }
        iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        bool operator==(const iterator& other) const { return offset_ == other.offset_; }

      private:
        const BatchChildren* children_ = nullptr;
        std::uint32_t offset_ = 0;
    };

    BatchChildren() = default;
    BatchChildren(std::uint16_t count, ProtocolVersion version, std::uint32_t at, BytesView checked)
        : bytes_(checked), at_(at), count_(count), version_(version) {}

    std::size_t size() const { return count_; }
    iterator begin() const { return {this, 0}; }
    iterator end() const { return {this, static_cast<std::uint32_t>(bytes_.size())}; }

  private:
    BatchChild take(std::uint32_t& offset) const;

    BytesView bytes_;
    std::uint32_t at_ = 0;
    std::uint16_t count_ = 0;
    ProtocolVersion version_ = ProtocolVersion::v4;
};

struct BatchView {
    RequestPrefix prefix;
    BatchType type = BatchType::logged;
    BatchChildren children;
    ParametersView parameters;
};

Result<StartupView> decode_startup(const FrameView& frame);
Result<AuthResponseView> decode_auth_response(const FrameView& frame);
Result<RegisterView> decode_register(const FrameView& frame);
Result<QueryView> decode_query(const FrameView& frame);
Result<PrepareView> decode_prepare(const FrameView& frame);
Result<ExecuteView> decode_execute(const FrameView& frame);
/// The same for the path of every request: into views that may have been used before.
Status decode_execute(const FrameView& frame, RequestPrefix& prefix, ExecutedView& executed,
                      ParametersView& parameters);
Result<BatchView> decode_batch(const FrameView& frame);

/// ---- Writing. A request is appended to `out` as one whole frame.

/// What goes into the header, and in front of the message.
struct RequestHead {
    ProtocolVersion version = ProtocolVersion::v4;
    std::int16_t stream = 0;
    std::uint8_t flags = 0;  ///< tracing, beta; custom payload is set by `payload`
    BytesPairs payload = {};
};

/// <query_parameters> to write. A field is sent when it is set and the version knows it.
struct Parameters {
    Consistency consistency = Consistency::one;
    std::span<const CellView> values = {};
    /// As many as values, or none.
    std::span<const std::string_view> names = {};
    bool skip_metadata = false;
    std::optional<std::int32_t> page_size = {};
    std::optional<CellView> paging_state = {};
    std::optional<Consistency> serial_consistency = {};
    std::optional<std::int64_t> timestamp = {};
    std::optional<std::string_view> keyspace = {};
    std::optional<std::int32_t> now_in_seconds = {};
    /// Send a count of 0 values where there are none (some drivers do).
    bool empty_values = false;
};

struct BatchStatement {
    std::string_view query;  ///< when id is empty
    BytesView id;
    std::span<const CellView> values;
};

void encode_startup(Bytes& out, const RequestHead& head, const StringPairs& options);
void encode_options(Bytes& out, const RequestHead& head);
void encode_auth_response(Bytes& out, const RequestHead& head, CellView token);
void encode_register(Bytes& out, const RequestHead& head, std::span<const std::string_view> events);
void encode_query(Bytes& out, const RequestHead& head, std::string_view query, const Parameters& parameters);
/// `keyspace` is sent in v5 only.
void encode_prepare(Bytes& out, const RequestHead& head, std::string_view query,
                    std::optional<std::string_view> keyspace = {});
/// `result_metadata_id` is sent in v5 only.
void encode_execute(Bytes& out, const RequestHead& head, BytesView id, BytesView result_metadata_id,
                    const Parameters& parameters);
void encode_batch(Bytes& out, const RequestHead& head, BatchType type, std::span<const BatchStatement> statements,
                  const Parameters& parameters);

}  // namespace penumbra::cql
