#include "proxy/repeated_names.h"

#include <vector>

#include "cql/language/rewrite.h"
#include "cql/protocol/notation.h"

namespace penumbra::proxy {

RepeatedNamesPtr RepeatedNames::of(const cql::Statement& statement) {
    if (statement.marker_names.empty() || statement.marker_count > 0xFFFF) return nullptr;
    cql::NamedSlots slots(statement);
    if (slots.are_alike()) return nullptr;
    return RepeatedNamesPtr(new RepeatedNames(statement, std::move(slots)));
}

RepeatedNames::RepeatedNames(const cql::Statement& statement, cql::NamedSlots slots)
    : text_(cql::with_positional_markers(statement.text)),
      names_(statement.marker_names.begin(), statement.marker_names.end()),
      slots_(std::move(slots)) {}

bool RepeatedNames::append_values(const cql::ValuesView& values, std::size_t most, Bytes& out) const {
    if (!values.named() && values.size() != slots_.by_name()) return false;
    std::vector<cql::BoundValue> found;
    found.reserve(names_.size());
    if (values.named()) {
        for (const auto& name : names_) {
            const auto value = values.by_name(name);
            if (!value) return false;
            found.push_back(*value);
        }
    } else {
        const std::vector<cql::BoundValue> bound(values.begin(), values.end());
        for (const auto slot : slots_.slots()) found.push_back(bound[slot]);
    }
    std::size_t size = 0;
    for (const auto& one : found) size += 4 + (one.value.has_value() ? one.value.bytes().size() : 0);
    if (size > most) return false;
    Writer writer(out);
    for (const auto& one : found) cql::write_value(writer, one.value);
    return true;
}

void RepeatedNames::edit(const cql::QueryView& query, std::size_t most, cql::FrameEdit& edit) const {
    // By name both kinds of cluster find them, and each name once.
    if (query.parameters.values.named()) return;
    edit.replace_query(query, text_);
    Bytes values;
    if (append_values(query.parameters.values, most, values)) edit.replace_values(query.parameters, count(), values);
}

void RepeatedNames::edit(const cql::ExecuteView& execute, std::size_t most, cql::FrameEdit& edit) const {
    Bytes values;
    if (append_values(execute.parameters.values, most, values))
        edit.replace_values(execute.parameters, count(), values);
}

void RepeatedNames::edit(const cql::BatchChild& child, std::size_t most, cql::FrameEdit& edit) const {
    if (!child.prepared) edit.replace_query(child, text_);
    Bytes values;
    if (append_values(child.values, most, values)) edit.replace_values(child, count(), values);
}

}  // namespace penumbra::proxy
