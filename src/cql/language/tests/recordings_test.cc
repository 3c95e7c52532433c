// What real servers were sent and how they answered (data/extract.py): the parser has to agree.

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "cql/language/rewrite.h"
#include "show.h"

namespace penumbra::cql {

namespace {

std::vector<std::vector<std::string>> rows(const std::string& file) {
    const char* root = std::getenv("PENUMBRA_SOURCE_DIR");
    std::ifstream in(std::string(root ? root : ".") + "/src/cql/language/tests/data/" + file);
    std::vector<std::vector<std::string>> out;
    for (std::string line; std::getline(in, line);) {
        auto& row = out.emplace_back(1);
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (line[i] == '\t') {
                row.emplace_back();
            } else if (line[i] == '\\' && i + 1 < line.size()) {
                const char c = line[++i];
                row.back() += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
            } else {
                row.back() += line[i];
            }
        }
    }
    return out;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> out(1);
    for (const char c : text) {
        if (c == separator) {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    if (text.empty()) out.clear();
    return out;
}

TEST(Recordings, every_text_is_classified) {
    const auto all = rows("statements.tsv");
    ASSERT_GT(all.size(), 1700);
    for (const auto& row : all) {
        ASSERT_EQ(row.size(), 7);
        const auto& text = row[6];
        const auto s = parse(text);
        SCOPED_TRACE(text + "\n  " + show(s));
        EXPECT_EQ(to_string(s.kind), row[1]);
        // Servers take the wrong number of values for a matter of meaning.
        const bool uneven = text == "INSERT INTO t (k) VALUES (1, 2)";
        EXPECT_TRUE(s.complete || row[0] != "ok" || uneven);
        if (row[0] == "syntax" && s.kind == StatementKind::unknown) continue;
        EXPECT_EQ(s.table.keyspace, row[2]);
        EXPECT_EQ(s.table.name, row[3]);
        EXPECT_EQ(s.conditional() ? "yes" : "no", row[4]);
        EXPECT_EQ(std::to_string(s.marker_count), row[5]);
    }
}

/// Every marker that the statement gives a place, with the name that Cassandra gives markers in such places.
void name_markers(const Statement& s, std::map<std::uint32_t, std::string>& names) {
    const auto put = [&](const Term& t, std::string name) {
        if (t.is_marker()) names[t.marker] = std::move(name);
    };
    for (const auto& child : s.children) name_markers(child, names);
    for (const auto& a : s.assignments) {
        const std::string column(a.column);
        if (a.kind == AssignmentKind::put_field) {
            put(a.value, column + "." + std::string(a.field));
        } else if (a.kind != AssignmentKind::put_element) {  // key(m) and value(m), but idx(l): only a schema tells
            put(a.value, column);
        }
    }
    for (const auto* relations : {&s.where, &s.conditions}) {
        for (const auto& r : *relations) {
            if (r.subject == Restriction::Subject::column && r.op == Operator::in) {
                put(r.value, "in(" + std::string(r.column) + ")");
                for (const auto& e : r.value.elements) put(e, std::string(r.column));
            } else if (r.subject == Restriction::Subject::column && r.op <= Operator::ge) {
                put(r.value, std::string(r.column));
            } else if (r.subject == Restriction::Subject::tuple && r.value.is(TermKind::tuple)) {
                for (std::size_t i = 0; i < r.columns.size() && i < r.value.elements.size(); ++i)
                    put(r.value.elements[i], std::string(r.columns[i]));
            } else if (r.subject == Restriction::Subject::token) {
                put(r.value, "partition key token");
            }
        }
    }
    put(s.json, "[json]");
    put(s.with.timestamp, "[timestamp]");
    put(s.with.ttl, "[ttl]");
    put(s.with.timeout, "[timeout]");
    put(s.limit, "[limit]");
    put(s.per_partition_limit, "[per_partition_limit]");
    for (std::size_t i = 0; i < s.marker_names.size(); ++i) {
        if (!s.marker_names[i].empty())
            names[s.first_marker + static_cast<std::uint32_t>(i)] = std::string(s.marker_names[i]);
    }
}

TEST(Recordings, markers_are_what_the_servers_say) {
    const auto all = rows("prepared.tsv");
    ASSERT_GT(all.size(), 500);
    std::size_t named = 0, keys = 0;
    for (const auto& row : all) {
        ASSERT_EQ(row.size(), 5);
        const auto& text = row[4];
        const auto s = parse(text);
        SCOPED_TRACE(row[0] + ": " + text + "\n  " + show(s) + "\n  " + row[3]);
        const bool scylla = row[0].starts_with("scylla");
        const std::set<std::string_view> distinct(s.marker_names.begin(), s.marker_names.end());
        EXPECT_EQ(std::to_string(scylla && !s.marker_names.empty() ? distinct.size() : s.marker_count), row[1]);
        if (scylla && !s.marker_names.empty()) continue;  // equal names share a slot there
        auto names = split(row[3], '|');
        if (row[1] == "1" && names.empty()) names.emplace_back();
        std::map<std::uint32_t, std::string> ours;
        name_markers(s, ours);
        for (const auto& [ordinal, name] : ours) {
            ASSERT_LT(ordinal, names.size());
            // ScyllaDB 5.2 has names of its own for some places: CQL-level names of columns are the same.
            if (scylla && (name[0] == '[' || (name + names[ordinal]).find_first_of(".(") != std::string::npos))
                continue;
            EXPECT_EQ(names[ordinal], name);
            ++named;
        }
        if (row[2] == "-" || row[2].empty()) continue;
        // The partition key: of a batch, of its last statement, as Cassandra has it.
        const auto& part = s.parts().back();
        for (const auto& index : split(row[2], ',')) {
            const auto ordinal = static_cast<std::uint32_t>(std::stoul(index));
            bool found = false;
            for (const auto& [column, where] : {std::pair(names[ordinal], 0)}) {
                const auto* term = part.value_of(column);
                if (!s.marker_names.empty()) {
                    found = true;  // the server's name is the marker's, not the column's
                } else {
                    found = term && term->is_marker() && term->marker == ordinal;
                    // k IN (?, ?): Cassandra says the last one
                    const auto* r = part.restriction_on(column);
                    if (!found && r && r->op == Operator::in)
                        found = !r->value.elements.empty() && r->value.elements.back().marker == ordinal;
                }
            }
            EXPECT_TRUE(found) << "pk index " << index;
            ++keys;
        }
    }
    EXPECT_GT(named, 900);
    EXPECT_GT(keys, 200);
}

/// The same statement but for the places of things.
std::string meaning(const Statement& s) {
    return show(s);
}

TEST(Recordings, a_qualified_text_says_the_same) {
    for (const auto& row : rows("statements.tsv")) {
        const auto s = parse(row[6]);
        if (!s.is_dml() && s.kind != StatementKind::select) continue;
        const auto text = qualify(s, "Some Keyspace");
        const auto again = parse(text);
        EXPECT_EQ(again.marker_count, s.marker_count) << text;
        EXPECT_EQ(again.volatiles.size(), s.volatiles.size()) << text;
        EXPECT_EQ(fully_qualified(again), s.kind == StatementKind::batch ? s.complete : s.table || s.complete) << text;
        auto expected = meaning(s);
        auto got = meaning(again);
        for (std::size_t at; (at = got.find("Some Keyspace.")) != std::string::npos;)
            got.erase(at, std::string("Some Keyspace.").size());
        EXPECT_EQ(got, expected) << text;
    }
}

TEST(Recordings, a_text_with_markers_for_volatiles_says_the_same) {
    std::size_t rewritten = 0;
    for (const auto& row : rows("statements.tsv")) {
        const auto s = parse(row[6]);
        std::vector<std::size_t> chosen;
        for (std::size_t i = 0; i < s.volatiles.size(); ++i) {
            if (s.volatiles[i].kind != VolatileKind::user_function) chosen.push_back(i);
        }
        if (chosen.empty()) continue;
        const auto result = with_markers(s, chosen);
        const auto again = parse(result.text);
        SCOPED_TRACE(result.text);
        EXPECT_EQ(again.kind, s.kind);
        EXPECT_EQ(again.complete, s.complete);
        EXPECT_EQ(again.table.name, s.table.name);
        EXPECT_EQ(again.marker_count, s.marker_count + chosen.size());
        EXPECT_EQ(again.assignments.size(), s.assignments.size());
        EXPECT_EQ(again.where.size(), s.where.size());
        for (const auto& v : again.volatiles) EXPECT_EQ(v.kind, VolatileKind::user_function);
        ++rewritten;
    }
    EXPECT_GT(rewritten, 30);
}

TEST(Recordings, every_truncation_parses) {
    std::size_t parsed = 0;
    for (const auto& row : rows("statements.tsv")) {
        const std::string_view text = row[6];
        for (std::size_t n = 0; n <= text.size(); ++n) {
            // Exactly sized on the heap, so that a read past the end is seen by the sanitizers.
            const std::string cut(text.substr(0, n));
            const auto s = parse(cut);
            ASSERT_LE(s.range.end, cut.size());
            ++parsed;
        }
    }
    EXPECT_GT(parsed, 50'000);
}

}  // namespace

}  // namespace penumbra::cql
