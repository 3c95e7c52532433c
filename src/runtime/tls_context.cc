#include "runtime/tls_context.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

namespace penumbra {

namespace {

template <auto Free>
struct With {
    template <class T>
    void operator()(T* thing) const {
        Free(thing);
    }
};
using X509Ptr = std::unique_ptr<X509, With<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, With<BIO_free>>;

std::string library_reason() {
    const auto code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason ? reason : "unknown";
}

/// A file of the settings, for messages: "--listen-tls.cert /etc/penumbra/server.pem".
struct PemFile {
    std::string setting;
    std::filesystem::path path;

    Error error(std::string_view what) const {
        return {Errc::invalid_argument, fmt::format("--{} {}: {}", setting, path.string(), what)};
    }
    Result<std::string> read() const {
        errno = 0;
        std::ifstream in(path, std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        if (!in.is_open() || in.bad() || (in.fail() && text.empty() && errno != 0))
            return fail(error(fmt::format("cannot read it: {}", std::strerror(errno))));
        return text;
    }
};

BioPtr memory(const std::string& text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

Result<std::vector<X509Ptr>> read_certificates(const PemFile& file) {
    TRY(const auto text, file.read());
    const auto bio = memory(text);
    std::vector<X509Ptr> found;
    while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) found.emplace_back(one);
    const auto stopped_at = ERR_GET_REASON(ERR_peek_last_error());
    const auto reason = library_reason();
    if (stopped_at != PEM_R_NO_START_LINE)
        return fail(file.error(fmt::format("certificate {} of the file is damaged ({})", found.size() + 1, reason)));
    if (found.empty()) {
        return fail(
            file.error("no certificate in it; a PEM file has lines '-----BEGIN CERTIFICATE-----' (a keystore "
                       "of Java is converted with: openssl pkcs12 -in FILE.p12 -nodes)"));
    }
    return found;
}

Result<KeyPtr> read_key(const PemFile& file) {
    TRY(const auto text, file.read());
    const auto bio = memory(text);
    bool encrypted = false;
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &encrypted));
    const auto reason = library_reason();
    if (encrypted) {
        return fail(
            file.error("the key has a passphrase; take it off with: openssl pkey -in FILE -out NEW, and "
                       "guard the file by its permissions"));
    }
    if (!key) return fail(file.error(fmt::format("no private key in PEM form in it ({})", reason)));
    return key;
}

std::int64_t not_after_of(X509* certificate) {
    std::tm tm{};
    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm);
    return timegm(&tm);
}

std::string subject_of(X509* certificate) {
    char text[256] = {};
    X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
    return text;
}

}  // namespace

