#include "cql/language/parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "cql/language/lexer.h"

namespace penumbra::cql {

namespace {

// The functions of Cassandra (cql3/functions/*.java) and ScyllaDB (cql3/functions/): what is not here and not in
// `system` is a user's.
constexpr auto kNativeFunctions = [] {
    std::array names = std::to_array<std::string_view>({
        "abs",
        "ann",
        "avg",
        "blob_as_ascii",
        "blobasascii",
        "cast",
        "coalesce",
        "collection_avg",
        "collection_count",
        "collection_max",
        "collection_min",
        "collection_sum",
        "count",
        "countrows",
        "current_date",
        "current_time",
        "current_timestamp",
        "current_timeuuid",
        "currentdate",
        "currenttime",
        "currenttimestamp",
        "currenttimeuuid",
        "dateof",
        "exp",
        "floor",
        "format_bytes",
        "format_time",
        "from_json",
        "fromjson",
        "log",
        "log10",
        "map_keys",
        "map_values",
        "mask_default",
        "mask_hash",
        "mask_inner",
        "mask_null",
        "mask_outer",
        "mask_replace",
        "max",
        "max_timeuuid",
        "maxtimeuuid",
        "maxwritetime",
        "min",
        "min_timeuuid",
        "mintimeuuid",
        "now",
        "octet_length",
        "length",
        "round",
        "scylla_clustering_bound",
        "scylla_counter_shard_list",
        "scylla_timeuuid_list_index",
        "similarity_cosine",
        "similarity_dot_product",
        "similarity_euclidean",
        "sum",
        "to_date",
        "to_json",
        "to_timestamp",
        "to_unix_timestamp",
        "todate",
        "tojson",
        "token",
        "totimestamp",
        "tounixtimestamp",
        "ttl",
        "unixtimestampof",
        "uuid",
        "vector",
        "writetime",
        "bm25",
        "now_in_seconds",
    });
    std::sort(names.begin(), names.end());
    return names;
}();

bool is_native_function(std::string_view name) {
    if (std::binary_search(kNativeFunctions.begin(), kNativeFunctions.end(), name)) return true;
    // intAsBlob, blobAsInt, int_as_blob, castAsInt, cast_as_int, ...: one for each type
    return name.ends_with("asblob") || name.ends_with("as_blob") || name.starts_with("blobas") ||
           name.starts_with("blob_as_") || name.starts_with("castas") || name.starts_with("cast_as_");
}

bool is_aggregate(const Term& term) {
    if (!term.is(TermKind::function)) return false;
    const auto n = term.text;
    return n == "count" || n == "min" || n == "max" || n == "sum" || n == "avg";
}

/// Recursive descent over the tokens of one text, one token ahead. Every function consumes what it understands and
/// returns false at the first token that it does not; what was understood until then stays in the statement.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text), lexer_(text), decoder_(text), token_(lexer_.next()) {}

    Statement parse();

  private:
    // --- tokens ---
    const Token& peek() {
        if (!peeked_) {
            next_ = lexer_.next();
            peeked_ = true;
        }
        return next_;
    }
    void advance() {
        if (token_.kind == TokenKind::marker) {
            ++markers_;
            if (token_.name != 0 && spend(2 * sizeof(marker_names_[0])))
                marker_names_.emplace_back(token_.ordinal, decoder_.decode(token_));
        }
        end_ = token_.range.end;
        if (peeked_) {
            token_ = next_;
            peeked_ = false;
        } else {
            token_ = lexer_.next();
        }
    }
    bool at(TokenKind kind) const { return token_.kind == kind; }
    bool at_word(std::string_view lower) const { return is_word(text_, token_, lower); }
    bool next_is_word(std::string_view lower) { return is_word(text_, peek(), lower); }
    bool accept(TokenKind kind) {
        if (token_.kind != kind) return false;
        advance();
        return true;
    }
    bool accept_word(std::string_view lower) {
        if (!at_word(lower)) return false;
        advance();
        return true;
    }
    /// Both words or none.
    bool accept_words(std::string_view first, std::string_view second) {
        if (!at_word(first) || !next_is_word(second)) return false;
        advance();
        advance();
        return true;
    }
    bool at_name() const { return at(TokenKind::word) || at(TokenKind::quoted); }
    bool at_end() const { return at(TokenKind::end) || at(TokenKind::semicolon); }
    bool name(std::string_view& out) {
        if (!at_name()) return false;
        out = decoder_.decode(token_);
        advance();
        return true;
    }
    std::string_view here() const { return token_.range.in(text_); }

    // --- what may not grow without a bound ---
    bool spend(std::size_t bytes) {
        spent_ += bytes;
        return spent_ <= kMaxParsedBytes;
    }
    struct Nesting {
        explicit Nesting(Parser& p) : parser(p) { ++parser.depth_; }
        ~Nesting() { --parser.depth_; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;
        bool too_deep() const { return parser.depth_ > kMaxDepth; }
        Parser& parser;
    };
    /// From an opening bracket past its closing one.
    bool skip_group();
    /// Past everything up to one of these words, a semicolon or the end, outside of brackets.
    void skip_until(std::initializer_list<std::string_view> words);

    // --- terms ---
    bool term(Term& out);
    bool product(Term& out);
    bool primary(Term& out);
    bool postfix(Term& out);
    bool word_term(Term& out);
    bool parenthesis(Term& out);
    bool braces(Term& out);
    bool cast_call(Term& out);
    bool arguments(Term& out);
    bool terms(std::vector<Term>& out, TokenKind close);
    bool constant(Term& out, TermKind kind);
    bool combine(Term& left, TextRange sign, bool (Parser::*operand)(Term&), int& chain);
    bool starts_term() const;
    void note_function(const Term& function, std::uint32_t markers_before);

    // --- clauses ---
    bool object_name(ObjectName& out);
    bool identifiers(std::vector<std::string_view>& out);
    bool where(std::vector<Restriction>& out);
    bool where_clause(Statement& s);
    bool at_clause_end() const;
    bool relation(std::vector<Restriction>& out);
    bool relation_body(Restriction& r);
    bool relation_operator(Restriction& r);
    bool in_values(Term& out);
    bool using_clause(Using& out);
    bool condition(Statement& s);
    bool conditions(Statement& s);
    bool assignment(Assignment& a);
    bool selectors(Statement& s);
    bool select_tail(Statement& s);
    bool property(Property& p);
    bool properties(SchemaStatement& change);
    bool if_exists() { return if_words(false); }
    bool if_not_exists() { return if_words(true); }
    bool if_words(bool negated);

