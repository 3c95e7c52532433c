// Any bytes as a CQL text: parsing and every function stay within the text, agree with the lexer, and rewritten texts
// parse to the same.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "cql/language/lexer.h"
#include "cql/language/parser.h"
#include "cql/language/rewrite.h"

namespace {

using namespace penumbra::cql;

void check(const Term& term, std::string_view text) {
    ASSERT(term.range.begin <= term.range.end && term.range.end <= text.size());
    // What TermKind promises about elements holds also in statements that break off.
    const auto n = term.elements.size();
    switch (term.kind) {
        case TermKind::map:
        case TermKind::udt:
            ASSERT(n % 2 == 0);
            break;
        case TermKind::cast:
            ASSERT(n == 1);
            break;
        case TermKind::field:
            ASSERT(n == 1);
            break;
        case TermKind::element:
            ASSERT(n == 2);
            break;
        case TermKind::slice:
            ASSERT(n == 3);
            break;
        case TermKind::arithmetic:
            ASSERT(n == 1 || n == 2);
            break;
        default:
            break;
    }
    for (const auto& element : term.elements) check(element, text);
}

void check(const Statement& s, std::uint32_t markers) {
    ASSERT(s.range.begin <= s.range.end && s.range.end <= s.text.size());
    ASSERT(s.table.range.end <= s.text.size());
    ASSERT(s.first_marker + s.marker_count <= markers);
    ASSERT(s.marker_names.empty() || s.marker_names.size() == s.marker_count);
    for (const auto& a : s.assignments) {
        check(a.key, s.text);
        check(a.value, s.text);
        s.value_of(a.column);
        ASSERT(s.assigns(a.column));
    }
    for (const auto& r : s.where) {
        check(r.key, s.text);
        check(r.value, s.text);
        s.value_of(r.column);
        s.restriction_on(r.column);
    }
    for (const auto& r : s.conditions) check(r.value, s.text);
    for (const auto& x : s.selectors) check(x.expression, s.text);
    std::uint32_t last = 0;
    for (const auto& v : s.volatiles) {
        ASSERT(last <= v.range.begin && v.range.begin < v.range.end && v.range.end <= s.text.size());
        ASSERT(v.markers_before <= markers);
        last = v.range.begin;
        s.column_at(v.range);
    }
    s.access();
    s.conditional();
    for (const auto& child : s.children) check(child, markers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Exactly sized on the heap, so that the sanitizer sees a read of one byte past the end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size) std::memcpy(copy.get(), data, size);
    const std::string_view text(copy.get(), size);

    const auto s = parse(text);
    std::uint32_t markers = 0;
    Lexer lexer(text);
    for (auto token = lexer.next(); token.kind != TokenKind::end; token = lexer.next())
        markers += token.kind == TokenKind::marker;
    ASSERT(s.marker_count == markers);
    check(s, markers);

    const auto qualified = qualify(s, "Ks");
    const auto again = parse(qualified);
    ASSERT(again.kind == s.kind && again.complete == s.complete && again.marker_count == s.marker_count);
    ASSERT(again.table.name == s.table.name && again.conditional() == s.conditional());
    // A table called now before () is no statement, but looks like a call until it is qualified.
    if (s.complete) ASSERT(again.volatiles.size() == s.volatiles.size());
    if (fully_qualified(s)) ASSERT(qualified == text);

    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < s.volatiles.size(); ++i) {
        if (s.volatiles[i].kind != VolatileKind::user_function) chosen.push_back(i);
    }
    if (!chosen.empty()) {
        const auto result = with_markers(s, chosen);
        const auto marked = parse(result.text);
        ASSERT(marked.kind == s.kind);
        if (s.complete) ASSERT(marked.complete && marked.marker_count == markers + chosen.size());
    }
    shape(text, 200);
    json_has_now(text);
    return 0;
}
