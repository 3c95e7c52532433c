#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cql/language/statement.h"
#include "cql/language/text_arena.h"

namespace penumbra::cql {

enum class TokenKind : std::uint8_t {
    end,
    word,    ///< a keyword or a bare identifier: which of the two is for the place where it stands to say
    quoted,  ///< "identifier"
    string,  ///< '...' or $$...$$
    integer,
    floating,
    uuid,
    blob,
    duration,
    marker,  ///< `?`, or `:name` with its name
    open_paren,
    close_paren,
    open_bracket,
    close_bracket,
    open_brace,
    close_brace,
    comma,
    semicolon,
    dot,
    range,  ///< ..
    colon,  ///< between key and value; the colon of `:name` belongs to its marker
    eq,
    ne,
    lt,
    le,
    gt,
    ge,
    plus,
    minus,
    star,
    slash,
    percent,
    plus_eq,
    minus_eq,
    bad,  ///< what no lexer of a server takes: a stray character, or a string or comment without its end
};

struct Token {
    TokenKind kind = TokenKind::end;
    bool decode =
        false;  ///< word: holds upper-case letters. quoted, string: holds doubled quotes. marker: its name does either
    std::uint8_t quotes = 0;  ///< quoted, string: how many characters the quotes take on each side. marker: of its name
    std::uint32_t ordinal = 0;  ///< marker: 0-based
    std::uint32_t name = 0;     ///< marker: where its name begins; 0 for `?`
    TextRange range;
};

/// Is the token this keyword? `lower` in lower case.
inline bool is_word(std::string_view text, const Token& token, std::string_view lower) {
    if (token.kind != TokenKind::word || token.range.size() != lower.size()) return false;
    const char* at = text.data() + token.range.begin;
    for (std::size_t i = 0; i < lower.size(); ++i) {
        const char c = at[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[i]) return false;
    }
    return true;
}

/// Cuts a CQL text into tokens, as the lexers of Cassandra (src/antlr/Lexer.g) and ScyllaDB (cql3/Cql.g) do, and notes
/// on the way what can be told without a grammar, so that it is right even in statements that we do not understand:
/// bind markers and volatiles. One pass, no look back in the text, constant work per byte.
class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Token next();

    std::string_view text() const { return text_; }
    std::uint32_t marker_count() const { return marker_count_; }
    /// Everything but user functions, which only a grammar can tell.
    std::vector<Volatile>& volatiles() { return volatiles_; }
    /// A bound was reached and `volatiles` is not all of them.
    bool overflowed() const { return overflowed_; }

  private:
    enum class Bracket : std::uint8_t { other, brace_key, brace_value };
    static constexpr std::size_t kMaxBrackets = 1 << 16;

    void skip_blank();
    void number(Token& token);
    void word(Token& token);
    void string(Token& token);
    void dollar_string(Token& token);
    void quoted(Token& token);
    void colon(Token& token);
    bool uuid_at(std::size_t at) const;
    std::size_t duration_end(std::size_t digits) const;
    std::size_t iso_duration_end(std::size_t at) const;
    void note(const Token& token);
    void open_bracket(Bracket bracket);
    void close_bracket();
    void note_type(const Token& token);
    void note_string(const Token& token);
    void add_volatile(VolatileKind kind, TextRange range);
    std::size_t ident_end(std::size_t at, bool& upper) const;
    char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint32_t marker_count_ = 0;
    std::vector<Volatile> volatiles_;
    bool overflowed_ = false;

    /// The open brackets, innermost last. Only in a brace, and once per entry, a colon separates key and value.
    std::vector<Bracket> brackets_;
    std::size_t untracked_ = 0;  ///< open brackets past kMaxBrackets
    /// Is what the latest parenthesis held so far a type, and did the latest token close one? Behind (type) a colon
    /// begins a marker.
    bool maybe_type_ = false;
    bool closed_type_ = false;
    /// The tokens before the current one: before_[0] the latest.
    Token before_[4];
    std::size_t unterminated_ = std::string_view::npos;  ///< where a block comment without end begins
};

/// Turns names and strings into their real characters: as views into the text where they stand there, else copies in
/// the arena.
class Decoder {
  public:
    explicit Decoder(std::string_view text) : text_(text) {}

    /// Of a word (lower case), a quoted identifier, a string or a marker's name ("" for `?`).
    std::string_view decode(const Token& token);
    std::shared_ptr<const TextArena> arena() const { return arena_; }

  private:
    char* take(std::size_t size) {
        if (!arena_) arena_ = std::make_shared<TextArena>();
        return arena_->take(size);
    }

    std::string_view text_;
    std::shared_ptr<TextArena> arena_;
};

}  // namespace penumbra::cql
