#include "cql/ddl/translate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cql/ddl/table_options.h"
#include "cql/language/lexer.h"
#include "cql/language/parser.h"
#include "cql/language/rewrite.h"

namespace penumbra::cql::ddl {

namespace {

using Verb = SchemaStatement::Verb;
using Object = SchemaStatement::Object;

bool opens(const Token& t) {
    return t.kind == TokenKind::open_paren || t.kind == TokenKind::open_bracket || t.kind == TokenKind::open_brace ||
           t.kind == TokenKind::lt;
}
bool closes(const Token& t) {
    return t.kind == TokenKind::close_paren || t.kind == TokenKind::close_bracket || t.kind == TokenKind::close_brace ||
           t.kind == TokenKind::gt;
}

/// One statement as tokens, with what is to be replaced. A member function that does not find what it expects leaves
/// the statement as it is: the server says what is wrong with it.
class Work {
  public:
    Work(const Statement& statement, const Dialect& to, const Options& options)
        : s_(statement), text_(statement.text), to_(to), options_(options) {
        Lexer lexer(text_);
        for (auto token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
            if (token.kind == TokenKind::bad || token.kind == TokenKind::semicolon) break;
            tokens_.push_back(token);
        }
    }

    Translation run();

  private:
    bool is(std::size_t i, std::string_view word) const {
        return i < tokens_.size() && is_word(text_, tokens_[i], word);
    }
    bool is(std::size_t i, TokenKind kind) const { return i < tokens_.size() && tokens_[i].kind == kind; }
    /// May begin a column's definition. IF is reserved.
    bool is_name(std::size_t i) const { return is(i, TokenKind::quoted) || (is(i, TokenKind::word) && !is(i, "if")); }
    std::size_t size() const { return tokens_.size(); }
    std::uint32_t begin(std::size_t i) const {
        return i < size() ? tokens_[i].range.begin : static_cast<std::uint32_t>(text_.size());
    }
    std::uint32_t end(std::size_t i) const { return tokens_[i].range.end; }
    std::string_view text(std::size_t first, std::size_t last) const {  // tokens [first, last)
        return first < last ? text_.substr(begin(first), end(last - 1) - begin(first)) : std::string_view();
    }
    std::string decoded(std::size_t i) const {
        Decoder decoder(text_);
        return std::string(decoder.decode(tokens_[i]));
    }
    /// The first token at or behind this place of the text.
    std::size_t at(std::uint32_t place) const {
        std::size_t i = 0;
        while (i < size() && begin(i) < place) ++i;
        return i;
    }
    /// Every parenthesis, bracket and brace is closed by its like. (Not < and >, which compare as well.)
    bool is_balanced() const {
        std::vector<TokenKind> open;
        for (const auto& t : tokens_) {
            if (!closes(t) || t.kind == TokenKind::gt) {
                if (opens(t) && t.kind != TokenKind::lt) open.push_back(t.kind);
                continue;
            }
            const auto opener = t.kind == TokenKind::close_paren     ? TokenKind::open_paren
                                : t.kind == TokenKind::close_bracket ? TokenKind::open_bracket
                                                                     : TokenKind::open_brace;
            if (open.empty() || open.back() != opener) return false;
            open.pop_back();
        }
        return open.empty();
    }
    std::size_t find(std::size_t from, std::string_view word) const {
        for (std::size_t depth = 0; from < size(); ++from) {
            if (opens(tokens_[from])) ++depth;
            if (closes(tokens_[from]) && depth > 0) --depth;
            if (depth == 0 && is(from, word)) break;
        }
        return from;
    }
    /// Behind the bracket that closes the one at `open`; more than size() if nothing closes it.
    std::size_t past_group(std::size_t open) const {
        std::size_t depth = 0;
        for (auto i = open; i < size(); ++i) {
            if (opens(tokens_[i])) ++depth;
            if (closes(tokens_[i]) && --depth == 0) return i + 1;
        }
        return size() + 1;
    }
    /// Past MASKED WITH DEFAULT or MASKED WITH [keyspace.]function(..), or `at` where there is no mask.
    std::size_t past_mask(std::size_t at) const {
        if (!is(at, "masked") || !is(at + 1, "with")) return at;
        if (is(at + 2, "default")) return at + 3;
        const auto open = is(at + 3, TokenKind::dot) ? at + 5 : at + 3;
        return is(open, TokenKind::open_paren) ? past_group(open) : at;
    }
    /// Ends of the parts that commas make of [first, last).
    std::vector<std::pair<std::size_t, std::size_t>> parts(std::size_t first, std::size_t last) const {
        std::vector<std::pair<std::size_t, std::size_t>> out;
        std::size_t depth = 0, from = first;
        for (std::size_t i = first; i < last; ++i) {
            if (opens(tokens_[i])) ++depth;
            if (closes(tokens_[i]) && depth > 0) --depth;
            if (depth == 0 && is(i, TokenKind::comma)) {
                out.emplace_back(from, i);
                from = i + 1;
            }
        }
        if (from < last) out.emplace_back(from, last);
        return out;
    }

