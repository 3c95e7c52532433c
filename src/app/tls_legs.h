#pragma once

#include <vector>

#include "app/settings.h"
#include "metrics/exposition.h"
#include "runtime/tls_context.h"

namespace penumbra::app {

/// The TLS of the three legs: applications to us, us to the source, us to the target. Null where a leg is in clear.
struct TlsLegs {
    TlsContextPtr listen, source, target;

    /// Reads the files that the settings name. An error says which setting and file, and what to do.
    static Result<TlsLegs> load(const Settings& settings);

    /// Those that use TLS.
    std::vector<TlsContextPtr> all() const;
    /// When our own certificates expire. Any thread.
    void collect(metrics::MetricWriter& out) const;
};

}  // namespace penumbra::app
