#pragma once

#include "routing/phase.h"
#include "routing/scope.h"

namespace penumbra::routing {

/// Where the requests of one scope go.
struct Route {
    ScopeId scope = kDefaultScope;
    Phase phase = Phase::source_only;
};

}  // namespace penumbra::routing