    void replace_tokens(std::size_t first, std::size_t last, std::string with) {
        if (first >= last) return;
        put({begin(first), end(last - 1)}, std::move(with));
    }
    /// What goes takes a blank on one of its sides with it, if nothing else took it.
    void put(TextRange range, std::string with) {
        if (with.empty()) {
            const auto blank = [&](std::uint32_t i) { return i < text_.size() && text_[i] == ' '; };
            const bool taken =
                std::ranges::any_of(edits_, [&](const Edit& edit) { return edit.range.end == range.begin; });
            if (range.begin > 0 && blank(range.begin - 1) && !taken) {
                --range.begin;
            } else if (blank(range.end)) {
                ++range.end;
            }
        }
        edits_.push_back({range, std::move(with)});
    }
    void leave_out(std::size_t first, std::size_t last, std::string why) {
        changes().push_back({fmt::format("{} left out", text(first, last)), std::move(why)});
        replace_tokens(first, last, "");
    }
    void refuse(std::string why) { result_.refusal = std::move(why); }
    void report(std::string what, std::string why) { changes().push_back({std::move(what), std::move(why)}); }
    std::vector<Change>& changes() { return result_.changes; }
    std::string edited() const;
    void step(std::string text) { result_.steps.push_back({std::move(text), may_be_fine_}); }

    void properties(PropertyOf of, bool required = false);
    void columns(std::size_t first, std::size_t last);
    std::string column(std::size_t first, std::size_t last);
    void create_table();
    void create_keyspace();
    void create_index();
    void create_function();
    void create_aggregate();
    void alter();
    void alter_table(std::size_t from);
    void alter_columns(std::size_t from);
    void drop_columns(std::size_t from);
    void alter_type(std::size_t from);
    void roles();
    bool if_exists_of_alter() const { return to_.cassandra_since(4, 1); }

