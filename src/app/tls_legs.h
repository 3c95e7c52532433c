#pragma once

#include <vector>

#include "app/settings.h"
#include "metrics/exposition.h"
#include "runtime/tls_context.h"

namespace penumbra::app {

/// The TLS of each leg: applications to us, us to the source, to the target, and to the other proxies. Null where a leg
/// is in clear.
struct TlsLegs {
    TlsContextPtr listen, source, target, proxies;

    /// Reads the files that the settings name. An error says which setting and file, and what to do.
    static Result<TlsLegs> load(const Settings& settings);

    /// Those that use TLS.
    std::vector<TlsContextPtr> all() const;
    /// When our own certificates expire. Any thread.
    void collect(metrics::MetricWriter& out) const;
};

}  // namespace penumbra::app
