#include "cql/language/lexer.h"

#include <array>
#include <cstring>

#include "cql/language/parser.h"
#include "cql/language/rewrite.h"

namespace penumbra::cql {

namespace {

enum CharClass : std::uint8_t { kLetter = 1, kDigit = 2, kHex = 4, kSpace = 8, kUpper = 16, kUnderscore = 32 };

// ASCII only, as the grammars say: bytes from 0x80 on stand in strings, quoted names and comments alone.
constexpr std::array<std::uint8_t, 256> kClasses = [] {
    std::array<std::uint8_t, 256> classes{};
    for (int c = 'a'; c <= 'z'; ++c) classes[c] |= kLetter;
    for (int c = 'A'; c <= 'Z'; ++c) classes[c] |= kLetter | kUpper;
    for (int c = '0'; c <= '9'; ++c) classes[c] |= kDigit | kHex;
    for (int c = 'a'; c <= 'f'; ++c) classes[c] |= kHex;
    for (int c = 'A'; c <= 'F'; ++c) classes[c] |= kHex;
    for (char c : {' ', '\t', '\n', '\r'}) classes[static_cast<unsigned char>(c)] |= kSpace;
    classes['_'] |= kUnderscore;
    return classes;
}();

std::uint8_t class_of(char c) {
    return kClasses[static_cast<unsigned char>(c)];
}
bool is_digit(char c) {
    return class_of(c) & kDigit;
}
bool is_hex(char c) {
    return class_of(c) & kHex;
}
bool is_letter(char c) {
    return class_of(c) & kLetter;
}
char lower(char c) {
    return class_of(c) & kUpper ? static_cast<char>(c | 0x20) : c;
}

bool equals_lower(std::string_view text, std::string_view lower_case) {
    if (text.size() != lower_case.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (lower(text[i]) != lower_case[i]) return false;
    }
    return true;
}

struct NamedVolatile {
    std::string_view name;
    VolatileKind kind;
};
// Cassandra functions/TimeFcts.java and UuidFcts.java (snake_case since 5.0), ScyllaDB
// cql3/functions/time_uuid_fcts.hh. All without arguments.
constexpr NamedVolatile kVolatileFunctions[] = {
    {"now", VolatileKind::now},
    {"uuid", VolatileKind::uuid},
    {"currenttimestamp", VolatileKind::current_timestamp},
    {"current_timestamp", VolatileKind::current_timestamp},
    {"currentdate", VolatileKind::current_date},
    {"current_date", VolatileKind::current_date},
    {"currenttime", VolatileKind::current_time},
    {"current_time", VolatileKind::current_time},
    {"currenttimeuuid", VolatileKind::current_timeuuid},
    {"current_timeuuid", VolatileKind::current_timeuuid},
};

bool ends_term(TokenKind kind) {
    return (kind >= TokenKind::word && kind <= TokenKind::marker) || kind == TokenKind::close_paren ||
           kind == TokenKind::close_bracket || kind == TokenKind::close_brace;
}

}  // namespace

void Lexer::skip_blank() {
    for (;;) {
        while (at_ < text_.size() && (class_of(text_[at_]) & kSpace)) ++at_;
        if (at_ + 1 >= text_.size()) return;
        const char a = text_[at_], b = text_[at_ + 1];
        if ((a == '-' && b == '-') || (a == '/' && b == '/')) {
            // Servers want the line to end; whether it does is no question of what the statement says.
            const auto end = text_.find_first_of("\r\n", at_ + 2);
            at_ = end == std::string_view::npos ? text_.size() : end + 1;
        } else if (a == '/' && b == '*') {
            const auto end = text_.find("*/", at_ + 2);
            if (end == std::string_view::npos) {
                unterminated_ = at_;
                return;
            }
            at_ = end + 2;
        } else {
            return;
        }
    }
}

Token Lexer::next() {
    skip_blank();
    Token token;
    token.range.begin = static_cast<std::uint32_t>(at_);
    const auto single = [&](TokenKind kind) {
        token.kind = kind;
        ++at_;
    };
    const auto either = [&](char second, TokenKind two, TokenKind one) {
        token.kind = at(at_ + 1) == second ? two : one;
        at_ += token.kind == two ? 2 : 1;
    };
    if (at_ >= text_.size()) {
        token.kind = TokenKind::end;
    } else if (at_ == unterminated_) {
        token.kind = TokenKind::bad;
        at_ = text_.size();
    } else {
        const char c = text_[at_];
        if (is_letter(c)) {
            word(token);
        } else if (is_digit(c)) {
            number(token);
        } else {
            switch (c) {
                case '\'':
                    string(token);
                    break;
                case '$':
                    dollar_string(token);
                    break;
                case '"':
                    quoted(token);
                    break;
                case '?':
                    token.ordinal = marker_count_++;
                    single(TokenKind::marker);
                    break;
                case ':':
                    colon(token);
                    break;
                case '(':
                    single(TokenKind::open_paren);
                    break;
                case ')':
                    single(TokenKind::close_paren);
                    break;
                case '[':
                    single(TokenKind::open_bracket);
                    break;
                case ']':
                    single(TokenKind::close_bracket);
                    break;
                case '{':
                    single(TokenKind::open_brace);
                    break;
                case '}':
                    single(TokenKind::close_brace);
                    break;
                case ',':
                    single(TokenKind::comma);
                    break;
                case ';':
                    single(TokenKind::semicolon);
                    break;
                case '.':
                    either('.', TokenKind::range, TokenKind::dot);
                    break;
                case '=':
                    single(TokenKind::eq);
                    break;
                case '!':
                    either('=', TokenKind::ne, TokenKind::bad);
                    break;
                case '<':
                    either('=', TokenKind::le, TokenKind::lt);
                    break;
                case '>':
                    either('=', TokenKind::ge, TokenKind::gt);
                    break;
                case '+':
                    either('=', TokenKind::plus_eq, TokenKind::plus);
                    break;
                case '-': {
                    const char d = at(at_ + 1);
                    if (is_digit(d) || is_letter(d)) {
                        number(token);
                    } else {
                        either('=', TokenKind::minus_eq, TokenKind::minus);
                    }
                    break;
                }
                case '*':
                    single(TokenKind::star);
                    break;
                case '/':
                    single(TokenKind::slash);
                    break;
                case '%':
                    single(TokenKind::percent);
                    break;
                default:
                    single(TokenKind::bad);
                    break;
            }
        }
    }
    token.range.end = static_cast<std::uint32_t>(at_);
    note(token);
    return token;
}

std::size_t Lexer::ident_end(std::size_t at, bool& upper) const {
    std::uint8_t seen = 0;
    while (at < text_.size()) {
        const std::uint8_t c = class_of(text_[at]);
        if (!(c & (kLetter | kDigit | kUnderscore))) break;
        seen |= c;
        ++at;
    }
    upper = seen & kUpper;
    return at;
}

void Lexer::word(Token& token) {
    if (is_hex(text_[at_]) && uuid_at(at_)) {
        token.kind = TokenKind::uuid;
        at_ += 36;
        return;
    }
    if (text_[at_] == 'P') {
        if (const auto end = iso_duration_end(at_)) {
            token.kind = TokenKind::duration;
            at_ = end;
            return;
        }
    }
    token.kind = TokenKind::word;
    at_ = ident_end(at_, token.decode);
}

bool Lexer::uuid_at(std::size_t at) const {
    if (text_.size() - at < 36 || text_[at + 8] != '-') return false;
    for (std::size_t i = 0; i < 36; ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text_[at + i] != '-' : !is_hex(text_[at + i])) return false;
    }
    return true;
}

