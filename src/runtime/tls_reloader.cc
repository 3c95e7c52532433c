#include "runtime/tls_reloader.h"

#include <fmt/format.h>

namespace penumbra {

namespace {

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::int64_t kWarnBefore = 14 * kDay;

Kv expiry(const TlsContext& context) {
    const auto certificate = context.certificate();
    return kv("expires", certificate ? utc_text(certificate->not_after) : std::string("no certificate of ours"));
}

}  // namespace

TlsReloader::TlsReloader(std::vector<TlsContextPtr> contexts, Nanos every)
    : contexts_(std::move(contexts)), every_(every) {}

void TlsReloader::start() {
    for (const auto& one : contexts_) log_.info("TLS is on", {kv("leg", one->options().name), expiry(*one)});
    gate_.spawn(watch(this));
}

void TlsReloader::reload_now() {
    if (contexts_.empty()) log_.info("no TLS is configured, so there are no certificates to load");
    asked_ = true;
    if (nap_) nap_->request();
}

Task<void> TlsReloader::stop() {
    stopping_ = true;
    gate_.close();
    if (nap_) nap_->request();
    co_await gate_.drained();
}

void TlsReloader::warn_of_expiry(const TlsContext& context) {
    const auto certificate = context.certificate();
    const auto now = Shard::here().clock().wall_micros() / 1'000'000;
    if (!certificate || certificate->not_after - now > kWarnBefore) return;
    const bool over = certificate->not_after <= now;
    log_.warn(over ? "our certificate has expired: peers that verify it refuse new connections"
                   : "our certificate expires soon",
              {kv("leg", context.options().name), kv("file", context.options().certificate.string()),
               kv("expires", utc_text(certificate->not_after))});
}

Task<void> TlsReloader::watch(TlsReloader* self) {
    while (!self->stopping_) {
        const auto now = Shard::here().clock().wall_micros();
        if (now >= self->next_warning_) {
            self->next_warning_ = now + kDay * 1'000'000;
            for (const auto& one : self->contexts_) self->warn_of_expiry(*one);
        }
        self->nap_ = std::make_unique<StopSignal>();
        if (!self->asked_) co_await sleep(self->every_, self->nap_.get());
        if (self->stopping_) break;
        const auto when =
            std::exchange(self->asked_, false) ? TlsContext::Reload::always : TlsContext::Reload::if_changed;
        for (const auto& one : self->contexts_) {
            auto load = [context = one, when] { return context->reload(when); };
            auto loaded = co_await self->worker_.run(std::move(load));
            if (!loaded) {
                self->log_.error("cannot load certificates; new connections go on with those of before",
                                 {kv("leg", one->options().name), kv("error", loaded.error().what)});
            } else if (loaded.value()) {
                self->log_.info("certificates loaded; new connections use them",
                                {kv("leg", one->options().name), expiry(*one)});
                self->warn_of_expiry(*one);
            }
        }
    }
}

}  // namespace penumbra
