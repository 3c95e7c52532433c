#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "cql/language/lexer.h"
#include "cql/language/parser.h"
#include "cql/language/statement.h"

/// Inside of the parser, cut by areas of the grammar: parse_terms.cc, parse_clauses.cc, parse_data.cc (SELECT, INSERT,
/// UPDATE, DELETE, BATCH), parse_schema.cc (DDL, roles, DESCRIBE) and parser.cc (which statement it is).
namespace penumbra::cql::parsing {

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

}  // namespace penumbra::cql::parsing