/// Where a duration such as 1h30m ends whose first digits end at `digits`; 0 if it is none.
std::size_t Lexer::duration_end(std::size_t digits) const {
    std::size_t good = 0;
    for (std::size_t i = digits;;) {
        const char a = lower(at(i)), b = lower(at(i + 1));
        if ((a == 'm' && (b == 'o' || b == 's')) || ((a == 'u' || a == 'n') && b == 's')) {
            i += 2;
        } else if (at(i) == '\xC2' && at(i + 1) == '\xB5' && lower(at(i + 2)) == 's') {
            i += 3;
        } else if (a == 'y' || a == 'w' || a == 'd' || a == 'h' || a == 'm' || a == 's') {
            i += 1;
        } else {
            return good;
        }
        good = i;
        if (!is_digit(at(i))) return good;
        while (is_digit(at(i))) ++i;
    }
}

/// Where an ISO 8601 duration that begins at `start` (its P) ends; 0 if it is none. The letters are upper case.
std::size_t Lexer::iso_duration_end(std::size_t start) const {
    constexpr std::string_view kAlternative = "P0000-00-00T00:00:00";
    if (text_.size() - start >= kAlternative.size() && text_[start + 5] == '-') {
        std::size_t i = 0;
        while (i < kAlternative.size() &&
               (kAlternative[i] == '0' ? is_digit(text_[start + i]) : text_[start + i] == kAlternative[i]))
            ++i;
        if (i == kAlternative.size()) return start + i;
    }
    std::size_t i = start + 1;
    bool any = false;
    for (std::string_view units : {std::string_view("YMWD"), std::string_view("HMS")}) {
        if (units[0] == 'H') {
            if (at(i) != 'T') break;
            ++i;
        }
        std::size_t next_unit = 0;
        while (is_digit(at(i))) {
            std::size_t j = i;
            while (is_digit(at(j))) ++j;
            const auto unit = units.find(at(j), next_unit);
            if (at(j) == '\0' || unit == std::string_view::npos) return 0;
            next_unit = unit + 1;
            i = j + 1;
            any = true;
        }
    }
    // A longer word that merely begins like a duration is a name.
    bool upper = false;
    return any && ident_end(i, upper) == i ? i : 0;
}

