#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "cql/ddl/translate.h"

namespace penumbra::cql::ddl {

/// Options::datacenters for statements that were written for the other cluster, either way.
struct DatacenterNames {
    decltype(Options::datacenters) to_target;
    decltype(Options::datacenters) to_source;  ///< factors stay as the statement says
};

/// From texts as "dc1=aws-eu" or "dc1=aws-eu:5": the source's name, the target's, and the replication factor there.
/// Errors: Errc::invalid_argument for another shape, and for a name that stands twice, as there would be no way back.
Result<DatacenterNames> parse_datacenter_names(std::span<const std::string> texts);

}  // namespace penumbra::cql::ddl
