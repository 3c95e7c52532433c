#include "sync/owed_lists.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "cql/language/parser.h"
#include "cql/language/rewrite.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"
#include "sync/owed_edit.h"

namespace penumbra::sync {

void ListTimes::add(BytesView element, std::int64_t written) {
    const auto [at, fresh] = written_.try_emplace(Bytes(element.begin(), element.end()), written);
    if (!fresh) at->second = std::max(at->second, written);
}

void ListTimes::merge(const ListTimes& other) {
    for (const auto& [element, written] : other.written_) add(element, written);
    if (other.otherwise_) otherwise(*other.otherwise_);
}

std::optional<std::int64_t> ListTimes::of(BytesView element) const {
    const auto found = written_.find(Bytes(element.begin(), element.end()));
    return found == written_.end() ? std::nullopt : std::optional(found->second);
}

namespace {

class ListEdit : public OwedEdit {
  public:
    ListEdit(const cql::FrameView& frame, const cql::Schema* schema) : OwedEdit(frame), schema_(schema) {}

    bool complete = true;
    ListTimes times;

    std::optional<std::string> apply(std::string_view text, std::string_view keyspace, const cql::ValuesView& values,
                                     const cql::ParametersView& parameters) override {
        const auto statement = cql::parse(text);
        if (!statement.complete) complete = false;
        std::vector<cql::Replacement> replacements;
        for (const auto& part : statement.parts()) {
            if (part.json) complete = false;
            auto written = timestamp_of(part.with.timestamp, values);
            if (!written) written = timestamp_of(statement.with.timestamp, values);
            if (!written) written = parameters.timestamp;
            const auto* table =
                schema_ ? schema_->table(part.table.qualified() ? part.table.keyspace : keyspace, part.table.name)
                        : nullptr;
            if (table == nullptr) {
                complete = false;
                continue;
            }
            for (const auto& assignment : part.assignments) {
                const auto* column = table->column(assignment.column);
                if (column == nullptr || column->type->kind != cql::TypeKind::list || !column->type->is_multi_cell())
                    continue;
                if (empty_one(text, assignment.value, *column->type, values, written))
                    replacements.push_back({assignment.value.range, "[]"});
            }
        }
        if (replacements.empty() || !complete) return std::nullopt;
        std::ranges::sort(replacements, {}, [](const auto& one) { return one.range.begin; });
        return cql::replace(text, replacements);
    }

  private:
    static std::optional<std::int64_t> timestamp_of(const cql::Term& term, const cql::ValuesView& values) {
        if (term.is_marker()) {
            const auto bytes = bound_value(term, values);
            const auto given = bytes ? cql::decode_bigint(*bytes) : Result<std::int64_t>(fail(Errc::malformed, ""));
            return given ? std::optional(given.value()) : std::nullopt;
        }
        if (!term.is(cql::TermKind::integer)) return std::nullopt;
        std::int64_t given = 0;
        const auto end = term.text.data() + term.text.size();
        const auto read = std::from_chars(term.text.data(), end, given);
        return read.ec == std::errc() && read.ptr == end ? std::optional(given) : std::nullopt;
    }

    /// True when the text has to change.
    bool empty_one(std::string_view text, const cql::Term& value, const cql::DataType& type,
                   const cql::ValuesView& values, std::optional<std::int64_t> written) {
        if (value.is_marker()) {
            const auto bytes = bound_value(value, values);
            if (!bytes) return false;  // null or unset adds nothing
            note(type, *bytes, written);
            static const Bytes kNoElements(4, Byte{0});
            replace_bound(*bytes, kNoElements);
            return false;
        }
        if (value.is(cql::TermKind::null)) return false;
        const auto bytes = cql::from_literal(type, value.range.in(text));
        if (!bytes) {
            complete = false;
            return false;
        }
        note(type, bytes.value(), written);
        return true;
    }

    void note(const cql::DataType& type, BytesView list, std::optional<std::int64_t> written) {
        if (!written) return;
        cql::Elements elements(type, list);
        cql::Element element;
        for (;;) {
            const auto more = elements.next(element);
            if (!more || !more.value()) return;  // what is no list the server will refuse
            if (element.value.has_value()) times.add(element.value.bytes(), *written);
        }
    }

    const cql::Schema* schema_;
};

}  // namespace

Result<ListsEmptied> without_list_elements(OwedStatement statement, const cql::Schema* schema) {
    TRY(const auto frame, cql::view_frame(statement.frame, cql::Direction::request));
    ListEdit change(frame, schema);
    TRY(edit_owed(frame, change, statement));
    return ListsEmptied{std::move(statement), change.complete, std::move(change.times)};
}

}  // namespace penumbra::sync