std::string utc_text(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm tm{};
    gmtime_r(&time, &tm);
    char text[32] = {};
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::make(TlsRole role, TlsOptions options) {
    std::shared_ptr<TlsContext> made(new TlsContext(role, std::move(options)));
    made->stamps_ = made->stamps();
    TRY(made->loaded_, made->load());
    return made;
}

Result<TlsContext::Loaded> TlsContext::load() const {
    const auto& o = options_;
    const bool server = role_ == TlsRole::server;
    const PemFile certificate{o.name + ".cert", o.certificate};
    const PemFile key{o.name + ".key", o.key};
    const PemFile ca{o.name + (server ? ".client-ca" : ".ca"), o.ca};
    const auto wrong = [](std::string what) { return fail(Errc::invalid_argument, std::move(what)); };
    if (o.certificate.empty() != o.key.empty()) {
        const auto& missing = o.certificate.empty() ? certificate : key;
        return wrong(fmt::format("--{} is missing: a certificate and its key are given together", missing.setting));
    }
    if (server && o.certificate.empty())
        return wrong(fmt::format("--{} is missing: a TLS port needs a certificate", certificate.setting));
    if (server && o.client_auth != TlsClientAuth::none && o.ca.empty()) {
        return wrong(fmt::format("--{} is missing: --{}.client-auth wants to know whose certificates clients may show",
                                 ca.setting, o.name));
    }

    Loaded loaded;
    loaded.native.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()), SSL_CTX_free);
    auto* native = loaded.native.get();
    if (!native) return fail(Errc::internal, "OpenSSL makes no context: " + library_reason());
    SSL_CTX_set_min_proto_version(native, o.minimum == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // An idle connection then holds no record buffers: 34 KB less for each of ten thousand clients.
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    // Connections live long, so resuming sessions would save little; and each new one is judged by the certificates of
    // now. Tickets would also arrive behind the handshake, and reset a connection that was closed meanwhile.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(native, 0);

    if (!o.certificate.empty()) {
        TRY(const auto chain, read_certificates(certificate));
        TRY(const auto private_key, read_key(key));
        if (SSL_CTX_use_certificate(native, chain[0].get()) != 1)
            return fail(certificate.error("OpenSSL refuses the certificate: " + library_reason()));
        for (std::size_t i = 1; i < chain.size(); ++i) {
            if (SSL_CTX_add1_chain_cert(native, chain[i].get()) != 1)
                return fail(certificate.error("OpenSSL refuses the chain: " + library_reason()));
        }
        if (X509_check_private_key(chain[0].get(), private_key.get()) != 1) {
            ERR_clear_error();
            return fail(key.error(fmt::format(
                "the key does not belong to the first certificate of {}; the server's own certificate comes first "
                "there, then those that signed it",
                o.certificate.string())));
        }
        if (SSL_CTX_use_PrivateKey(native, private_key.get()) != 1)
            return fail(key.error("OpenSSL refuses the key: " + library_reason()));
        Certificate known{subject_of(chain[0].get()), not_after_of(chain[0].get())};
        for (const auto& one : chain) known.not_after = std::min(known.not_after, not_after_of(one.get()));
        loaded.certificate = std::move(known);
    }
    if (!o.ca.empty()) {
        TRY(const auto trusted, read_certificates(ca));
        auto* store = SSL_CTX_get_cert_store(native);
        for (const auto& one : trusted) {
            X509_STORE_add_cert(store, one.get());
            if (server) SSL_CTX_add_client_CA(native, one.get());  // clients choose their certificate by it
        }
        // A CA file may name an intermediate alone: whoever put it there trusts it.
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
        ERR_clear_error();
    } else if (!server && o.verify != TlsVerify::none) {
        SSL_CTX_set_default_verify_paths(native);
    }
    int mode = SSL_VERIFY_NONE;
    if (!server && o.verify != TlsVerify::none) mode = SSL_VERIFY_PEER;
    if (server && o.client_auth != TlsClientAuth::none) mode = SSL_VERIFY_PEER;
    if (server && o.client_auth == TlsClientAuth::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(native, mode, nullptr);
    return loaded;
}

std::vector<TlsContext::Stamp> TlsContext::stamps() const {
    std::vector<Stamp> all;
    for (const auto* path : {&options_.certificate, &options_.key, &options_.ca}) {
        struct stat found {};
        Stamp stamp;
        if (!path->empty() && stat(path->c_str(), &found) == 0) {
            stamp = {found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size),
                     found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
        }
        all.push_back(stamp);
    }
    return all;
}

Result<bool> TlsContext::reload(Reload when) {
    // Taken before the files are read: what changes while we read is seen the next time.
    auto now = stamps();
    if (when == Reload::if_changed && now == stamps_) return false;
    stamps_ = std::move(now);
    TRY(auto loaded, load());
    const std::lock_guard lock(mutex_);
    loaded_ = std::move(loaded);
    return true;
}

TlsContext::Native TlsContext::native() const {
    const std::lock_guard lock(mutex_);
    return loaded_.native;
}

std::optional<TlsContext::Certificate> TlsContext::certificate() const {
    const std::lock_guard lock(mutex_);
    return loaded_.certificate;
}

void TlsContext::known_as(const std::string& host, const std::vector<Endpoint>& addresses) {
    const std::lock_guard lock(mutex_);
    for (const auto& one : addresses) names_[one.address()] = host;
}

std::string TlsContext::name_of(const Endpoint& to) const {
    if (!options_.server_name.empty()) return options_.server_name;
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(to.address());
    return found == names_.end() ? to.host() : found->second;
}

}  // namespace penumbra
