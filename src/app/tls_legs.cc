#include "app/tls_legs.h"

namespace penumbra::app {

namespace {

TlsVersion tls_version(const std::string& text) {
    return text == "1.3" ? TlsVersion::v1_3 : TlsVersion::v1_2;
}

/// Null when none of its settings asks for TLS.
Result<TlsContextPtr> cluster_tls(const Settings::ClientTls& settings, const char* name) {
    TlsOptions options;
    options.name = name;
    options.ca = settings.ca();
    options.certificate = settings.certificate();
    options.key = settings.key();
    options.server_name = settings.server_name();
    options.minimum = tls_version(settings.minimum());
    if (settings.verify() == "ca") options.verify = TlsVerify::ca;
    if (settings.verify() == "none") options.verify = TlsVerify::none;
    const bool wanted = settings.enabled() || !options.ca.empty() || !options.certificate.empty() ||
                        !options.key.empty() || !options.server_name.empty() || options.verify != TlsVerify::full;
    if (!wanted) return TlsContextPtr();
    TRY(auto context, TlsContext::make(TlsRole::client, std::move(options)));
    return context;
}

/// Null when applications speak in clear.
Result<TlsContextPtr> application_tls(const Settings& settings) {
    TlsOptions options;
    options.name = "listen-tls";
    options.certificate = settings.listen_tls_cert();
    options.key = settings.listen_tls_key();
    options.ca = settings.listen_tls_client_ca();
    options.minimum = tls_version(settings.listen_tls_minimum());
    if (settings.listen_tls_client_auth() == "optional") options.client_auth = TlsClientAuth::optional;
    if (settings.listen_tls_client_auth() == "required") options.client_auth = TlsClientAuth::required;
    const bool wanted = !options.certificate.empty() || !options.key.empty() || !options.ca.empty() ||
                        options.client_auth != TlsClientAuth::none;
    if (!wanted) return TlsContextPtr();
    TRY(auto context, TlsContext::make(TlsRole::server, std::move(options)));
    return context;
}

/// The other proxies speak to applications as we do, so they are asked in TLS where we listen in it. They are shown the
/// certificate that we have, and theirs is not looked at: they are asked whether they are there and told nothing.
Result<TlsContextPtr> proxies_tls(const Settings& settings, const TlsContextPtr& listen) {
    TRY(auto context, cluster_tls(settings.proxies_tls, "proxies-tls"));
    if (context || !listen) return context;
    TlsOptions options;
    options.name = "proxies-tls";
    options.certificate = settings.listen_tls_cert();
    options.key = settings.listen_tls_key();
    options.verify = TlsVerify::none;
    options.minimum = tls_version(settings.listen_tls_minimum());
    TRY(context, TlsContext::make(TlsRole::client, std::move(options)));
    return context;
}

}  // namespace

Result<TlsLegs> TlsLegs::load(const Settings& settings) {
    TlsLegs legs;
    TRY(legs.listen, application_tls(settings));
    TRY(legs.source, cluster_tls(settings.source_tls, "source-tls"));
    TRY(legs.target, cluster_tls(settings.target_tls, "target-tls"));
    if (!settings.proxies().empty()) {
        TRY(legs.proxies, proxies_tls(settings, legs.listen));
    }
    return legs;
}

std::vector<TlsContextPtr> TlsLegs::all() const {
    std::vector<TlsContextPtr> used;
    for (const auto& leg : {listen, source, target, proxies}) {
        if (leg) used.push_back(leg);
    }
    return used;
}

void TlsLegs::collect(metrics::MetricWriter& out) const {
    for (const auto& leg : all()) {
        if (const auto certificate = leg->certificate()) {
            out.gauge("penumbra_tls_certificate_not_after_seconds",
                      "When the first certificate of our own chain expires, in seconds since 1970-01-01 UTC.",
                      static_cast<double>(certificate->not_after), {{"leg", leg->options().name}});
        }
    }
}

}  // namespace penumbra::app
