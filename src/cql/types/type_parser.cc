#include <algorithm>
#include <string>
#include <utility>

#include "cql/types/type.h"

namespace penumbra::cql {
namespace {

/// Recursive descent over the text of one CQL type.
class TypeParser {
  public:
    TypeParser(std::string_view text, std::string_view keyspace, const UdtResolver& udts)
        : text_(text), keyspace_(keyspace), udts_(udts) {}

    Result<TypePtr> parse() {
        TRY(auto type, one(0));
        skip_space();
        if (at_ != text_.size()) return trouble("text left over");
        return type;
    }

  private:
    struct Name {
        std::string text;  ///< lower-cased unless it was quoted
        bool quoted = false;
    };

    Result<TypePtr> one(int depth) {
        if (depth > kMaxTypeDepth) return trouble("types nest too deep");
        skip_space();
        if (at_ < text_.size() && text_[at_] == '\'') {
            TRY(auto class_name, string_in('\''));
            return parse_marshal_class(class_name);
        }
        TRY(auto first, name());
        if (take('.')) {
            TRY(auto second, name());
            return udts_(first.text, second.text);
        }
        if (!first.quoted) {
            if (const auto kind = scalar_kind(first.text)) return scalar(*kind);
            if (first.text == "empty") return custom_of("org.apache.cassandra.db.marshal.EmptyType");
            if (peek('<')) return generic(first.text, depth);
        }
        return udts_(keyspace_, first.text);
    }

    Result<TypePtr> generic(const std::string& name, int depth) {
        TRY(expect('<'));
        if (name == "vector") {
            TRY(auto element, one(depth + 1));
            TRY(expect(','));
            TRY(auto dimension, number());
            TRY(expect('>'));
            return vector_of(std::move(element), dimension);
        }
        std::vector<TypePtr> inner;
        do {
            TRY(auto type, one(depth + 1));
            inner.push_back(std::move(type));
        } while (take(','));
        TRY(expect('>'));
        const auto wants = [&](std::size_t n) -> Status {
            if (inner.size() == n) return ok();
            return trouble(name + " with a wrong number of types");
        };
        if (name == "frozen") {
            TRY(wants(1));
            if (!inner[0]->has_elements()) return trouble("frozen<> of a type that has no elements");
            return freeze(inner[0]);
        }
        if (name == "list" || name == "set") {
            TRY(wants(1));
            return name == "list" ? list_of(inner[0]) : set_of(inner[0]);
        }
        if (name == "map") {
            TRY(wants(2));
            return map_of(inner[0], inner[1]);
        }
        if (name == "tuple") return tuple_of(std::move(inner));
        return trouble("no type is called " + name);
    }

    Result<Name> name() {
        skip_space();
        if (at_ < text_.size() && text_[at_] == '"') {
            TRY(auto text, string_in('"'));
            return Name{std::move(text), true};
        }
        Name name;
        const auto part = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        };
        for (; at_ < text_.size() && part(text_[at_]); ++at_) {
            const char c = text_[at_];
            name.text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
        if (name.text.empty()) return trouble("a name expected");
        return name;
    }

    Result<std::string> string_in(char quote) {
        std::string text;
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == quote) {
                ++at_;
                if (at_ == text_.size() || text_[at_] != quote) return text;
            }
            text += text_[at_];
        }
        return trouble("a quote is not closed");
    }

    Result<std::uint32_t> number() {
        skip_space();
        std::uint64_t value = 0;
        const auto start = at_;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > INT32_MAX) return trouble("a number is too large");
        }
        if (start == at_ || value == 0) return trouble("a positive number expected");
        return static_cast<std::uint32_t>(value);
    }

    void skip_space() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool peek(char c) {
        skip_space();
        return at_ < text_.size() && text_[at_] == c;
    }
    bool take(char c) {
        if (!peek(c)) return false;
        ++at_;
        return true;
    }
    Status expect(char c) {
        if (take(c)) return ok();
        return trouble(std::string("'") + c + "' expected");
    }
    BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> trouble(const std::string& what) const {
        return fail(Errc::invalid_argument,
                    "type '" + std::string(text_.substr(0, 200)) + "': " + what + " at " + std::to_string(at_));
    }

    std::string_view text_;
    std::string_view keyspace_;
    const UdtResolver& udts_;
    std::size_t at_ = 0;
};

}  // namespace

Result<TypePtr> parse_type(std::string_view cql, std::string_view keyspace, const UdtResolver& udts) {
    return TypeParser(cql, keyspace, udts).parse();
}

}  // namespace penumbra::cql
