#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "cql/protocol/version.h"
#include "cql/types/cell.h"
#include "cql/types/uuid.h"

/// The notations of native_protocol_v5.spec 3. What read_* returns are views of the frame; lists are checked whole when
/// they are read, so that walking them cannot fail.
namespace penumbra::cql {

Result<std::string_view> read_string(Reader& in);
Result<std::string_view> read_long_string(Reader& in);
/// [bytes]: any negative length is null.
Result<CellView> read_bytes(Reader& in);
/// [value]: -1 null, -2 unset (v3 knows no unset and takes it for null), anything below is malformed.
Result<CellView> read_value(Reader& in, ProtocolVersion version);
Result<BytesView> read_short_bytes(Reader& in);
Result<Uuid> read_uuid(Reader& in);
Result<Consistency> read_consistency(Reader& in);
/// [inetaddr]: a length byte of 4 or 16, then the address.
Result<InetAddress> read_inet_address(Reader& in);
struct Endpoint {
    InetAddress address;
    std::int32_t port = 0;
    bool operator==(const Endpoint&) const = default;
};
/// [inet]
Result<Endpoint> read_inet(Reader& in);

/// A run of items that were checked when they were read. Item knows how to take one off the front of checked bytes.
template <class Item>
class Packed {
  public:
    using value_type = typename Item::type;
    class iterator {
      public:
        using value_type = typename Item::type;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        explicit iterator(const Byte* at) : at_(at) {}
        value_type operator*() const {
            const Byte* at = at_;
            return Item::take(at);
        }
        iterator& operator++() {
            Item::take(at_);
            return *this;
        }
        iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        bool operator==(const iterator&) const = default;

      private:
        const Byte* at_ = nullptr;
    };

    Packed() = default;
    Packed(std::size_t count, BytesView checked) : count_(count), bytes_(checked) {}

    std::size_t size() const { return count_; }
    bool empty() const { return count_ == 0; }
    iterator begin() const { return iterator(bytes_.data()); }
    iterator end() const { return iterator(bytes_.data() + bytes_.size()); }
    /// The items as they were sent, without their count.
    BytesView bytes() const { return bytes_; }
    std::vector<value_type> to_vector() const { return {begin(), end()}; }

  private:
    std::size_t count_ = 0;
    BytesView bytes_;
};

namespace packed {
/// Unchecked: only for bytes that read_* has been through.
std::string_view take_string(const Byte*& at);
CellView take_bytes(const Byte*& at);
struct String {
    using type = std::string_view;
    static type take(const Byte*& at) { return take_string(at); }
};
struct StringPair {
    using type = std::pair<std::string_view, std::string_view>;
    static type take(const Byte*& at) {
        const auto key = take_string(at);
        return {key, take_string(at)};
    }
};
struct StringAndList {
    using type = std::pair<std::string_view, Packed<String>>;
    static type take(const Byte*& at);
};
struct StringAndBytes {
    using type = std::pair<std::string_view, CellView>;
    static type take(const Byte*& at) {
        const auto key = take_string(at);
        return {key, take_bytes(at)};
    }
};
}  // namespace packed

using StringListView = Packed<packed::String>;
using StringMapView = Packed<packed::StringPair>;
using StringMultimapView = Packed<packed::StringAndList>;
using BytesMapView = Packed<packed::StringAndBytes>;

Result<StringListView> read_string_list(Reader& in);
Result<StringMapView> read_string_map(Reader& in);
Result<StringMultimapView> read_string_multimap(Reader& in);
Result<BytesMapView> read_bytes_map(Reader& in);

/// Strings and short bytes must fit their 16-bit length; that is the caller's to see to.
void write_string(Writer& out, std::string_view text);
/// For text that may be anything, such as error messages: cut to 65535 bytes, between characters.
void write_clipped_string(Writer& out, std::string_view text);
void write_long_string(Writer& out, std::string_view text);
/// [bytes] and [value]: null is -1, unset is -2.
void write_value(Writer& out, CellView value);
void write_short_bytes(Writer& out, BytesView bytes);
void write_uuid(Writer& out, const Uuid& uuid);
void write_consistency(Writer& out, Consistency consistency);
void write_inet_address(Writer& out, const InetAddress& address);
void write_inet(Writer& out, const Endpoint& endpoint);

using StringPairs = std::vector<std::pair<std::string_view, std::string_view>>;
using StringLists = std::vector<std::pair<std::string_view, std::vector<std::string_view>>>;
using BytesPairs = std::vector<std::pair<std::string_view, CellView>>;
void write_string_list(Writer& out, std::span<const std::string_view> strings);
void write_string_map(Writer& out, const StringPairs& pairs);
void write_string_multimap(Writer& out, const StringLists& lists);
void write_bytes_map(Writer& out, const BytesPairs& pairs);

}  // namespace penumbra::cql
