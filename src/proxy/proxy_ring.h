#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cql/types/token.h"
#include "cql/types/uuid.h"
#include "runtime/endpoint.h"

namespace penumbra::proxy {

/// One proxy as drivers see it: a node of a cluster.
struct ProxyNode {
    Endpoint address;  ///< where clients connect
    std::string rack;  ///< empty: the rack of the primary's node
    std::optional<cql::Uuid> host_id;
    std::vector<cql::Token> tokens;

    /// "10.0.0.5:9042", then what is to differ from the defaults: ";rack=r2;host_id=<uuid>;token=-123;token=456".
    static Result<ProxyNode> parse(std::string_view text, std::uint16_t default_port);
};

/// The proxies that stand for one cluster, and which of them this process is. Immutable.
///
/// Every process must tell the same story to the same driver, so that whatever is not said is worked out from the
/// addresses alone: the host id from the node's own, the tokens from its place among all of them in order.
class ProxyRing {
  public:
    /// `self` need not be among `others`; where it is, what the list says of it holds. Fails when two have one address,
    /// host id or token, when one has no address that a driver could connect to, or when only some have tokens.
    static Result<std::shared_ptr<const ProxyRing>> make(ProxyNode self, std::vector<ProxyNode> others);

    const ProxyNode& self() const { return nodes_[self_]; }
    /// All of them, in the order of their addresses; each has a host id and tokens.
    const std::vector<ProxyNode>& nodes() const { return nodes_; }
    std::size_t self_index() const { return self_; }

    /// Tokens of one proxy where none are configured: enough that a driver's token map is even, few enough to be cheap.
    static constexpr std::size_t kTokensEach = 16;

  private:
    std::vector<ProxyNode> nodes_;
    std::size_t self_ = 0;
};
using ProxyRingPtr = std::shared_ptr<const ProxyRing>;

/// The same from every process that knows the address.
cql::Uuid host_id_of(const Endpoint& address);

}  // namespace penumbra::proxy