void Lexer::number(Token& token) {
    const std::size_t start = at_;
    std::size_t i = start;
    if (text_[i] == '-') {
        ++i;
        if (is_letter(at(i))) {
            // -NaN, -Infinity and -P1D are one token each; before any other word the sign stands alone.
            bool upper = false;
            const auto end = ident_end(i, upper);
            const auto name = text_.substr(i, end - i);
            if (equals_lower(name, "nan") || equals_lower(name, "infinity")) {
                token.kind = TokenKind::floating;
                at_ = end;
            } else if (const auto iso = text_[i] == 'P' ? iso_duration_end(i) : 0) {
                token.kind = TokenKind::duration;
                at_ = iso;
            } else {
                token.kind = TokenKind::minus;
                at_ = i;
            }
            return;
        }
    } else {
        if (uuid_at(i)) {
            token.kind = TokenKind::uuid;
            at_ = i + 36;
            return;
        }
        if (text_[i] == '0' && (at(i + 1) | 0x20) == 'x') {
            i += 2;
            while (is_hex(at(i))) ++i;
            token.kind = TokenKind::blob;
            at_ = i;
            return;
        }
    }
    while (is_digit(at(i))) ++i;
    if (const auto end = duration_end(i)) {
        token.kind = TokenKind::duration;
        at_ = end;
        return;
    }
    token.kind = TokenKind::integer;
    // `1..2` is a slice, `1.` a number, `1...2` both (Lexer.g, FLOAT).
    if (at(i) == '.' && (at(i + 1) != '.' || at(i + 2) == '.')) {
        token.kind = TokenKind::floating;
        ++i;
        while (is_digit(at(i))) ++i;
    }
    if (lower(at(i)) == 'e') {
        std::size_t j = i + 1;
        if (at(j) == '+' || at(j) == '-') ++j;
        if (is_digit(at(j))) {
            token.kind = TokenKind::floating;
            while (is_digit(at(j))) ++j;
            i = j;
        }
    }
    at_ = i;
}