    // --- statements ---
    bool statement(Statement& s);
    bool select(Statement& s);
    bool insert(Statement& s);
    bool update(Statement& s);
    bool delete_(Statement& s);
    bool batch(Statement& s);
    bool modification(Statement& s);
    bool modification_body(Statement& s);
    void salvage(Statement& s);
    bool truncate(Statement& s);
    bool prune(Statement& s);
    bool create(Statement& s);
    bool alter(Statement& s);
    bool drop(Statement& s);
    bool schema_object(SchemaStatement& change);
    bool create_table(Statement& s, SchemaStatement& change);
    bool create_index(Statement& s, SchemaStatement& change);
    bool create_view(Statement& s, SchemaStatement& change);
    bool grant(Statement& s);
    bool list(Statement& s);
    bool resource(Statement& s);
    bool describe(Statement& s);
    bool rest();

    void open(Statement& s);
    void close(Statement& s);

    std::string_view text_;
    Lexer lexer_;
    Decoder decoder_;
    Token token_;
    Token next_;
    bool peeked_ = false;
    std::uint32_t end_ = 0;      ///< of the token consumed last
    std::uint32_t markers_ = 0;  ///< consumed
    int depth_ = 0;
    std::size_t spent_ = 0;
    bool understood_ = true;  ///< nothing was skipped so far
    std::vector<std::pair<std::uint32_t, std::string_view>> marker_names_;
    std::vector<Volatile> user_functions_;
};

// ---------------------------------------------------------------------------------------------------------- skipping

bool Parser::skip_group() {
    std::size_t open = 0;
    do {
        switch (token_.kind) {
            case TokenKind::open_paren:
            case TokenKind::open_bracket:
            case TokenKind::open_brace:
                ++open;
                break;
            case TokenKind::close_paren:
            case TokenKind::close_bracket:
            case TokenKind::close_brace:
                --open;
                break;
            case TokenKind::end:
            case TokenKind::bad:
                return false;
            default:
                break;
        }
        advance();
    } while (open > 0);
    return true;
}

void Parser::skip_until(std::initializer_list<std::string_view> words) {
    while (!at_end()) {
        if (at(TokenKind::open_paren) || at(TokenKind::open_bracket) || at(TokenKind::open_brace)) {
            if (!skip_group()) return;
            continue;
        }
        if (at(TokenKind::word)) {
            for (const auto word : words) {
                if (at_word(word)) return;
            }
        }
        advance();
    }
}

// -------------------------------------------------------------------------------------------------------------- terms

// Parser.g: term, selectionAddition. A bare column is taken for a term everywhere: SELECT and SET need it, and
// elsewhere the servers refuse it.
bool Parser::term(Term& out) {
    if (!product(out)) return false;
    for (int chain = 0; at(TokenKind::plus) || at(TokenKind::minus);) {
        const auto sign = token_.range;
        advance();
        if (!combine(out, sign, &Parser::product, chain)) return false;
    }
    return true;
}

bool Parser::product(Term& out) {
    if (!postfix(out)) return false;
    for (int chain = 0; at(TokenKind::star) || at(TokenKind::slash) || at(TokenKind::percent);) {
        const auto sign = token_.range;
        advance();
        if (!combine(out, sign, &Parser::postfix, chain)) return false;
    }
    return true;
}

bool Parser::combine(Term& left, TextRange sign, bool (Parser::*operand)(Term&), int& chain) {
    Term whole;
    whole.kind = TermKind::arithmetic;
    whole.text = sign.in(text_);
    whole.range.begin = left.range.begin;
    // A long chain leans to the left: its tree is as deep as it is long.
    if (++chain > kMaxDepth) {
        left = Term{.kind = TermKind::other, .range = left.range};
        chain = 0;
        understood_ = false;
    }
    whole.elements.reserve(2);
    whole.elements.push_back(std::move(left));
    const bool ok = (this->*operand)(whole.elements.emplace_back());
    whole.range.end = end_;
    if (!ok) whole.kind = TermKind::other;
    left = std::move(whole);
    return ok && spend(2 * sizeof(Term));
}

bool Parser::constant(Term& out, TermKind kind) {
    out.kind = kind;
    out.text = kind == TermKind::string ? decoder_.decode(token_) : here();
    advance();
    return true;
}

bool Parser::starts_term() const {
    switch (token_.kind) {
        case TokenKind::word:
            // What may follow a term in parentheses is not the operand of a cast.
            for (const std::string_view after :
                 {"and",      "as",    "from",    "if",     "using",  "where",  "apply",   "allow", "order",
                  "group",    "limit", "per",     "asc",    "desc",   "or",     "in",      "not",   "is",
                  "contains", "like",  "between", "insert", "update", "delete", "primary", "with",  "bypass"}) {
                if (at_word(after)) return false;
            }
            return true;
        case TokenKind::quoted:
        case TokenKind::string:
        case TokenKind::integer:
        case TokenKind::floating:
        case TokenKind::uuid:
        case TokenKind::blob:
        case TokenKind::duration:
        case TokenKind::marker:
        case TokenKind::open_paren:
        case TokenKind::open_bracket:
        case TokenKind::open_brace:
            return true;
        default:
            return false;
    }
}

bool Parser::primary(Term& out) {
    out.range.begin = token_.range.begin;
    bool ok = false;
    switch (token_.kind) {
        case TokenKind::marker:
            out.kind = TermKind::marker;
            out.marker = token_.ordinal;
            ok = token_.name == 0;
            advance();
            if (!ok && !marker_names_.empty()) {
                out.text = marker_names_.back().second;
                ok = true;
            }
            break;
        case TokenKind::string:
            ok = constant(out, TermKind::string);
            break;
        case TokenKind::integer:
            ok = constant(out, TermKind::integer);
            break;
        case TokenKind::floating:
            ok = constant(out, TermKind::floating);
            break;
        case TokenKind::uuid:
            ok = constant(out, TermKind::uuid);
            break;
        case TokenKind::blob:
            ok = constant(out, TermKind::blob);
            break;
        case TokenKind::duration:
            ok = constant(out, TermKind::duration);
            break;
        case TokenKind::star:
            out.kind = TermKind::star;
            advance();
            ok = true;
            break;
        case TokenKind::word:
        case TokenKind::quoted:
            ok = word_term(out);
            break;
        case TokenKind::minus:
        case TokenKind::open_paren:
        case TokenKind::open_bracket:
        case TokenKind::open_brace: {
            const Nesting nesting(*this);
            if (nesting.too_deep()) {
                understood_ = false;
                out.kind = TermKind::other;
                while (at(TokenKind::minus)) advance();
                ok = at(TokenKind::open_paren) || at(TokenKind::open_bracket) || at(TokenKind::open_brace)
                         ? skip_group()
                         : false;
            } else if (at(TokenKind::minus)) {
                advance();
                out.kind = TermKind::arithmetic;
                out.text = "-";
                ok = postfix(out.elements.emplace_back());
            } else if (at(TokenKind::open_paren)) {
                ok = parenthesis(out);
            } else if (at(TokenKind::open_bracket)) {
                advance();
                out.kind = TermKind::list;
                ok = terms(out.elements, TokenKind::close_bracket);
            } else {
                ok = braces(out);
            }
            break;
        }
        default:
            out.range = {};
            return false;
    }
    out.range.end = std::max(out.range.begin, end_);
    if (!ok) out.kind = TermKind::other;  // nobody may count on the elements of a term that broke off
    return ok && spend(sizeof(Term));
}

/// [term {, term}] up to and past the closing bracket.
bool Parser::terms(std::vector<Term>& out, TokenKind close) {
    if (accept(close)) return true;
    do {
        if (!term(out.emplace_back())) return false;
    } while (accept(TokenKind::comma));
    return accept(close);
}

bool Parser::word_term(Term& out) {
    if (at(TokenKind::word)) {
        if (at_word("null")) return constant(out, TermKind::null);
        if (at_word("true") || at_word("false")) return constant(out, TermKind::boolean);
        if (at_word("nan") || at_word("infinity")) return constant(out, TermKind::floating);
        if (at_word("cast") && peek().kind == TokenKind::open_paren) return cast_call(out);
    }
    out.kind = TermKind::column;
    out.text = decoder_.decode(token_);
    const auto before = markers_;
    advance();
    if (!at(TokenKind::open_paren)) return true;
    out.kind = TermKind::function;
    const bool ok = arguments(out);
    note_function(out, before);
    return ok;
}

bool Parser::arguments(Term& out) {
    const Nesting nesting(*this);
    bool ok = false;
    if (nesting.too_deep()) {
        understood_ = false;
        ok = skip_group();
    } else {
        advance();
        ok = terms(out.elements, TokenKind::close_paren);
    }
    out.range.end = end_;
    return ok;
}

void Parser::note_function(const Term& function, std::uint32_t markers_before) {
    if (function.qualifier.empty() ? is_native_function(function.text) : function.qualifier == "system") return;
    if (!spend(sizeof(Volatile))) return;
    user_functions_.push_back({VolatileKind::user_function, function.range, markers_before});
}

/// CAST(x AS type)
bool Parser::cast_call(Term& out) {
    const Nesting nesting(*this);
    out.kind = TermKind::cast;
    advance();
    if (nesting.too_deep()) {
        understood_ = false;
        return skip_group();
    }
    advance();
    if (!term(out.elements.emplace_back()) || !accept_word("as")) return false;
    const auto begin = token_.range.begin;
    while (!at(TokenKind::close_paren)) {
        if (at_end() || at(TokenKind::bad)) return false;
        advance();
    }
    out.text = TextRange{begin, end_}.in(text_);
    return accept(TokenKind::close_paren);
}

/// (a, b) and (type) x. Which of the two is known only behind the parenthesis, except where a type has parameters.
bool Parser::parenthesis(Term& out) {
    const auto begin = token_.range.begin;
    advance();
    const auto inner = token_.range.begin;
    bool type = false;
    if (at_name() && peek().kind == TokenKind::lt) {
        type = true;
        while (!at(TokenKind::close_paren)) {
            if (at_end() || at(TokenKind::bad)) return false;
            advance();
        }
        advance();
    } else {
        out.kind = TermKind::tuple;
        if (!terms(out.elements, TokenKind::close_paren)) return false;
        if (out.elements.size() == 1) {
            const auto& only = out.elements[0];
            const bool could_be_type = only.is(TermKind::column) || only.is(TermKind::string) ||
                                       (only.is(TermKind::field) && only.elements[0].is(TermKind::column));
            type = could_be_type && starts_term();
        }
    }
    if (!type) return true;
    std::uint32_t close = end_ - 1;
    while (close > inner && static_cast<unsigned char>(text_[close - 1]) <= ' ') --close;
    out.kind = TermKind::cast;
    out.text = TextRange{inner, close}.in(text_);
    out.elements.clear();
    out.range.begin = begin;
    const Nesting nesting(*this);
    return postfix(out.elements.emplace_back());
}

/// {}, {a, b}, {k: v}, {field: v}
bool Parser::braces(Term& out) {
    advance();
    out.kind = TermKind::set;
    if (accept(TokenKind::close_brace)) return true;
    if (!term(out.elements.emplace_back())) return false;
    const bool pairs = at(TokenKind::colon);
    if (pairs) out.kind = out.elements[0].is(TermKind::column) ? TermKind::udt : TermKind::map;
    for (bool first = true;; first = false) {
        if (!first && !term(out.elements.emplace_back())) return false;
        if (pairs && (!accept(TokenKind::colon) || !term(out.elements.emplace_back()))) return false;
        if (!accept(TokenKind::comma)) break;
    }
    return accept(TokenKind::close_brace);
}

/// A primary with what is attached to it: x.f, x[k], x[a..b], keyspace.function(..)
bool Parser::postfix(Term& out) {
    const auto before = markers_;
    if (!primary(out)) return false;
    for (int chain = 0; at(TokenKind::dot) || at(TokenKind::open_bracket);) {
        if (++chain > kMaxDepth) {
            out = Term{.kind = TermKind::other, .range = out.range};
            chain = 0;
            understood_ = false;
        }
        Term whole;
        whole.range.begin = out.range.begin;
        if (accept(TokenKind::dot)) {
            if (!name(whole.text)) {
                out.kind = TermKind::other;
                return false;
            }
            if (at(TokenKind::open_paren) && out.is(TermKind::column)) {
                whole.kind = TermKind::function;
                whole.qualifier = out.text;
                const bool ok = arguments(whole);
                note_function(whole, before);
                if (!ok) whole.kind = TermKind::other;
                out = std::move(whole);
                if (!ok) return false;
                continue;
            }
            whole.kind = TermKind::field;
            whole.elements.push_back(std::move(out));
        } else {
            const Nesting nesting(*this);
            whole.elements.reserve(3);
            whole.elements.push_back(std::move(out));
            whole.kind = TermKind::element;
            bool ok = true;
            if (nesting.too_deep()) {
                understood_ = false;
                whole.kind = TermKind::other;
                ok = skip_group();
            } else {
                advance();
                auto& first = whole.elements.emplace_back();
                if (!at(TokenKind::range)) ok = term(first);
                if (ok && accept(TokenKind::range)) {
                    whole.kind = TermKind::slice;
                    auto& last = whole.elements.emplace_back();
                    if (!at(TokenKind::close_bracket)) ok = term(last);
                }
                ok = ok && accept(TokenKind::close_bracket);
            }
            whole.range.end = end_;
            if (!ok) whole.kind = TermKind::other;
            out = std::move(whole);
            if (!ok || !spend(2 * sizeof(Term))) return false;
            continue;
        }
        whole.range.end = end_;
        out = std::move(whole);
        if (!spend(2 * sizeof(Term))) return false;
    }
    return true;
}

// ------------------------------------------------------------------------------------------------------------ clauses

bool Parser::object_name(ObjectName& out) {
    const auto begin = token_.range.begin;
    if (!name(out.name)) return false;
    if (accept(TokenKind::dot)) {
        out.keyspace = out.name;
        out.name = {};
        if (!name(out.name)) return false;
    }
    out.range = {begin, end_};
    return true;
}

/// (a, b, c), the opening parenthesis already consumed
bool Parser::identifiers(std::vector<std::string_view>& out) {
    do {
        if (!name(out.emplace_back()) || !spend(sizeof(out[0]))) return false;
    } while (accept(TokenKind::comma));
    return accept(TokenKind::close_paren);
}

bool Parser::where(std::vector<Restriction>& out) {
    out.reserve(4);
    do {
        if (!relation(out)) return false;
    } while (accept_word("and"));
    return true;
}

/// Where WHERE can end. Anything else behind it (OR, an operator) would change what it says.
bool Parser::at_clause_end() const {
    if (at_end()) return true;
    for (const std::string_view word :
         {"if", "group", "order", "per", "limit", "allow", "bypass", "using", "insert", "update", "delete", "apply"}) {
        if (at_word(word)) return true;
    }
    return false;
}

bool Parser::where_clause(Statement& s) {
    s.row_understood = where(s.where) && at_clause_end();
    return s.row_understood;
}

bool Parser::relation(std::vector<Restriction>& out) {
    if (!spend(sizeof(Restriction))) return false;
    const auto begin = token_.range.begin;
    if (at(TokenKind::open_paren)) {
        const Nesting nesting(*this);
        if (nesting.too_deep()) return false;
        advance();
        const bool tuple = at_name() && (peek().kind == TokenKind::comma || peek().kind == TokenKind::close_paren);
        if (!tuple) return relation(out) && accept(TokenKind::close_paren);
        auto& r = out.emplace_back();
        r.subject = Restriction::Subject::tuple;
        const bool ok = identifiers(r.columns) && relation_operator(r);
        r.range = {begin, end_};
        return ok;
    }
    auto& r = out.emplace_back();
    const bool ok = relation_body(r);
    r.range = {begin, end_};
    return ok;
}

bool Parser::relation_body(Restriction& r) {
    if (!at_name()) return false;
    const auto next = peek().kind;
    if (next != TokenKind::open_paren && next != TokenKind::dot && next != TokenKind::open_bracket) {
        r.column = decoder_.decode(token_);
        advance();
        return relation_operator(r);
    }
    if (!postfix(r.key)) return false;
    switch (r.key.kind) {
        case TermKind::element:
        case TermKind::field:
            if (r.key.elements[0].is(TermKind::column)) {
                const bool element = r.key.is(TermKind::element);
                r.subject = element ? Restriction::Subject::element : Restriction::Subject::field;
                r.column = r.key.elements[0].text;
                r.field = r.key.text;
                Term key = element ? std::move(r.key.elements[1]) : Term{};
                r.key = std::move(key);
                return relation_operator(r);
            }
            break;
        case TermKind::function: {
            const auto column = [](const Term& t) { return t.is(TermKind::column); };
            if (r.key.text == "token" && r.key.qualifier.empty() &&
                std::all_of(r.key.elements.begin(), r.key.elements.end(), column)) {
                r.subject = Restriction::Subject::token;
                for (const auto& c : r.key.elements) r.columns.push_back(c.text);
                r.key = Term{};
                return relation_operator(r);
            }
            break;
        }
        default:
            break;
    }
    r.subject = Restriction::Subject::other;
    // expr(index, 'query') stands alone (Parser.g, customIndexExpression).
    if (r.key.is(TermKind::function) && r.key.text == "expr" && r.key.qualifier.empty()) {
        r.op = Operator::other;
        return true;
    }
    return relation_operator(r);
}

bool Parser::in_values(Term& out) {
    if (!at(TokenKind::open_paren)) return postfix(out);  // IN ?
    const Nesting nesting(*this);
    out.kind = TermKind::in_values;
    out.range.begin = token_.range.begin;
    bool ok = false;
    if (nesting.too_deep()) {
        understood_ = false;
        ok = skip_group();
    } else {
        advance();
        ok = terms(out.elements, TokenKind::close_paren);
    }
    out.range.end = end_;
    if (!ok) out.kind = TermKind::other;
    return ok;
}

bool Parser::relation_operator(Restriction& r) {
    const auto simple = [&](Operator op) {
        r.op = op;
        advance();
        return term(r.value);
    };
    switch (token_.kind) {
        case TokenKind::eq:
            return simple(Operator::eq);
        case TokenKind::ne:
            return simple(Operator::ne);
        case TokenKind::lt:
            return simple(Operator::lt);
        case TokenKind::le:
            return simple(Operator::le);
        case TokenKind::gt:
            return simple(Operator::gt);
        case TokenKind::ge:
            return simple(Operator::ge);
        case TokenKind::word:
            break;
        default:
            return false;
    }
    if (accept_word("is")) {
        r.op = accept_word("not") ? Operator::is_not_null : Operator::is_null;
        return accept_word("null");
    }
    const bool negated = accept_word("not");
    if (accept_word("in")) {
        r.op = negated ? Operator::not_in : Operator::in;
        return in_values(r.value);
    }
    if (accept_word("contains")) {
        const bool key = accept_word("key");
        r.op = key ? (negated ? Operator::not_contains_key : Operator::contains_key)
                   : (negated ? Operator::not_contains : Operator::contains);
        return term(r.value);
    }
    if (accept_word("between")) {
        r.op = negated ? Operator::not_between : Operator::between;
        r.value.kind = TermKind::tuple;
        r.value.range.begin = token_.range.begin;
        r.value.elements.reserve(2);
        const bool ok =
            term(r.value.elements.emplace_back()) && accept_word("and") && term(r.value.elements.emplace_back());
        r.value.range.end = std::max(r.value.range.begin, end_);
        if (!ok) r.value.kind = TermKind::other;
        return ok;
    }
    if (!negated && at_word("like")) return simple(Operator::like);
    return false;
}

bool Parser::using_clause(Using& out) {
    do {
        if (accept_word("timestamp")) {
            if (!postfix(out.timestamp)) return false;
        } else if (accept_word("ttl")) {
            if (!postfix(out.ttl)) return false;
        } else if (accept_word("timeout")) {
            if (!postfix(out.timeout)) return false;
        } else if (accept_word("concurrency")) {
            Term ignored;
            if (!postfix(ignored)) return false;
        } else if (accept_words("service", "level") || accept_word("service_level")) {
            std::string_view ignored;
            if (!name(ignored)) return false;
        } else {
            return false;
        }
    } while (accept_word("and"));
    return true;
}

/// IF [NOT] EXISTS of a schema change.
bool Parser::if_words(bool negated) {
    if (!at_word("if")) return false;
    advance();
    if (negated && !accept_word("not")) {
        understood_ = false;
        return false;
    }
    if (!accept_word("exists")) {
        understood_ = false;
        return false;
    }
    return true;
}

/// What follows IF in INSERT, UPDATE and DELETE.
bool Parser::condition(Statement& s) {
    if (accept_words("not", "exists")) {
        s.condition = Condition::if_not_exists;
        return true;
    }
    if (at_word("exists")) {
        // EXISTS is no reserved word: a column of that name is followed by what relates it.
        switch (peek().kind) {
            case TokenKind::eq:
            case TokenKind::ne:
            case TokenKind::lt:
            case TokenKind::le:
            case TokenKind::gt:
            case TokenKind::ge:
            case TokenKind::dot:
            case TokenKind::open_bracket:
                break;
            default:
                if (next_is_word("in") || next_is_word("contains") || next_is_word("like")) break;
                s.condition = Condition::if_exists;
                advance();
                return true;
        }
    }
    s.condition = Condition::if_columns;
    return where(s.conditions);
}

bool Parser::assignment(Assignment& a) {
    if (!spend(sizeof(Assignment))) return false;
    a.range.begin = token_.range.begin;
    const auto finish = [&](bool ok) {
        a.range.end = end_;
        return ok;
    };
    if (!name(a.column)) return false;
    if (accept(TokenKind::open_bracket)) {
        a.kind = AssignmentKind::put_element;
        return finish(term(a.key) && accept(TokenKind::close_bracket) && accept(TokenKind::eq) && term(a.value));
    }
    if (accept(TokenKind::dot)) {
        a.kind = AssignmentKind::put_field;
        return finish(name(a.field) && accept(TokenKind::eq) && term(a.value));
    }
    if (at(TokenKind::plus_eq) || at(TokenKind::minus_eq)) {
        a.kind = at(TokenKind::plus_eq) ? AssignmentKind::add : AssignmentKind::subtract;
        advance();
        return finish(term(a.value));
    }
    if (!accept(TokenKind::eq)) return finish(false);
    // Parser.g, normalColumnOperation: c = c + x, c = c - x, and c = c -1 where the sign belongs to the number.
    if (at_name()) {
        const auto next = peek().kind;
        const bool same = (next == TokenKind::plus || next == TokenKind::minus || next == TokenKind::integer) &&
                          decoder_.decode(token_) == a.column;
        if (same) {
            advance();
            a.kind = next == TokenKind::minus ? AssignmentKind::subtract : AssignmentKind::add;
            if (next != TokenKind::integer) advance();
            return finish(term(a.value));
        }
    }
    if (!term(a.value)) return finish(false);
    const auto reads = [](const Term& t) {
        return t.is(TermKind::column) || t.is(TermKind::element) || t.is(TermKind::field);
    };
    if (a.value.is(TermKind::arithmetic) && a.value.text == "+" && a.value.elements.size() == 2 &&
        a.value.elements[1].is(TermKind::column) && a.value.elements[1].text == a.column) {
        a.kind = AssignmentKind::prepend;
        Term left = std::move(a.value.elements[0]);
        a.value = std::move(left);
    } else if (reads(a.value) || (a.value.is(TermKind::arithmetic) &&
                                  std::any_of(a.value.elements.begin(), a.value.elements.end(), reads))) {
        a.kind = AssignmentKind::expression;
    }
    return finish(true);
}

bool Parser::selectors(Statement& s) {
    do {
        auto& selector = s.selectors.emplace_back();
        if (!spend(sizeof(Selector)) || !term(selector.expression)) return false;
        if (is_aggregate(selector.expression)) s.aggregates = true;
        if (accept_word("as") && !name(selector.alias)) return false;
    } while (accept(TokenKind::comma));
    return true;
}

// --------------------------------------------------------------------------------------------------------- statements

bool Parser::select(Statement& s) {
    // JSON and DISTINCT are column names too: they are what they seem to be unless something follows that a column
    // needs.
    const auto is_column = [&] {
        switch (peek().kind) {
            case TokenKind::comma:
            case TokenKind::dot:
            case TokenKind::plus:
            case TokenKind::slash:
            case TokenKind::percent:
            case TokenKind::semicolon:
            case TokenKind::end:
                return true;
            default:
                return next_is_word("from") || next_is_word("as");
        }
    };
    if (at_word("json") && !is_column()) {
        s.select_json = true;
        advance();
    }
    if (at_word("distinct") && !is_column()) {
        s.distinct = true;
        advance();
    }
    if (!selectors(s)) understood_ = false;
    // Which table it is and what WHERE says is worth knowing also where a selector is beyond us.
    const auto end = token_.range.begin;
    skip_until({"from", "where", "order", "limit", "allow", "using"});
    if (token_.range.begin != end) understood_ = false;
    if (accept_word("from")) {
        if (at_word("mutation_fragments") && peek().kind == TokenKind::open_paren) {
            s.mutation_fragments = true;
            advance();
            advance();
            if (!object_name(s.table) || !accept(TokenKind::close_paren)) return false;
        } else if (!object_name(s.table)) {
            return false;
        }
    }
    return select_tail(s);
}

bool Parser::select_tail(Statement& s) {
    // The grammars fix the order. We need not: an order that they refuse is refused there.
    while (!at_end()) {
        if (accept_word("where")) {
            if (!where_clause(s)) return false;
        } else if (accept_words("group", "by")) {
            do {
                if (!term(s.group_by.emplace_back())) return false;
            } while (accept(TokenKind::comma));
        } else if (accept_words("order", "by")) {
            do {
                auto& order = s.order_by.emplace_back();
                if (!spend(sizeof(Ordering))) return false;
                if (peek().kind == TokenKind::open_paren ||
                    peek().kind == TokenKind::dot) {  // ScyllaDB: a scoring function
                    order.direction = Ordering::Direction::nearest;
                    if (!postfix(order.vector)) return false;
                    continue;
                }
                if (!name(order.column)) return false;
                if (accept_words("ann", "of")) {
                    order.direction = Ordering::Direction::nearest;
                    if (!term(order.vector)) return false;
                }
                if (accept_word("desc")) {
                    if (order.direction != Ordering::Direction::nearest)
                        order.direction = Ordering::Direction::descending;
                } else {
                    accept_word("asc");
                }
            } while (accept(TokenKind::comma));
        } else if (accept_words("per", "partition")) {
            if (!accept_word("limit") || !postfix(s.per_partition_limit)) return false;
        } else if (accept_word("limit")) {
            if (!postfix(s.limit)) return false;
        } else if (accept_words("allow", "filtering")) {
            s.allow_filtering = true;
        } else if (accept_words("bypass", "cache")) {
            s.bypass_cache = true;
        } else if (accept_word("using")) {
            if (!using_clause(s.with)) return false;
        } else {
            return false;
        }
    }
    return true;
}

bool Parser::insert(Statement& s) {
    if (!accept_word("into") || !object_name(s.table)) return false;
    if (accept_word("json")) {
        if (!postfix(s.json)) return false;
        if (accept_word("default")) {
            if (accept_word("unset")) {
                s.json_default = JsonDefault::unset;
            } else if (!accept_word("null")) {
                return false;
            }
        }
    } else {
        if (!accept(TokenKind::open_paren)) return false;
        s.assignments.reserve(8);
        do {
            auto& a = s.assignments.emplace_back();
            a.range = token_.range;
            if (!name(a.column) || !spend(sizeof(Assignment))) return false;
        } while (accept(TokenKind::comma));
        if (!accept(TokenKind::close_paren) || !accept_word("values") || !accept(TokenKind::open_paren)) return false;
        std::size_t i = 0;
        do {
            if (i == s.assignments.size()) return false;  // more values than columns
            if (!term(s.assignments[i++].value)) return false;
        } while (accept(TokenKind::comma));
        if (i != s.assignments.size() || !accept(TokenKind::close_paren)) return false;
        s.row_understood = true;
    }
    if (accept_word("if") && !condition(s)) return false;
    return !accept_word("using") || using_clause(s.with);
}

bool Parser::update(Statement& s) {
    if (!object_name(s.table)) return false;
    if (accept_word("using") && !using_clause(s.with)) return false;
    if (!accept_word("set")) return false;
    s.assignments.reserve(2);
    do {
        if (!assignment(s.assignments.emplace_back())) return false;
    } while (accept(TokenKind::comma));
    return accept_word("where") && where_clause(s) && conditions(s);
}

/// The end of UPDATE and DELETE.
bool Parser::conditions(Statement& s) {
    if (accept_word("if") && !condition(s)) return false;
    accept_words("bypass", "large_data_guardrails");
    return true;
}

bool Parser::delete_(Statement& s) {
    if (!at_word("from")) {
        do {
            auto& d = s.deletions.emplace_back();
            d.range.begin = token_.range.begin;
            if (!spend(sizeof(Deletion)) || !name(d.column)) return false;
            if (accept(TokenKind::open_bracket)) {
                d.kind = Deletion::Kind::element;
                if (!term(d.key) || !accept(TokenKind::close_bracket)) return false;
            } else if (accept(TokenKind::dot)) {
                d.kind = Deletion::Kind::field;
                if (!name(d.field)) return false;
            }
            d.range.end = end_;
        } while (accept(TokenKind::comma));
    }
    if (!accept_word("from") || !object_name(s.table)) return false;
    if (accept_word("using") && !using_clause(s.with)) return false;
    return accept_word("where") && where_clause(s) && conditions(s);
}

bool Parser::modification_body(Statement& s) {
    if (accept_word("insert")) {
        s.kind = StatementKind::insert;
        return insert(s);
    }
    if (accept_word("update")) {
        s.kind = StatementKind::update;
        return update(s);
    }
    if (accept_word("delete")) {
        s.kind = StatementKind::delete_;
        return delete_(s);
    }
    return false;
}

bool Parser::modification(Statement& s) {
    const bool ok = modification_body(s);
    // What follows a statement of a batch directly is the next one.
    if (ok && (at_end() || at_word("insert") || at_word("update") || at_word("delete") || at_word("apply")))
        return true;
    salvage(s);
    return false;
}

/// The clauses behind one that we do not understand: WHERE may name the row, and IF decides who may execute the
/// statement.
void Parser::salvage(Statement& s) {
    for (;;) {
        skip_until({"where", "if", "insert", "update", "delete", "apply"});
        if (accept_word("where")) {
            if (s.where.empty()) where_clause(s);
        } else if (accept_word("if")) {
            if (s.condition == Condition::none) condition(s);
        } else {
            return;
        }
    }
}

bool Parser::batch(Statement& s) {
    // BEGIN without BATCH (Cassandra's BEGIN TRANSACTION) is not this statement.
    if (accept_word("unlogged")) {
        s.batch_type = BatchKind::unlogged;
    } else if (accept_word("counter")) {
        s.batch_type = BatchKind::counter;
    }
    if (!accept_word("batch")) return false;
    s.kind = StatementKind::batch;
    if (accept_word("using") && !using_clause(s.with)) return false;
    bool all = true;
    while (!accept_words("apply", "batch")) {
        if (at(TokenKind::semicolon)) {
            all = false;
            advance();
            continue;
        }
        // A child costs its relations and assignments besides itself.
        if (at(TokenKind::end) || at_word("apply") || !spend(3 * sizeof(Statement))) return false;
        auto& child = s.children.emplace_back();
        open(child);
        child.complete = modification(child);
        if (!child.complete) {
            // It may be of a newer grammar than ours; the ones after it need not be.
            all = false;
        }
        close(child);
        accept(TokenKind::semicolon);
    }
    return all;
}

bool Parser::truncate(Statement& s) {
    if (!accept_word("table")) accept_word("columnfamily");
    if (!object_name(s.table)) return false;
    return !accept_word("using") || using_clause(s.with);
}

bool Parser::prune(Statement& s) {
    if (!accept_words("materialized", "view") || !object_name(s.table)) return false;
    return select_tail(s);
}

/// The word or two that say what kind of object it is.
bool Parser::schema_object(SchemaStatement& change) {
    using Object = SchemaStatement::Object;
    if (accept_word("keyspace") || accept_word("schema")) {
        change.object = Object::keyspace;
    } else if (accept_word("table") || accept_word("columnfamily")) {
        change.object = Object::table;
    } else if (accept_word("type")) {
        change.object = Object::type;
    } else if (accept_word("index") || accept_words("custom", "index")) {
        change.object = Object::index;
    } else if (accept_words("materialized", "view")) {
        change.object = Object::materialized_view;
    } else if (accept_word("function")) {
        change.object = Object::function;
    } else if (accept_word("aggregate")) {
        change.object = Object::aggregate;
    } else if (accept_word("trigger")) {
        change.object = Object::trigger;
    } else {
        return false;
    }
    return true;
}

bool Parser::property(Property& p) {
    p.range.begin = token_.range.begin;
    bool ok = false;
    if (accept_words("compact", "storage")) {
        p.name = "compact storage";
        ok = true;
    } else if (accept_words("clustering", "order")) {
        p.name = "clustering order by";
        ok = accept_word("by") && at(TokenKind::open_paren) && skip_group();
    } else if (name(p.name)) {
        // CREATE TABLE .. LIKE .. WITH INDEXES has a name alone.
        ok = !accept(TokenKind::eq) || term(p.value);
    }
    p.range.end = end_;
    return ok;
}

bool Parser::properties(SchemaStatement& change) {
    do {
        if (!spend(sizeof(Property)) || !property(change.properties.emplace_back())) return false;
    } while (accept_word("and"));
    return true;
}

/// What we need not understand of a statement whose beginning we know.
bool Parser::rest() {
    while (!at_end()) {
        if (at(TokenKind::bad)) return false;
        advance();
    }
    return true;
}

bool Parser::create(Statement& s) {
    auto change = std::make_shared<SchemaStatement>();
    change->or_replace = accept_words("or", "replace");
    if (!schema_object(*change)) {
        if (at_word("role") || at_word("user")) {
            s.kind = StatementKind::access_control;
            return rest();
        }
        if (at_word("service") || at_word("service_level")) {
            s.kind = StatementKind::service_level;
            return rest();
        }
        s.kind = StatementKind::schema_change;
        s.schema = std::move(change);
        return false;
    }
    s.kind = StatementKind::schema_change;
    s.schema = change;
    using Object = SchemaStatement::Object;
    change->if_not_exists = if_not_exists();
    switch (change->object) {
        case Object::keyspace: {
            auto& n = change->name;
            n.range.begin = token_.range.begin;
            if (!name(n.keyspace)) return false;
            n.range.end = end_;
            break;
        }
        case Object::table:
            return create_table(s, *change);
        case Object::index:
            return create_index(s, *change);
        case Object::materialized_view:
            return create_view(s, *change);
        case Object::trigger:
            if (!object_name(change->name) || !accept_word("on") || !object_name(s.table)) return false;
            return rest();
        default:
            return object_name(change->name) && rest();
    }
    return !accept_word("with") || properties(*change);
}

bool Parser::create_table(Statement& s, SchemaStatement& change) {
    if (!object_name(change.name)) return false;
    s.table = change.name;
    if (accept_word("like")) {
        if (!object_name(change.like)) return false;
    } else if (!at(TokenKind::open_paren) || !skip_group()) {
        return false;
    }
    return !accept_word("with") || properties(change);
}

bool Parser::create_index(Statement& s, SchemaStatement& change) {
    if (!at_word("on") && !object_name(change.name)) return false;
    if (!accept_word("on") || !object_name(s.table)) return false;
    if (!at(TokenKind::open_paren) || !skip_group()) return false;
    if (accept_word("using") && !accept(TokenKind::string)) return false;
    return !accept_word("with") || properties(change);
}

bool Parser::create_view(Statement& s, SchemaStatement& change) {
    if (!object_name(change.name) || !accept_word("as") || !accept_word("select")) return false;
    skip_until({"from"});
    if (!accept_word("from") || !object_name(s.table)) return false;
    skip_until({"with"});
    return !accept_word("with") || properties(change);
}

bool Parser::alter(Statement& s) {
    auto change = std::make_shared<SchemaStatement>();
    change->verb = SchemaStatement::Verb::alter;
    if (!schema_object(*change)) {
        if (at_word("role") || at_word("user")) {
            s.kind = StatementKind::access_control;
            return rest();
        }
        if (at_word("service") || at_word("service_level")) {
            s.kind = StatementKind::service_level;
            return rest();
        }
        s.kind = StatementKind::schema_change;
        s.schema = std::move(change);
        return false;
    }
    s.kind = StatementKind::schema_change;
    s.schema = change;
    change->if_exists = if_exists();
    if (change->object == SchemaStatement::Object::keyspace) {
        auto& n = change->name;
        n.range.begin = token_.range.begin;
        if (!name(n.keyspace)) return false;
        n.range.end = end_;
    } else {
        if (!object_name(change->name)) return false;
        if (change->object == SchemaStatement::Object::table) s.table = change->name;
    }
    return accept_word("with") ? properties(*change) : rest();
}

bool Parser::drop(Statement& s) {
    auto change = std::make_shared<SchemaStatement>();
    change->verb = SchemaStatement::Verb::drop;
    if (!schema_object(*change)) {
        if (at_word("role") || at_word("user") || at_word("identity")) {
            s.kind = StatementKind::access_control;
            return rest();
        }
        if (at_word("service") || at_word("service_level")) {
            s.kind = StatementKind::service_level;
            return rest();
        }
        s.kind = StatementKind::schema_change;
        s.schema = std::move(change);
        return false;
    }
    s.kind = StatementKind::schema_change;
    s.schema = change;
    change->if_exists = if_exists();
    using Object = SchemaStatement::Object;
    switch (change->object) {
        case Object::keyspace: {
            auto& n = change->name;
            n.range.begin = token_.range.begin;
            if (!name(n.keyspace)) return false;
            n.range.end = end_;
            return true;
        }
        case Object::trigger:
            return object_name(change->name) && accept_word("on") && object_name(s.table);
        case Object::table:
            if (!object_name(change->name)) return false;
            s.table = change->name;
            return true;
        case Object::function:
        case Object::aggregate:
            return object_name(change->name) && (!at(TokenKind::open_paren) || skip_group());
        default:
            return object_name(change->name);
    }
}

/// GRANT, REVOKE: the resource after ON, if there is one (a role is granted without).
bool Parser::grant(Statement& s) {
    skip_until({"on"});
    if (accept_word("on") && !resource(s)) return false;
    return rest();
}

bool Parser::list(Statement& s) {
    skip_until({"on"});
    if (accept_word("on") && !resource(s)) return false;
    return rest();
}

/// Parser.g: dataResource, functionResource, ...
bool Parser::resource(Statement& s) {
    const bool other = at_word("all") || at_word("role") || at_word("mbean") || at_word("mbeans");
    // `ON role` alone is a table of that name.
    const bool alone = peek().kind == TokenKind::end || peek().kind == TokenKind::semicolon ||
                       peek().kind == TokenKind::dot || next_is_word("to") || next_is_word("from") ||
                       next_is_word("of") || next_is_word("norecursive");
    if (other && !alone) return true;
    if (at_word("keyspace") || at_word("schema")) return true;
    if (!alone && (at_word("table") || at_word("columnfamily") || at_word("function"))) advance();
    return object_name(s.table);
}

// Parser.g: describeStatement.
bool Parser::describe(Statement& s) {
    const auto one = [&] {
        return peek().kind == TokenKind::end || peek().kind == TokenKind::semicolon || next_is_word("with");
    };
    if (at_word("full") || at_word("only")) advance();
    if (at_word("cluster") || at_word("schema") || at_word("keyspaces")) return rest();
    if (at_word("keyspace")) {
        s.needs_keyspace = one();
        return rest();
    }
    if (one()) {  // TABLES, TYPES, .. of the connection's keyspace, or any object of it, or a keyspace
        s.needs_keyspace = true;
        return rest();
    }
    if (at_word("table") || at_word("columnfamily") || at_word("index") || at_word("type") || at_word("function") ||
        at_word("aggregate")) {
        if (peek().kind != TokenKind::dot) advance();
    } else {
        accept_words("materialized", "view");
    }
    return object_name(s.table) && rest();
}

bool Parser::statement(Statement& s) {
    if (!at(TokenKind::word)) return false;
    s.verb = here();
    if (at_word("insert") || at_word("update") || at_word("delete")) return modification(s);
    if (accept_word("select")) {
        s.kind = StatementKind::select;
        return select(s);
    }
    if (accept_word("begin")) return batch(s);
    if (accept_word("use")) {
        s.kind = StatementKind::use;
        return name(s.keyspace);
    }
    if (accept_word("truncate")) {
        s.kind = StatementKind::truncate;
        return truncate(s);
    }
    if (accept_word("create")) return create(s);
    if (accept_word("alter")) return alter(s);
    if (accept_word("drop")) return drop(s);
    if (accept_word("grant") || accept_word("revoke")) {
        s.kind = StatementKind::access_control;
        return grant(s);
    }
    if (accept_word("list")) {
        s.kind = StatementKind::list;
        return list(s);
    }
    if (accept_word("describe") || accept_word("desc")) {
        s.kind = StatementKind::describe;
        return describe(s);
    }
    if (accept_word("prune")) {
        s.kind = StatementKind::prune;
        return prune(s);
    }
    if (accept_word("attach") || accept_word("detach")) {
        s.kind = StatementKind::service_level;
        return rest();
    }
    if (accept_word("add")) {  // ADD IDENTITY
        s.kind = StatementKind::access_control;
        return rest();
    }
    advance();
    return false;
}

void Parser::open(Statement& s) {
    s.text = text_;
    s.range.begin = token_.range.begin;
    s.first_marker = markers_;
    if (at(TokenKind::word)) s.verb = here();
}

void Parser::close(Statement& s) {
    s.range.end = std::max(s.range.begin, end_);
    s.marker_count = markers_ - s.first_marker;
}

Statement Parser::parse() {
    Statement s;
    open(s);
    bool ok = statement(s);
    close(s);
    if (!ok) {
        // To the end nonetheless, for markers and volatiles.
        while (!at(TokenKind::end)) {
            const bool separator = at(TokenKind::semicolon);
            advance();
            if (!separator) close(s);
        }
    }
    while (accept(TokenKind::semicolon)) {
    }
    if (!at(TokenKind::end)) {
        ok = false;
        while (!at(TokenKind::end)) advance();
    }
    s.marker_count = lexer_.marker_count();
    s.complete = ok && understood_ && !lexer_.overflowed() && spend(0);

    const bool evaluates = s.kind == StatementKind::select || s.is_dml() || s.kind == StatementKind::unknown;
    if (evaluates) {
        s.volatiles = std::move(lexer_.volatiles());
        if (!user_functions_.empty()) {
            s.volatiles.insert(s.volatiles.end(), user_functions_.begin(), user_functions_.end());
            std::stable_sort(s.volatiles.begin(), s.volatiles.end(),
                             [](const Volatile& a, const Volatile& b) { return a.range.begin < b.range.begin; });
        }
    }
    if (!marker_names_.empty() && spend(s.marker_count * sizeof(std::string_view))) {
        s.marker_names.resize(s.marker_count);
        for (const auto& [ordinal, name] : marker_names_) s.marker_names[ordinal] = name;
    }
    const std::shared_ptr<const TextArena> arena = decoder_.arena();
    s.storage = arena;
    auto next_volatile = s.volatiles.begin();
    for (auto& child : s.children) {
        child.storage = arena;
        if (!s.marker_names.empty()) {
            const auto first = s.marker_names.begin() + child.first_marker;
            child.marker_names.assign(first, first + child.marker_count);
        }
        while (next_volatile != s.volatiles.end() && next_volatile->range.begin < child.range.begin) ++next_volatile;
        while (next_volatile != s.volatiles.end() && next_volatile->range.begin < child.range.end)
            child.volatiles.push_back(*next_volatile++);
    }
    return s;
}

}  // namespace

Statement parse(std::string_view text) {
    if (text.size() >= std::numeric_limits<std::uint32_t>::max()) {
        // Longer than any frame: positions would not fit.
        Statement s;
        s.text = text;
        return s;
    }
    return Parser(text).parse();
}

}  // namespace penumbra::cql
