#pragma once

#include <memory>
#include <vector>

#include "base/log.h"
#include "runtime/async.h"
#include "runtime/tls_context.h"

namespace penumbra {

/// Looks every few seconds whether certificates, keys or CAs on disk have changed, and loads them. What cannot be used
/// is logged with its file and its reason, once per change, and what was in use stays so. Warns of certificates that
/// are about to expire. Built, used and destroyed on one shard; the files are read on a thread of its own.
class TlsReloader {
  public:
    explicit TlsReloader(std::vector<TlsContextPtr> contexts, Nanos every = Seconds(5));
    void start();
    /// Soon, and whether or not the files look changed: SIGHUP.
    void reload_now();
    Task<void> stop();

  private:
    static Task<void> watch(TlsReloader* self);
    void warn_of_expiry(const TlsContext& context);

    std::vector<TlsContextPtr> contexts_;
    const Nanos every_;
    Log log_{"tls"};
    Gate gate_;
    std::unique_ptr<StopSignal> nap_;
    bool asked_ = false;
    bool stopping_ = false;
    std::int64_t next_warning_ = 0;  ///< wall clock micros
    Worker worker_{"certificates"};
};

}  // namespace penumbra
