#pragma once

#include <cstddef>
#include <vector>

#include "cql/types/cell.h"
#include "cql/types/type.h"

namespace penumbra::cql {

/// One element of a composite value.
struct Element {
    const DataType* type = nullptr;
    CellView value;
    std::size_t index = 0;  ///< maps: 2n is a key, 2n + 1 its value
};

/// Walks the elements of a list, set, map, tuple, UDT or vector without copying them. Layout: native_protocol_v3.spec 6
/// (int32 counts and lengths); vectors as the servers really send them (CQL-FACTS 1.6: elements of a fixed size are
/// concatenated, others are prefixed by an unsigned vint).
/// Does not own the value and keeps a reference to the type. Bytes left over after the last element are an error.
class Elements {
  public:
    Elements(const DataType& type, BytesView value);

    /// False at the end. A tuple or UDT may be short: the elements it lacks are null, and are not walked.
    Result<bool> next(Element& out);

  private:
    const DataType* type_;
    Reader in_;
    std::size_t index_ = 0;
    std::size_t count_ = 0;  ///< elements to come at most; known after the first step for collections
    bool started_ = false;
};

/// Number of elements (of a map: pairs) of a collection value.
Result<std::size_t> element_count(const DataType& type, BytesView value);
/// The nth element of a tuple or UDT value; null when the value is too short to hold it.
Result<CellView> field_at(const DataType& type, BytesView value, std::size_t n);
/// The value under `key` in a map value, found by comparing as servers do; null when it is not there.
Result<CellView> map_entry(const DataType& type, BytesView value, BytesView key);

/// Puts elements together to a composite value.
class ElementsBuilder {
  public:
    /// Keeps a reference to the type.
    explicit ElementsBuilder(const DataType& type);

    /// For maps alternately a key and its value.
    void add(CellView element);
    /// The value in the order added.
    Bytes finish() &&;
    /// The value as a server stores it: sets and maps sorted by element, of equal keys the last one kept.
    Bytes finish_sorted() &&;

  private:
    const DataType* type_;
    std::vector<Cell> elements_;
};

/// Size in bytes of every value of the type, or 0 when it varies: decides how a vector holds its elements.
std::size_t fixed_size(const DataType& type);

}  // namespace penumbra::cql