void Lexer::string(Token& token) {
    token.kind = TokenKind::string;
    token.quotes = 1;
    for (std::size_t i = at_ + 1;;) {
        const auto quote = text_.find('\'', i);
        if (quote == std::string_view::npos) {
            token.kind = TokenKind::bad;
            at_ = text_.size();
            return;
        }
        if (at(quote + 1) != '\'') {
            at_ = quote + 1;
            return;
        }
        token.decode = true;
        i = quote + 2;
    }
}

void Lexer::dollar_string(Token& token) {
    token.kind = TokenKind::bad;
    if (at(at_ + 1) != '$') {
        ++at_;
        return;
    }
    const auto end = text_.find("$$", at_ + 2);
    if (end == std::string_view::npos) {
        at_ = text_.size();
        return;
    }
    token.kind = TokenKind::string;
    token.quotes = 2;
    at_ = end + 2;
}

void Lexer::quoted(Token& token) {
    token.kind = TokenKind::quoted;
    token.quotes = 1;
    for (std::size_t i = at_ + 1;;) {
        const auto quote = text_.find('"', i);
        if (quote == std::string_view::npos) {
            token.kind = TokenKind::bad;
            at_ = text_.size();
            return;
        }
        if (at(quote + 1) != '"') {
            at_ = quote + 1;
            return;
        }
        token.decode = true;
        i = quote + 2;
    }
}

void Lexer::colon(Token& token) {
    token.kind = TokenKind::colon;
    ++at_;
    // In {a: b} the first colon that follows a whole term separates. All others begin a marker.
    if (!brackets_.empty() && untracked_ == 0 && brackets_.back() == Bracket::brace_key && ends_term(before_[0].kind) &&
        !closed_type_) {
        brackets_.back() = Bracket::brace_value;
        return;
    }
    skip_blank();
    const std::size_t name = at_;
    if (at_ == unterminated_) return;
    if (at_ < text_.size() && is_letter(text_[at_])) {
        at_ = ident_end(at_, token.decode);
    } else if (at_ < text_.size() && text_[at_] == '"') {
        Token name_token;
        quoted(name_token);
        if (name_token.kind == TokenKind::bad) {
            token.kind = TokenKind::bad;
            return;
        }
        token.decode = name_token.decode;
        token.quotes = 1;
    } else {
        return;
    }
    token.kind = TokenKind::marker;
    token.name = static_cast<std::uint32_t>(name);
    token.ordinal = marker_count_++;
}

void Lexer::add_volatile(VolatileKind kind, TextRange range) {
    if ((volatiles_.size() + 1) * sizeof(Volatile) > kMaxParsedBytes) {
        overflowed_ = true;
        return;
    }
    volatiles_.push_back({kind, range, marker_count_});
}

void Lexer::open_bracket(Bracket bracket) {
    if (brackets_.size() < kMaxBrackets) {
        brackets_.push_back(bracket);
    } else {
        ++untracked_;
    }
}

void Lexer::close_bracket() {
    if (untracked_ > 0) {
        --untracked_;
    } else if (!brackets_.empty()) {
        brackets_.pop_back();
    }
}

void Lexer::note_string(const Token& token) {
    const auto content = text_.substr(token.range.begin + token.quotes, token.range.size() - 2 * token.quotes);
    if (content.size() < 3) return;
    if (equals_lower(content, "now")) {
        add_volatile(VolatileKind::now_string, token.range);
        return;
    }
    // INSERT .. JSON '<here>', fromJson('<here>').
    const bool json = is_word(text_, before_[0], "json") ||
                      (before_[0].kind == TokenKind::open_paren &&
                       (is_word(text_, before_[1], "fromjson") || is_word(text_, before_[1], "from_json")));
    // A quote doubled for CQL cannot be part of "now", nor hide one.
    if (json && json_has_now(content)) add_volatile(VolatileKind::now_in_json, token.range);
}