    const Statement& s_;
    std::string_view text_;
    const Dialect& to_;
    const Options& options_;
    std::vector<Token> tokens_;
    struct Edit {
        TextRange range;
        std::string with;
    };
    std::vector<Edit> edits_;
    bool nothing_left_ = false;  ///< nothing of the statement means anything there
    bool may_be_fine_ = false;
    Translation result_;
};

std::string Work::edited() const {
    auto edits = edits_;
    std::stable_sort(edits.begin(), edits.end(),
                     [](const Edit& a, const Edit& b) { return a.range.begin < b.range.begin; });
    std::vector<Replacement> replacements;
    for (const auto& e : edits) {
        if (!replacements.empty() && e.range.begin < replacements.back().range.end) continue;
        replacements.push_back({e.range, e.with});
    }
    return replace(text_, replacements);
}

/// WITH a = b AND c = d. With none left WITH goes too; ALTER, which is nothing but its properties, is then not sent.
void Work::properties(PropertyOf of, bool required) {
    const auto& all = s_.schema->properties;
    if (all.empty()) return;
    const auto before = changes().size();
    std::string kept;
    for (const auto& p : all) {
        const auto translated = translate_property(text_, p, of, to_, options_, changes(), result_.refusal);
        if (!translated) continue;
        if (!kept.empty()) kept += " AND ";
        kept += *translated;
    }
    if (changes().size() == before) return;
    const TextRange whole{all.front().range.begin, all.back().range.end};
    if (!kept.empty()) {
        edits_.push_back({whole, std::move(kept)});
        return;
    }
    if (required) {
        nothing_left_ = true;
        return;
    }
    const auto first = at(whole.begin);
    if (first == 0 || !is(first - 1, "with")) return;
    put({begin(first - 1), whole.end}, "");
}

/// One column definition, or a PRIMARY KEY, of CREATE TABLE or ADD.
std::string Work::column(std::size_t first, std::size_t last) {
    std::vector<Edit> outer;
    std::swap(outer, edits_);
    if (!is(first, "primary")) {
        for (std::size_t i = first + 1; i < last; ++i) {
            const auto mask_end = past_mask(i);
            if (mask_end != i && mask_end <= last && !to_.cassandra_since(5, 0)) {
                leave_out(i, mask_end, fmt::format("{} does not mask columns: it shows them whole", to_string(to_)));
                i = mask_end - 1;
            } else if (is(i, TokenKind::string) && to_.scylla) {
                const auto name = decoded(i);
                const auto type = cql_type_of_class(name);
                if (type.empty()) {
                    refuse(fmt::format("ScyllaDB takes no type by its class name, and there is none for '{}'", name));
                    break;
                }
                report(fmt::format("type '{}' became {}", name, type), "ScyllaDB takes no type by its class name");
                replace_tokens(i, i + 1, std::string(type));
            } else if (is(i, "vector") && is(i + 1, TokenKind::lt) && to_.is_cassandra() &&
                       !to_.cassandra_since(5, 0)) {
                refuse(fmt::format("{} has no vectors", to_string(to_)));
                break;
            } else if (i == last - 1 && i > first + 1 && is(i, "ttl") && to_.is_cassandra()) {
                refuse("a column that says when its row expires is ScyllaDB's");
                break;
            }
        }
    }
    std::vector<Edit> inner;
    std::swap(inner, edits_);
    std::swap(outer, edits_);
    if (inner.empty()) return std::string(text(first, last));
    std::string out;
    std::uint32_t from = begin(first);
    for (const auto& e : inner) {
        out += text_.substr(from, e.range.begin - from);
        out += e.with;
        from = e.range.end;
    }
    out += text_.substr(from, end(last - 1) - from);
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

void Work::columns(std::size_t first, std::size_t last) {
    for (const auto& [from, to] : parts(first, last)) {
        if (from == to) continue;
        auto now = column(from, to);
        if (now != text(from, to)) replace_tokens(from, to, std::move(now));
    }
}

void Work::create_table() {
    const auto& change = *s_.schema;
    if (change.like && !to_.cassandra_since(6, 0)) {
        refuse(fmt::format("{} has no CREATE TABLE LIKE; create it there by its columns", to_string(to_)));
        return;
    }
    const auto open = at(change.name.range.end);
    if (is(open, TokenKind::open_paren)) {
        const auto close = past_group(open);
        if (close > open + 2 && close <= size()) columns(open + 1, close - 1);
    }
    properties(PropertyOf::table);
}

void Work::create_keyspace() {
    properties(PropertyOf::keyspace);
    if (!options_.tablets_off || !to_.scylla) return;
    for (const auto& p : s_.schema->properties) {
        if (p.name == "tablets") return;
    }
    report("tablets = {'enabled': false} added", "asked for by configuration");
    const auto at_end = end(size() - 1);
    const std::string_view joint = s_.schema->properties.empty() ? " WITH " : " AND ";
    edits_.push_back({{at_end, at_end}, fmt::format("{}tablets = {{'enabled': false}}", joint)});
}

void Work::create_index() {
    const auto name = at(s_.table.range.end);  // the parenthesis behind the table
    const auto close = past_group(name);
    std::size_t custom = 0;
    while (custom < name && !is(custom, "custom")) ++custom;
    const bool is_custom = custom < 3;
    // ON t ((pk), c): an index beside its partition, as every secondary index of Cassandra is.
    if (to_.is_cassandra() && is(name + 1, TokenKind::open_paren)) {
        const auto inner = past_group(name + 1);
        if (is(inner, TokenKind::comma)) {
            report(fmt::format("{} became an index on what follows it", text(name + 1, inner)),
                   "indexes of Cassandra are local ones");
            replace_tokens(name + 1, inner + 1, "");
        }
    }
    if (!is(close, "using") || !is(close + 1, TokenKind::string)) {
        if (to_.is_cassandra() && !is_custom && is(close, "with")) leave_out(close, size(), "Cassandra has none here");
        return;
    }
    const auto implementation = decoded(close + 1);
    const auto bare =
        implementation.substr(implementation.rfind('.') == std::string::npos ? 0 : implementation.rfind('.') + 1);
    const bool sai = bare == "sai" || bare == "StorageAttachedIndex";
    const auto make_plain = [&](std::string why) {
        if (is_custom) replace_tokens(custom, custom + 1, "");
        leave_out(close, size(), std::move(why));
    };
    if (to_.scylla) {
        if (sai || bare == "legacy_local_table") {
            make_plain(sai ? "ScyllaDB has no storage-attached indexes: a secondary index serves equality alone"
                           : "ScyllaDB has one kind of secondary index");
        } else if (bare != "vector_index" && bare != "fulltext_index") {
            refuse(fmt::format("ScyllaDB has no index of kind '{}'", implementation));
        }
    } else if (bare == "vector_index") {
        if (to_.cassandra_since(5, 0)) {
            if (is_custom) replace_tokens(custom, custom + 1, "");
            report("USING 'vector_index' became USING 'sai'", "how Cassandra indexes vectors");
            replace_tokens(close, size(), "USING 'sai'");
        } else {
            refuse(fmt::format("{} has no vectors", to_string(to_)));
        }
    } else if (!to_.cassandra_since(5, 0) && (sai || bare == "legacy_local_table")) {
        make_plain(
            fmt::format("{} has no storage-attached indexes: a secondary index serves equality alone", to_string(to_)));
    }
}

void Work::create_function() {
    const auto language = find(at(s_.schema->name.range.end), "language");
    if (language + 1 >= size()) return;
    const auto name = decoded(language + 1);
    const bool javas = name == "java" || name == "javascript";
    if (to_.scylla ? javas : !javas) {
        refuse(fmt::format("{} runs no functions in {}", to_string(to_), name));
    } else if (name == "javascript" && to_.cassandra_since(5, 0)) {
        refuse("Cassandra runs functions in Java alone since 5.0");
    }
}

void Work::create_aggregate() {
    if (!to_.is_cassandra()) return;
    // Each of them, if there are several: what is left must say the same a second time. Without a name it is no clause.
    for (auto i = find(at(s_.schema->name.range.end), "reducefunc"); i < size(); i = find(i, "reducefunc")) {
        const bool named = is(i + 1, TokenKind::word) || is(i + 1, TokenKind::quoted);
        if (named) leave_out(i, i + 2, "ScyllaDB's way to spread the work; the result is the same");
        i += named ? 2 : 1;
    }
}

void Work::alter() {
    const auto& change = *s_.schema;
    if (change.if_exists && !if_exists_of_alter()) {
        const auto words = at(change.name.range.begin);
        if (words >= 2 && is_name(words) && is(words - 1, "exists") && is(words - 2, "if")) {
            leave_out(words - 2, words, fmt::format("{} does not know it here", to_string(to_)));
            may_be_fine_ = true;
        }
    }
    const auto from = at(change.name.range.end);
    switch (change.object) {
        case Object::keyspace:
            properties(PropertyOf::keyspace, true);
            return;
        case Object::materialized_view:
            properties(PropertyOf::view, true);
            return;
        case Object::table:
            alter_table(from);
            return;
        case Object::type:
            alter_type(from);
            return;
        default:
            return;
    }
}

void Work::alter_table(std::size_t from) {
    if (is(from, "with")) {
        properties(PropertyOf::table, true);
    } else if (is(from, "add")) {
        alter_columns(from + 1);
    } else if (is(from, "drop") && is(from + 1, "compact") && is(from + 2, "storage")) {
        if (to_.scylla) refuse("ScyllaDB cannot take COMPACT STORAGE from a table");
    } else if (is(from, "drop")) {
        drop_columns(from + 1);
    } else if (is(from, "rename") && is(from + 1, "if") && is(from + 2, "exists") && is_name(from + 3) &&
               !if_exists_of_alter()) {
        leave_out(from + 1, from + 3, fmt::format("{} does not know it here", to_string(to_)));
        may_be_fine_ = true;
    } else if (is(from, "alter") && !to_.cassandra_since(5, 0)) {
        for (auto i = from; i < size(); ++i) {
            if (!is(i, "masked")) continue;
            report(fmt::format("{} left out", text(from, size())),
                   fmt::format("{} does not mask columns", to_string(to_)));
            nothing_left_ = true;
            return;
        }
    }
}

/// ADD [IF NOT EXISTS] a int, b text and ADD (a int, b text)
void Work::alter_columns(std::size_t from) {
    const auto first = from;
    const bool conditional = is(from, "if") && is(from + 1, "not") && is(from + 2, "exists");
    if (conditional) from += 3;
    const bool grouped = is(from, TokenKind::open_paren);
    const auto group_end = grouped ? past_group(from) : size();
    if (group_end > size()) return;
    const auto listed = grouped ? parts(from + 1, group_end - 1) : parts(from, size());
    std::vector<std::string> definitions;
    bool changed = false;
    for (const auto& [a, b] : listed) {
        if (a == b || !is_name(a)) return;
        definitions.push_back(column(a, b));
        changed |= definitions.back() != text(a, b);
    }
    if (definitions.empty() || result_.refused()) return;
    if (conditional && !if_exists_of_alter()) {
        report("IF NOT EXISTS left out, a statement for each column",
               fmt::format("{} does not know it here", to_string(to_)));
        may_be_fine_ = true;
        auto& edits = edits_;
        for (const auto& definition : definitions) {
            const auto kept = edits.size();
            replace_tokens(first, size(), definition);
            step(edited());
            edits.resize(kept);
        }
        return;
    }
    if (to_.scylla && !grouped && definitions.size() > 1) {
        report("parentheses put around the columns", "ScyllaDB wants them");
        changed = true;
    }
    if (!changed) return;
    std::string all;
    for (const auto& definition : definitions) all += (all.empty() ? "" : ", ") + definition;
    const bool parentheses = grouped || (to_.scylla && definitions.size() > 1);
    replace_tokens(from, size(), parentheses ? "(" + all + ")" : all);
}

/// DROP [IF EXISTS] a, b [USING TIMESTAMP n] and DROP (a, b)
void Work::drop_columns(std::size_t from) {
    const auto first = from;
    const bool conditional = is(from, "if") && is(from + 1, "exists");
    if (conditional) from += 2;
    const auto using_at = find(from, "using");
    if (using_at < size() && to_.scylla)
        leave_out(using_at, size(), "ScyllaDB does not know it here: what was written before the statement is gone");
    const bool grouped = is(from, TokenKind::open_paren);
    const auto names_end = grouped ? past_group(from) : using_at;
    if (names_end > using_at) return;
    const auto listed = grouped ? parts(from + 1, names_end - 1) : parts(from, names_end);
    if (listed.empty() || !std::ranges::all_of(listed, [&](const auto& at) { return is_name(at.first); })) return;
    if (conditional && !if_exists_of_alter()) {
        report("IF EXISTS left out, a statement for each column",
               fmt::format("{} does not know it here", to_string(to_)));
        may_be_fine_ = true;
        for (const auto& [a, b] : listed) {
            const auto kept = edits_.size();
            replace_tokens(first, names_end, std::string(text(a, b)));
            step(edited());
            edits_.resize(kept);
        }
    } else if (to_.scylla && !grouped && listed.size() > 1) {
        report("parentheses put around the columns", "ScyllaDB wants them");
        replace_tokens(from, names_end, fmt::format("({})", text(from, names_end)));
    }
}

void Work::alter_type(std::size_t from) {
    if (if_exists_of_alter()) return;
    const bool add = is(from, "add") && is(from + 1, "if") && is(from + 2, "not") && is(from + 3, "exists");
    const bool rename = is(from, "rename") && is(from + 1, "if") && is(from + 2, "exists");
    const auto past_condition = from + (add ? 4 : 3);
    if ((!add && !rename) || !is_name(past_condition)) return;
    leave_out(from + 1, past_condition, fmt::format("{} does not know it here", to_string(to_)));
    may_be_fine_ = true;
}

/// CREATE and ALTER ROLE, GRANT and REVOKE
void Work::roles() {
    if (size() == 0) return;
    if ((is(0, "grant") || is(0, "revoke")) && find(0, "on") < size()) {
        const auto on = find(0, "on");
        for (std::size_t i = 1; i < on; ++i) {
            const bool masks = is(i, "unmask") || is(i, "select_masked");
            const bool searches = is(i, "vector_search_indexing");
            if ((masks && !to_.cassandra_since(5, 0)) || (searches && !to_.scylla))
                refuse(fmt::format("{} has no permission {}", to_string(to_), text(i, i + 1)));
        }
        if (to_.scylla && (is(on + 1, "mbean") || is(on + 1, "mbeans") || (is(on + 1, "all") && is(on + 2, "mbeans"))))
            refuse("ScyllaDB has no MBeans");
        return;
    }
    if (is(1, "identity") && !to_.cassandra_since(5, 0)) {
        refuse(fmt::format("{} has no identities", to_string(to_)));
        return;
    }
    if (!is(1, "role") || (!is(0, "create") && !is(0, "alter"))) return;
    const auto with = find(2, "with");
    if (with >= size()) return;
    // WITH a AND b AND c: each as it is, or not at all.
    std::vector<std::string_view> kept;
    bool changed = false;
    for (auto i = with + 1; i < size();) {
        const auto next = find(i, "and");
        const bool hashed = is(i, "hashed") && is(i + 1, "password");
        const bool generated = is(i, "generated") && is(i + 1, "password");
        if (generated || (hashed && !to_.scylla && !to_.cassandra_since(4, 1))) {
            refuse(generated ? "the password that one cluster makes up the other does not know"
                             : fmt::format("{} takes no hashed password", to_string(to_)));
            return;
        }
        const bool datacenters = is(i, "access") && (is(i + 1, "to"));
        const bool cidrs = is(i, "access") && is(i + 1, "from");
        if ((datacenters && !to_.cassandra_since(4, 0)) || (cidrs && !to_.cassandra_since(5, 0))) {
            report(fmt::format("{} left out", text(i, next)), fmt::format("{} does not know it", to_string(to_)));
            changed = true;
        } else {
            kept.push_back(text(i, next));
        }
        i = next + 1;
    }
    if (!changed) return;
    std::string joined;
    for (const auto part : kept) joined += fmt::format("{}{}", joined.empty() ? "WITH " : " AND ", part);
    if (joined.empty() && is(0, "alter")) nothing_left_ = true;
    replace_tokens(with, size(), std::move(joined));
}

Translation Work::run() {
    if (size() > 0 && s_.complete && is_balanced()) {
        if (s_.kind == StatementKind::access_control) {
            roles();
        } else if (s_.kind == StatementKind::service_level && to_.is_cassandra()) {
            refuse("service levels are ScyllaDB's");
        } else if (s_.kind == StatementKind::schema_change && s_.schema) {
            const auto& change = *s_.schema;
            if (change.object == Object::trigger && to_.scylla) {
                refuse("ScyllaDB has no triggers");
            } else if (change.verb == Verb::alter) {
                alter();
            } else if (change.verb == Verb::create) {
                switch (change.object) {
                    case Object::keyspace:
                        create_keyspace();
                        break;
                    case Object::table:
                        create_table();
                        break;
                    case Object::materialized_view:
                        properties(PropertyOf::view);
                        break;
                    case Object::index:
                        create_index();
                        break;
                    case Object::function:
                        create_function();
                        break;
                    case Object::aggregate:
                        create_aggregate();
                        break;
                    default:
                        break;
                }
            }
        }
    }
    if (result_.refused()) {
        result_.steps.clear();
    } else if (!nothing_left_ && result_.steps.empty()) {
        step(edits_.empty() ? std::string(text_) : edited());
    }
    return std::move(result_);
}

}  // namespace

Translation translate(const Statement& statement, const Dialect& to, const Options& options) {
    return Work(statement, to, options).run();
}

Translation translate(std::string_view text, const Dialect& to, const Options& options) {
    return translate(parse(text), to, options);
}

}  // namespace penumbra::cql::ddl
