#include "proxy/proxy_ring.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "cql/protocol/md5.h"

namespace penumbra::proxy {

namespace {

bool is_unspecified(const Endpoint& endpoint) {
    return std::ranges::all_of(endpoint.address(), [](Byte byte) { return byte == Byte{0}; });
}

Result<cql::Token> parse_token(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || cql::Token(value) == cql::kMinToken)
        return fail(Errc::invalid_argument, fmt::format("'{}' is no token", text));
    return cql::Token(value);
}

/// The nth of `count` tokens that divide the ring evenly.
cql::Token even_token(std::size_t n, std::size_t count) {
    const auto step = UINT64_MAX / count;
    return cql::Token(static_cast<std::int64_t>(static_cast<std::uint64_t>(INT64_MIN) + (n + 1) * step));
}

Status check_unique(const std::vector<ProxyNode>& nodes) {
    std::set<cql::Uuid> ids;
    std::set<cql::Token> tokens;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const auto& node = nodes[i];
        if (i > 0 && nodes[i - 1].address == node.address)
            return fail(Errc::invalid_argument, fmt::format("{} is listed twice", to_string(node.address)));
        if (!ids.insert(*node.host_id).second)
            return fail(Errc::invalid_argument, fmt::format("two proxies have host id {}", to_string(*node.host_id)));
        for (const auto token : node.tokens) {
            if (!tokens.insert(token).second)
                return fail(Errc::invalid_argument, fmt::format("token {} is listed twice", token.value()));
        }
    }
    return ok();
}

}  // namespace

cql::Uuid host_id_of(const Endpoint& address) {
    const auto hash = cql::md5({"penumbra proxy", to_string(address)});
    return cql::Uuid::random(load_be<std::uint64_t>(hash.data()), load_be<std::uint64_t>(hash.data() + 8));
}

Result<ProxyNode> ProxyNode::parse(std::string_view text, std::uint16_t default_port) {
    ProxyNode node;
    const auto whole = text;
    const auto next = [&text] {
        const auto end = std::min(text.find(';'), text.size());
        const auto part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        return part;
    };
    TRY(node.address, Endpoint::parse(next(), default_port));
    while (!text.empty()) {
        const auto part = next();
        const auto equals = std::min(part.find('='), part.size());
        const auto name = part.substr(0, equals);
        const auto value = part.substr(std::min(equals + 1, part.size()));
        if (name == "rack" && !value.empty()) {
            node.rack = value;
        } else if (name == "host_id") {
            TRY(node.host_id, cql::Uuid::parse(value));
        } else if (name == "token") {
            TRY(const auto token, parse_token(value));
            node.tokens.push_back(token);
        } else {
            return fail(Errc::invalid_argument,
                        fmt::format("'{}' of '{}' is none of rack=, host_id= and token=", part, whole));
        }
    }
    return node;
}

Result<ProxyRingPtr> ProxyRing::make(ProxyNode self, std::vector<ProxyNode> others) {
    auto ring = std::make_shared<ProxyRing>();
    ring->nodes_ = std::move(others);
    auto& nodes = ring->nodes_;
    const auto address = self.address;
    if (std::ranges::find(nodes, address, &ProxyNode::address) == nodes.end()) nodes.push_back(std::move(self));
    for (const auto& node : nodes) {
        if (is_unspecified(node.address))
            return fail(Errc::invalid_argument,
                        fmt::format("{} is no address that drivers could connect to", to_string(node.address)));
    }
    std::ranges::sort(nodes, [](const auto& a, const auto& b) { return a.address < b.address; });
    const auto without = static_cast<std::size_t>(
        std::ranges::count_if(nodes, [](const ProxyNode& node) { return node.tokens.empty(); }));
    if (without != 0 && without != nodes.size())
        return fail(Errc::invalid_argument,
                    "either all proxies have tokens of their own or none: what is left over "
                    "would not be the same everywhere");
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        auto& node = nodes[i];
        if (!node.host_id) node.host_id = host_id_of(node.address);
        if (without == 0) continue;
        for (std::size_t n = 0; n < kTokensEach; ++n)
            node.tokens.push_back(even_token(n * nodes.size() + i, nodes.size() * kTokensEach));
    }
    TRY(check_unique(nodes));
    const auto mine = std::ranges::find(nodes, address, &ProxyNode::address);
    ring->self_ = static_cast<std::size_t>(mine - nodes.begin());
    return ProxyRingPtr(std::move(ring));
}

}  // namespace penumbra::proxy
