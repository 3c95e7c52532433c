#include "cql/ddl/datacenter_names.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace penumbra::cql::ddl {

namespace {

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<DatacenterNames> parse_datacenter_names(std::span<const std::string> texts) {
    DatacenterNames names;
    for (const std::string_view text : texts) {
        const auto equals = text.find('=');
        const auto colon = text.rfind(':');
        const bool has_factor = colon != std::string_view::npos && equals != std::string_view::npos && colon > equals;
        const auto factor = has_factor ? text.substr(colon + 1) : std::string_view();
        const auto source = text.substr(0, equals);
        const auto target = equals == std::string_view::npos ? std::string_view()
                            : has_factor                     ? text.substr(equals + 1, colon - equals - 1)
                                                             : text.substr(equals + 1);
        if (source.empty() || target.empty() || (has_factor && !is_number(factor)))
            return fail(Errc::invalid_argument, fmt::format("'{}' is not SOURCE=TARGET or SOURCE=TARGET:RF", text));
        const bool fresh =
            names.to_target.emplace(source, Options::Datacenter{std::string(target), std::string(factor)}).second &&
            names.to_source.emplace(target, Options::Datacenter{std::string(source), ""}).second;
        if (!fresh) return fail(Errc::invalid_argument, fmt::format("'{}' names a datacenter a second time", text));
    }
    return names;
}

}  // namespace penumbra::cql::ddl
