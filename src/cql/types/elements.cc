#include "cql/types/elements.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

/// Elements of a collection value: a map counts twice what it says.
Result<std::size_t> read_count(const DataType& type, Reader& in) {
    TRY(const auto count, in.i32());
    // Each element takes four bytes at least, so that a count cannot promise more than is there.
    const std::size_t per_item = type.kind == TypeKind::map ? 2 : 1;
    if (count < 0 || static_cast<std::size_t>(count) > in.left() / (4 * per_item)) {
        return fail(Errc::malformed, "a " + std::string(to_string(type.kind)) + " of " + std::to_string(count) +
                                         " elements in " + std::to_string(in.left()) + " bytes");
    }
    return static_cast<std::size_t>(count) * per_item;
}

}  // namespace

Elements::Elements(const DataType& type, BytesView value) : type_(&type), in_(value) {
    ASSERT(type.has_elements());
}

Result<bool> Elements::next(Element& out) {
    if (!started_) {
        started_ = true;
        if (type_->is_collection()) {
            TRY(count_, read_count(*type_, in_));
        } else {
            count_ = type_->kind == TypeKind::vector ? type_->dimension : type_->elements.size();
        }
    }
    const bool may_be_short = type_->kind == TypeKind::tuple || type_->kind == TypeKind::udt;
    if (index_ == count_ || (may_be_short && in_.done())) {
        if (!in_.done()) {
            return fail(Errc::malformed, std::to_string(in_.left()) + " bytes left over after the elements of a " +
                                             std::string(to_string(type_->kind)));
        }
        return false;
    }
    out.index = index_;
    out.type = type_->elements[may_be_short ? index_ : type_->kind == TypeKind::map ? index_ % 2 : 0].get();
    ++index_;
    if (type_->kind == TypeKind::vector) {
        std::uint64_t size = fixed_size(*out.type);
        if (size == 0) {
            TRY(size, read_unsigned_vint(in_));
        }
        if (size > in_.left()) return fail(Errc::malformed, "a vector's element goes past its end");
        TRY(const auto bytes, in_.take(static_cast<std::size_t>(size)));
        out.value = bytes;
        return true;
    }
    TRY(const auto size, in_.i32());
    if (size < 0) {
        out.value = CellView::null();
        return true;
    }
    TRY(const auto bytes, in_.take(static_cast<std::size_t>(size)));
    out.value = bytes;
    return true;
}

Result<std::size_t> element_count(const DataType& type, BytesView value) {
    ASSERT(type.is_collection());
    Reader in(value);
    TRY(const auto count, read_count(type, in));
    return type.kind == TypeKind::map ? count / 2 : count;
}

Result<CellView> field_at(const DataType& type, BytesView value, std::size_t n) {
    Elements elements(type, value);
    for (Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) return CellView::null();
        if (element.index == n) return element.value;
    }
}

Result<CellView> map_entry(const DataType& type, BytesView value, BytesView key) {
    Elements elements(type, value);
    bool found = false;
    for (Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) return CellView::null();
        if (element.index % 2 == 1) {
            if (found) return element.value;
        } else {
            found = element.value.has_value() && equal_values(*element.type, element.value, key);
        }
    }
}

ElementsBuilder::ElementsBuilder(const DataType& type) : type_(&type) {
    ASSERT(type.has_elements());
}

void ElementsBuilder::add(CellView element) {
    if (element.has_value()) {
        elements_.emplace_back(Bytes(element.bytes().begin(), element.bytes().end()));
    } else {
        elements_.emplace_back();
    }
}

Bytes ElementsBuilder::finish() && {
    Bytes bytes;
    Writer out(bytes);
    const bool map = type_->kind == TypeKind::map;
    ASSERT(!map || elements_.size() % 2 == 0);
    if (type_->is_collection()) out.i32(static_cast<std::int32_t>(elements_.size() / (map ? 2 : 1)));
    const bool vector = type_->kind == TypeKind::vector;
    const std::size_t fixed = vector ? fixed_size(*type_->elements[0]) : 0;
    ASSERT(!vector || elements_.size() == type_->dimension);
    for (const auto& element : elements_) {
        if (vector) {
            ASSERT(element && (fixed == 0 || element->size() == fixed));
            if (fixed == 0) write_unsigned_vint(out, element->size());
        } else {
            out.i32(element ? static_cast<std::int32_t>(element->size()) : -1);
        }
        if (element) out.raw(BytesView(*element));
    }
    return bytes;
}

Bytes ElementsBuilder::finish_sorted() && {
    if (type_->kind != TypeKind::set && type_->kind != TypeKind::map) return std::move(*this).finish();
    const std::size_t step = type_->kind == TypeKind::map ? 2 : 1;
    ASSERT(elements_.size() % step == 0);
    struct Item {
        Cell key;
        Cell value;
    };
    std::vector<Item> items;
    for (std::size_t i = 0; i < elements_.size(); i += step) {
        items.push_back({std::move(elements_[i]), step == 2 ? std::move(elements_[i + 1]) : Cell()});
    }
    const auto& key_type = *type_->elements[0];
    const auto order = [&](const Item& a, const Item& b) {
        if (!a.key || !b.key) return !a.key && b.key.has_value();
        return compare_values(key_type, *a.key, *b.key) < 0;
    };
    std::ranges::stable_sort(items, order);
    elements_.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i + 1 < items.size() && !order(items[i], items[i + 1])) continue;  // equal: the later one wins
        elements_.push_back(std::move(items[i].key));
        if (step == 2) elements_.push_back(std::move(items[i].value));
    }
    return std::move(*this).finish();
}

// As Cassandra's AbstractType.valueLengthIfFixed() has it, also where one would expect otherwise: date, time, smallint
// and tinyint count as variable.
std::size_t fixed_size(const DataType& type) {
    switch (type.kind) {
        case TypeKind::boolean: return 1;
        case TypeKind::float_:
        case TypeKind::int_: return 4;
        case TypeKind::bigint:
        case TypeKind::double_:
        case TypeKind::timestamp: return 8;
        case TypeKind::uuid:
        case TypeKind::timeuuid: return 16;
        case TypeKind::vector: {
            std::size_t size = 0;
            // A type from a peer may claim vectors of vectors larger than any memory: no value will fit.
            if (__builtin_mul_overflow(fixed_size(*type.elements[0]), std::size_t{type.dimension}, &size))
                return SIZE_MAX;
            return size;
        }
        default: return 0;
    }
}

}  // namespace penumbra::cql
