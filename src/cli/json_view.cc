#include "cli/json_view.h"

#include <cmath>

#include <fmt/format.h>

namespace penumbra::cli {

namespace json = boost::json;

const json::value* find(const json::value& in, std::string_view at) {
    const json::value* value = &in;
    while (!at.empty()) {
        const auto* object = value->if_object();
        if (!object) return nullptr;
        const auto step = at.substr(0, at.find('/'));
        at.remove_prefix(std::min(at.size(), step.size() + 1));
        value = object->if_contains({step.data(), step.size()});
        if (!value) return nullptr;
    }
    return value;
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F, two bytes in UTF-8, are control characters as well.
        const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
        } else if (c < 0x20 || c == 0x7f) {
            out += fmt::format("\\x{:02x}", c);
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string text(const json::value& in, std::string_view at) {
    const auto* value = find(in, at);
    if (!value) return "-";
    switch (value->kind()) {
        case json::kind::string:
            return value->get_string().empty() ? "-"
                                               : printable({value->get_string().data(), value->get_string().size()});
        case json::kind::int64:
            return fmt::format("{}", value->get_int64());
        case json::kind::uint64:
            return fmt::format("{}", value->get_uint64());
        case json::kind::double_:
            return fmt::format("{:.1f}", value->get_double());
        case json::kind::bool_:
            return value->get_bool() ? "yes" : "no";
        case json::kind::null:
        case json::kind::array:
        case json::kind::object:
            return "-";
    }
    return "-";
}

double number(const json::value& in, std::string_view at) {
    const auto* value = find(in, at);
    if (!value) return 0;
    if (value->is_double()) return value->get_double();
    if (value->is_int64()) return static_cast<double>(value->get_int64());
    if (value->is_uint64()) return static_cast<double>(value->get_uint64());
    return 0;
}

std::uint64_t count(const json::value& in, std::string_view at) {
    const auto* value = find(in, at);
    if (value && value->is_uint64()) return value->get_uint64();
    const double rounded = std::round(number(in, at));
    return rounded > 0 && rounded < 1.8e19 ? static_cast<std::uint64_t>(rounded) : 0;
}

bool truth(const json::value& in, std::string_view at) {
    const auto* value = find(in, at);
    return value && value->is_bool() && value->get_bool();
}

const json::array& list(const json::value& in, std::string_view at) {
    static const json::array kNone;
    const auto* value = find(in, at);
    return value && value->is_array() ? value->get_array() : kNone;
}

}  // namespace penumbra::cli
