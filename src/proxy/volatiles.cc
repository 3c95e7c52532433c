#include "proxy/volatiles.h"

#include <algorithm>
#include <random>

#include "cql/types/value.h"
#include "proxy/prepared.h"
#include "proxy/server_times.h"

namespace penumbra::proxy {

namespace {

using cql::Term;
using cql::TermKind;
using cql::TypeKind;
using cql::VolatileKind;

constexpr std::int64_t kMillisPerDay = 86'400'000;

TypeKind type_of(VolatileKind kind) {
    switch (kind) {
        case VolatileKind::uuid:
            return TypeKind::uuid;
        case VolatileKind::current_date:
            return TypeKind::date;
        case VolatileKind::current_time:
            return TypeKind::time;
        case VolatileKind::current_timestamp:
        case VolatileKind::now_string:
            return TypeKind::timestamp;
        default:
            return TypeKind::timeuuid;
    }
}

/// Where a term stands within another: as it is, in a collection, or as part of what is computed.
enum class Standing : std::uint8_t { absent, plain, element, computed };

Standing standing_in(const Term& term, cql::TextRange range) {
    if (term.range == range && term.elements.empty()) return Standing::plain;
    for (const auto& element : term.elements) {
        const auto within = standing_in(element, range);
        if (within == Standing::absent) continue;
        const bool collection = term.is(TermKind::list) || term.is(TermKind::set);
        const bool one_of_many = term.is(TermKind::in_values);
        if (within == Standing::computed || (!collection && !one_of_many)) return Standing::computed;
        return one_of_many ? within : Standing::element;
    }
    return Standing::absent;
}

Standing standing_in(const cql::Statement& part, cql::TextRange range) {
    const auto either = [&](const Term& value, const Term& key) {
        const auto in_value = standing_in(value, range);
        // A key is of the collection's inner type.
        return in_value != Standing::absent                  ? in_value
               : standing_in(key, range) != Standing::absent ? Standing::computed
                                                             : Standing::absent;
    };
    for (const auto& assignment : part.assignments) {
        const auto found = either(assignment.value, assignment.key);
        if (found == Standing::absent) continue;
        const bool whole = assignment.kind == cql::AssignmentKind::set;
        return whole || found == Standing::element ? found : Standing::computed;
    }
    for (const auto& restriction : part.where) {
        const auto found = either(restriction.value, restriction.key);
        if (found == Standing::absent) continue;
        return restriction.subject == cql::Restriction::Subject::column ? found : Standing::computed;
    }
    return Standing::absent;
}

enum class Verdict : std::uint8_t { harmless, valuable, opaque };

Verdict judge_now_string(const cql::Statement& part, const cql::Volatile& call, const cql::Table* table) {
    const auto* column = table ? table->column(part.column_at(call.range)) : nullptr;
    if (!column) return Verdict::opaque;
    const auto standing = standing_in(part, call.range);
    if (standing != Standing::plain && standing != Standing::element) return Verdict::opaque;
    const auto& type = *column->type;
    if (!mentions_timestamp(type)) return Verdict::harmless;
    if (standing == Standing::plain) return type.kind == TypeKind::timestamp ? Verdict::valuable : Verdict::opaque;
    const bool of_timestamps = (type.kind == TypeKind::list || type.kind == TypeKind::set) &&
                               type.elements.size() == 1 && type.elements[0]->kind == TypeKind::timestamp;
    return of_timestamps ? Verdict::valuable : Verdict::opaque;
}

Verdict judge(const cql::Statement& part, const cql::Volatile& call, const cql::Table* table) {
    switch (call.kind) {
        case VolatileKind::now_string:
            return judge_now_string(part, call, table);
        case VolatileKind::now_in_json:
            // What stands in no timestamp is only a string.
            if (table && part.json.range == call.range && !json_depends_on_server(part.json.text, table))
                return Verdict::harmless;
            return Verdict::opaque;
        case VolatileKind::user_function:
            return Verdict::opaque;
        default:
            break;
    }
    // What the servers refuse they are to refuse in their own words, of the application's own text.
    const auto* column = table ? table->column(part.column_at(call.range)) : nullptr;
    if (!column) return Verdict::opaque;
    if (standing_in(part, call.range) != Standing::plain) return Verdict::valuable;
    const auto gives = type_of(call.kind);
    const bool fits =
        column->type->kind == gives || (gives == TypeKind::timeuuid && column->type->kind == TypeKind::uuid);
    return fits ? Verdict::valuable : Verdict::opaque;
}

}  // namespace

// ---- values

Bytes VolatileValues::next(VolatileKind kind) {
    const auto millis = micros_ / 1000;
    Bytes out;
    Writer writer(out);
    switch (type_of(kind)) {
        case TypeKind::uuid: {
            // From the kernel: these become keys, and two proxies must not draw the same.
            thread_local std::random_device random;
            const auto draw = [&] { return (std::uint64_t{random()} << 32) | random(); };
            const auto high = draw();
            writer.raw(cql::Uuid::random(high, draw()).view());
            break;
        }
        case TypeKind::date:
            writer.u32(static_cast<std::uint32_t>(millis / kMillisPerDay) + (std::uint32_t{1} << 31));
            break;
        case TypeKind::time:
            writer.i64(millis % kMillisPerDay * 1'000'000);
            break;
        case TypeKind::timestamp:
            writer.i64(millis);
            break;
        default:
            // Ten to the microsecond, which is ours alone; what is more than that differs by the node.
            writer.raw(
                cql::Uuid::timed(micros_ * 10 + given_ % 10, node_ + static_cast<std::uint64_t>(given_ / 10)).view());
            ++given_;
            break;
    }
    return out;
}

std::string VolatileValues::next_literal(VolatileKind kind) {
    // They are values of their types: we made them.
    return cql::to_literal(*cql::scalar(type_of(kind)), BytesView(next(kind))).value();
}

// ---- texts

Volatiles::Worth Volatiles::worth_of(const cql::Statement& part, const cql::Table* table) {
    auto worth = Worth::none;
    for (const auto& call : part.volatiles) {
        const auto one = judge(part, call, table);
        if (one == Verdict::opaque) return Worth::opaque;
        if (one == Verdict::valuable) worth = Worth::valuable;
    }
    return worth;
}

bool Volatiles::collect(const cql::Statement& whole, const cql::Statement& part, const cql::Table* table,
                        std::vector<Found>& found) {
    // Of a condition the answer is read back, and the rows with it; what we do not understand we leave alone.
    if (!part.complete || part.condition != cql::Condition::none) return part.volatiles.empty();
    for (const auto& call : part.volatiles) {
        const auto one = judge(part, call, table);
        if (one == Verdict::opaque) return false;
        if (one == Verdict::harmless) continue;
        const auto at = std::ranges::find(whole.volatiles, call.range, &cql::Volatile::range);
        if (at == whole.volatiles.end()) return false;
        found.push_back(
            {static_cast<std::size_t>(at - whole.volatiles.begin()), standing_in(part, call.range) != Standing::plain});
    }
    return true;
}

std::shared_ptr<const Volatiles> Volatiles::make(const cql::Statement& statement, std::vector<Found> found) {
    if (found.empty() || statement.conditional()) return nullptr;
    std::ranges::sort(found, {}, &Found::index);
    std::vector<std::size_t> indexes;
    for (const auto& one : found) indexes.push_back(one.index);
    auto made = std::make_shared<Volatiles>();
    made->markers_ = statement.marker_count;
    auto marked = cql::with_markers(statement, indexes);
    std::vector<std::string> markers;
    std::vector<cql::Replacement> replacements;
    markers.reserve(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto& call = statement.volatiles[found[i].index];
        auto& name = marked.added[i].name;
        const auto type = cql::cql_type(call.kind);
        std::string cast;
        if (found[i].is_computed_with && !type.empty()) cast = "(" + std::string(type) + ")";
        markers.push_back(cast + (name.empty() ? "?" : ":" + name));
        replacements.push_back({call.range, markers.back()});
        made->calls_.push_back({call.kind, call.range, call.markers_before, std::move(name), std::move(cast)});
    }
    made->with_markers_ = cql::replace(statement.text, replacements);
    return made;
}

std::string Volatiles::with_literals(std::string_view text, VolatileValues& values) const {
    std::vector<std::string> literals;
    std::vector<cql::Replacement> replacements;
    literals.reserve(calls_.size());
    for (const auto& call : calls_) {
        literals.push_back(call.cast + values.next_literal(call.kind));
        replacements.push_back({call.range, literals.back()});
    }
    return cql::replace(text, replacements);
}

bool Volatiles::can_add_to(const cql::ValuesView& values) const {
    // Their number is a [short].
    if (values.size() != markers_ || values.size() + calls_.size() > 0xFFFF) return false;
    return !values.named() || std::ranges::none_of(calls_, [](const auto& call) { return call.marker_name.empty(); });
}

const std::shared_ptr<const PreparedText>& Volatiles::prepared(const PreparedText& original) const {
    if (!prepared_) prepared_ = std::make_shared<const PreparedText>(with_markers_, original.keyspace, original.told);
    return prepared_;
}

std::vector<cql::ExtraValue> Volatiles::extra_values(VolatileValues& values, std::vector<Bytes>& bytes) const {
    std::vector<cql::ExtraValue> extra;
    const auto first = bytes.size();
    for (const auto& call : calls_) bytes.push_back(values.next(call.kind));
    for (std::size_t i = 0; i < calls_.size(); ++i)
        extra.push_back({calls_[i].markers_before, BytesView(bytes[first + i]), calls_[i].marker_name});
    return extra;
}

}  // namespace penumbra::proxy