void Lexer::note_type(const Token& token) {
    closed_type_ = false;
    switch (token.kind) {
        case TokenKind::open_paren:
            maybe_type_ = before_[0].kind != TokenKind::word && before_[0].kind != TokenKind::quoted;
            return;
        case TokenKind::close_paren:
            closed_type_ = maybe_type_ && before_[0].kind != TokenKind::open_paren;
            break;
        case TokenKind::word:
            for (const std::string_view literal : {"null", "true", "false", "nan", "infinity"}) {
                if (is_word(text_, token, literal)) maybe_type_ = false;
            }
            return;
        case TokenKind::quoted:
        case TokenKind::dot:
        case TokenKind::lt:
        case TokenKind::gt:
        case TokenKind::integer:  // vector<float, 3>
        case TokenKind::comma:
            // Alone, a number is a number.
            if (before_[0].kind == TokenKind::open_paren && token.kind == TokenKind::integer) break;
            return;
        default:
            break;
    }
    maybe_type_ = false;
}

void Lexer::note(const Token& token) {
    if (!brackets_.empty()) note_type(token);
    switch (token.kind) {
        case TokenKind::open_paren:
        case TokenKind::open_bracket:
            open_bracket(Bracket::other);
            break;
        case TokenKind::open_brace:
            open_bracket(Bracket::brace_key);
            break;
        case TokenKind::comma:
            if (!brackets_.empty() && brackets_.back() == Bracket::brace_value) brackets_.back() = Bracket::brace_key;
            break;
        case TokenKind::close_paren:
            // name ( ), with the keyspace of the servers' own functions or none
            if (before_[0].kind == TokenKind::open_paren &&
                (before_[1].kind == TokenKind::word || before_[1].kind == TokenKind::quoted)) {
                const auto& name = before_[1];
                const auto spelled = text_.substr(name.range.begin + name.quotes, name.range.size() - 2 * name.quotes);
                for (const auto& known : kVolatileFunctions) {
                    if (name.kind == TokenKind::quoted ? spelled != known.name : !equals_lower(spelled, known.name))
                        continue;
                    std::uint32_t begin = name.range.begin;
                    if (before_[2].kind == TokenKind::dot) {
                        const auto& keyspace = before_[3];
                        const bool system =
                            is_word(text_, keyspace, "system") ||
                            (keyspace.kind == TokenKind::quoted && keyspace.range.in(text_) == "\"system\"");
                        if (!system) break;  // somebody's own function of that name: the grammar notes it
                        begin = keyspace.range.begin;
                    }
                    add_volatile(known.kind, {begin, token.range.end});
                    break;
                }
            }
            [[fallthrough]];
        case TokenKind::close_bracket:
        case TokenKind::close_brace:
            close_bracket();
            break;
        case TokenKind::string:
            note_string(token);
            break;
        default:
            break;
    }
    before_[3] = before_[2];
    before_[2] = before_[1];
    before_[1] = before_[0];
    before_[0] = token;
}

std::string_view Decoder::decode(const Token& token) {
    TextRange range = token.range;
    if (token.kind == TokenKind::marker) {
        if (token.name == 0) return {};
        range.begin = token.name;
    }
    const auto raw = text_.substr(range.begin + token.quotes, range.size() - 2 * token.quotes);
    if (!token.decode) return raw;
    char* out = take(raw.size());
    if (token.quotes == 0) {
        for (std::size_t i = 0; i < raw.size(); ++i) out[i] = lower(raw[i]);
        return {out, raw.size()};
    }
    const char quote = token.kind == TokenKind::string ? '\'' : '"';
    std::size_t size = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        out[size++] = raw[i];
        if (raw[i] == quote) ++i;
    }
    arena_->give_back(raw.size() - size);
    return {out, size};
}

}  // namespace penumbra::cql
