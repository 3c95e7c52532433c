#include "cluster/supported.h"

#include <algorithm>
#include <charconv>

#include "cql/protocol/responses.h"

namespace penumbra::cluster {

namespace {

/// The option's number, where it is one that fits: a node that says something else is used without it.
template <class T>
std::optional<T> number_in(std::string_view text) {
    T value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return out;
}

}  // namespace

bool Supported::offers(std::string_view compression) const {
    return std::ranges::find(compressions, compression) != compressions.end();
}

Result<Supported> read_supported(const cql::FrameView& frame) {
    TRY(const auto options, cql::decode_supported(frame));
    Supported supported;
    std::optional<std::uint32_t> shard;
    std::optional<std::uint32_t> shards;
    std::optional<std::uint32_t> ignore_msb;
    std::uint16_t port = 0;
    std::uint16_t port_tls = 0;
    bool known_algorithm = false;
    for (const auto& [key, values] : options) {
        supported.is_scylla |= key.starts_with("SCYLLA_");
        supported.tablets_routing |= key == "TABLETS_ROUTING_V1";
        for (const auto value : values) {
            if (key == "COMPRESSION") supported.compressions.push_back(lower(value));
            // "5/v5"; a beta ("6/v6-beta", and v5 in its time) is spoken only to who sets the beta flag.
            if (key == "PROTOCOL_VERSIONS" && value.find("beta") == std::string_view::npos) {
                const auto version = number_in<unsigned>(value.substr(0, value.find('/')));
                for (const auto ours : cql::kAllVersions) {
                    if (version == static_cast<unsigned>(ours)) supported.newest = std::max(supported.newest, ours);
                }
            }
            if (key == "SCYLLA_SHARD") shard = number_in<std::uint32_t>(value);
            if (key == "SCYLLA_NR_SHARDS") shards = number_in<std::uint32_t>(value);
            if (key == "SCYLLA_SHARDING_IGNORE_MSB") ignore_msb = number_in<std::uint32_t>(value);
            if (key == "SCYLLA_SHARD_AWARE_PORT") port = number_in<std::uint16_t>(value).value_or(0);
            if (key == "SCYLLA_SHARD_AWARE_PORT_SSL") port_tls = number_in<std::uint16_t>(value).value_or(0);
            if (key == "SCYLLA_SHARDING_ALGORITHM") known_algorithm = value == "biased-token-round-robin";
        }
    }
    constexpr std::uint32_t kMostShards = 4096;
    if (known_algorithm && shard && shards && ignore_msb && *shards >= 1 && *shards <= kMostShards && *shard < *shards)
        supported.sharding = Sharding{*shard, *shards, *ignore_msb, port, port_tls};
    return supported;
}

}  // namespace penumbra::cluster
