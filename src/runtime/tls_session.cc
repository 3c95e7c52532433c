#include "runtime/tls_session.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <new>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.h"

namespace penumbra {

namespace {

bool is_address(const std::string& name) {
    unsigned char ignored[16];
    return inet_pton(AF_INET, name.c_str(), ignored) == 1 || inet_pton(AF_INET6, name.c_str(), ignored) == 1;
}

std::string subject_of(X509* certificate) {
    char text[256] = {};
    X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
    return text;
}

/// "DNS node1.example, IP 10.0.0.1": whom a certificate is for.
std::string names_in(X509* certificate) {
    std::string all;
    auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names, i);
        std::string one;
        if (name->type == GEN_DNS) {
            one = fmt::format("DNS {}",
                              std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                               static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))));
        } else if (name->type == GEN_IPADD) {
            const auto* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
            const auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.iPAddress));
            if (const auto at = Endpoint::from_address({bytes, size}, 0)) one = "IP " + at.value().host();
        }
        if (!one.empty()) all += (all.empty() ? "" : ", ") + one;
    }
    GENERAL_NAMES_free(names);
    return all.empty() ? "no host name and no address" : all;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
    std::tm tm{};
    ASN1_TIME_to_tm(time, &tm);
    return timegm(&tm);
}

}  // namespace

struct TlsSession::Native {
    SSL* ssl = nullptr;
    Native() = default;
    Native(const Native&) = delete;
    ~Native() { SSL_free(ssl); }

    // OpenSSL reads and writes a "BIO"; ours is a session's two buffers, without a copy of its own.
    static int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
        auto& out = static_cast<TlsSession*>(BIO_get_data(bio))->outgoing_;
        out.insert(out.end(), data, data + size);
        *written = size;
        return 1;
    }
    static int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* got) {
        auto& in = static_cast<TlsSession*>(BIO_get_data(bio))->incoming_;
        BIO_clear_retry_flags(bio);
        if (in.empty()) {
            BIO_set_retry_read(bio);
            return 0;
        }
        *got = std::min(size, in.size());
        std::memcpy(data, in.data(), *got);
        in = in.subspan(*got);
        return 1;
    }
    /// OpenSSL forgets a certificate that it refuses, so what messages need of it is noted here.
    static int on_verify(int fine, X509_STORE_CTX* store) {
        if (fine == 1) return 1;
        auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
        auto& refused = static_cast<TlsSession*>(SSL_get_app_data(ssl))
                            ->refused_.emplace(Refused{});  // clang finds no emplace() here
        refused.verdict = X509_STORE_CTX_get_error(store);
        if (auto* own = X509_STORE_CTX_get0_cert(store)) {
            refused.subject = subject_of(own);
            refused.names = names_in(own);
        }
        if (auto* wrong = X509_STORE_CTX_get_current_cert(store)) {
            refused.wrong_subject = subject_of(wrong);
            refused.valid_from = seconds_of(X509_get0_notBefore(wrong));
            refused.valid_to = seconds_of(X509_get0_notAfter(wrong));
        }
        return 0;
    }
    static int on_certificate_asked(SSL* ssl, void* session) {
        if (!SSL_get_certificate(ssl)) static_cast<TlsSession*>(session)->certificate_missing_ = true;
        return 1;  // go on without, as servers allow that only would like to see one
    }
    static long bio_control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }
    static const BIO_METHOD* method() {
        static const BIO_METHOD* made = [] {
            auto* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "penumbra buffers");
            if (!fresh) throw std::bad_alloc();
            BIO_meth_set_write_ex(fresh, bio_write);
            BIO_meth_set_read_ex(fresh, bio_read);
            BIO_meth_set_ctrl(fresh, bio_control);
            BIO_meth_set_create(fresh, [](BIO* bio) {
                BIO_set_init(bio, 1);
                return 1;
            });
            return fresh;
        }();
        return made;
    }
};

TlsSession::TlsSession(const TlsContext& context, const Endpoint& peer)
    : native_(std::make_unique<Native>()), role_(context.role()), options_(context.options()), peer_(peer) {
    // SSL_new keeps the native context alive by a reference of its own.
    native_->ssl = SSL_new(context.native().get());
    auto* bio = native_->ssl ? BIO_new(Native::method()) : nullptr;
    if (!bio) throw std::bad_alloc();
    BIO_set_data(bio, this);
    SSL_set_bio(native_->ssl, bio, bio);
    SSL_set_app_data(native_->ssl, this);
    SSL_set_verify(native_->ssl, SSL_get_verify_mode(native_->ssl), Native::on_verify);
    if (role_ == TlsRole::server) {
        SSL_set_accept_state(native_->ssl);
        return;
    }
    SSL_set_connect_state(native_->ssl);
    SSL_set_cert_cb(native_->ssl, Native::on_certificate_asked, this);
    expected_name_ = context.name_of(peer);
    const bool numeric = is_address(expected_name_);
    if (!numeric) SSL_set_tlsext_host_name(native_->ssl, expected_name_.c_str());  // SNI knows names only, RFC 6066
    if (options_.verify != TlsVerify::full) return;
    auto* wanted = SSL_get0_param(native_->ssl);
    if (numeric) {
        X509_VERIFY_PARAM_set1_ip_asc(wanted, expected_name_.c_str());
    } else {
        X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        X509_VERIFY_PARAM_set1_host(wanted, expected_name_.c_str(), expected_name_.size());
    }
}

TlsSession::~TlsSession() = default;

Status TlsSession::begin() {
    if (role_ == TlsRole::server) return ok();
    ERR_clear_error();
    const int result = SSL_do_handshake(native_->ssl);
    if (result <= 0 && SSL_get_error(native_->ssl, result) != SSL_ERROR_WANT_READ) return fail(explain(result));
    return ok();
}

TlsSession::Decrypted TlsSession::decrypt(BytesView cipher, MutableBytes plain) {
    Decrypted done;
    auto* ssl = native_->ssl;
    // Whoever speaks another protocol is known by its first byte, and told apart better than by what OpenSSL makes of
    // it: TLS begins with a handshake record (22), or with an alert (21) that refuses ours.
    if (!heard_ && !cipher.empty()) {
        heard_ = true;
        if (cipher[0] != 0x16 && (cipher[0] != 0x15 || role_ == TlsRole::server)) {
            done.error = {Errc::unavailable,
                          role_ == TlsRole::client
                              ? fmt::format("{} does not speak TLS at this port: name its TLS port, or leave out "
                                            "--{}.* if it has none",
                                            to_string(peer_), options_.name)
                              : fmt::format("{} does not speak TLS, and this port does not speak without: switch TLS "
                                            "on in the client, or have it use the port without TLS",
                                            to_string(peer_))};
            return done;
        }
    }
    incoming_ = cipher;
    ERR_clear_error();
    if (!established_) {
        const int result = SSL_do_handshake(ssl);
        if (result <= 0) {
            if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) {
                done.error = explain(result);
                failed_ = true;
            }
            incoming_ = {};
            return done;
        }
        established_ = true;
    }
    for (;;) {
        std::size_t got = 0;
        ERR_clear_error();
        const int result = SSL_read_ex(ssl, plain.data() + done.size, plain.size() - done.size, &got);
        if (result == 1) {
            certificate_missing_ = false;
            done.size += got;
            ASSERT(done.size < plain.size());
            continue;
        }
        const int error = SSL_get_error(ssl, result);
        if (error == SSL_ERROR_ZERO_RETURN) {
            done.ended = true;
        } else if (error != SSL_ERROR_WANT_READ) {
            done.error = explain(result);
            failed_ = true;
        }
        break;
    }
    incoming_ = {};
    return done;
}

Status TlsSession::encrypt(BytesView plain) {
    ASSERT(established_);
    constexpr std::size_t kRecord = 16 * 1024;
    constexpr std::size_t kRecordOverhead = 64;  // header, nonce, padding and tag of any cipher in use
    outgoing_.reserve(outgoing_.size() + plain.size() + (plain.size() / kRecord + 1) * kRecordOverhead);
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(native_->ssl, plain.data(), plain.size(), &written);
    if (result != 1) return fail(explain(result));
    ASSERT(written == plain.size());
    return ok();
}

void TlsSession::say_goodbye() {
    if (!established_ || failed_) return;
    ERR_clear_error();
    SSL_shutdown(native_->ssl);
    ERR_clear_error();
}

Error TlsSession::lost() const {
    if (certificate_missing_) {
        return {Errc::unavailable, fmt::format("{} ended the connection without a word; it asks for a client "
                                               "certificate; give one by --{}.cert and --{}.key",
                                               to_string(peer_), options_.name, options_.name)};
    }
    if (established_) return {Errc::closed, fmt::format("{} closed the connection", to_string(peer_))};
    if (role_ == TlsRole::server) {
        return {Errc::unavailable, fmt::format("{} gave up the TLS handshake, as clients do that do not trust the "
                                               "certificate of --{}.cert",
                                               to_string(peer_), options_.name)};
    }
    return {Errc::unavailable,
            fmt::format("{} closed the connection during the TLS handshake: does this port speak TLS, and does it "
                        "want a client certificate (--{}.cert, --{}.key)?",
                        to_string(peer_), options_.name, options_.name)};
}

Error TlsSession::peer_certificate_refused() const {
    const bool client = role_ == TlsRole::client;
    const auto whose =
        fmt::format("the {}certificate of {} ({})", client ? "" : "client ", to_string(peer_), refused_->subject);
    const auto clock = [this](std::string_view what, std::int64_t when) {
        return fmt::format("{}{} {}; the clock of this host says {}",
                           refused_->wrong_subject == refused_->subject
                               ? std::string()
                               : fmt::format("depends on that of {}, which ", refused_->wrong_subject),
                           what, utc_text(when), utc_text(std::time(nullptr)));
    };
    std::string why;
    switch (refused_->verdict) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            why = fmt::format(
                "is for {}, not for {}: give the name it has as --{}.server-name, or --{}.verify ca to "
                "trust every certificate of the CA",
                refused_->names, expected_name_, options_.name, options_.name);
            break;
        case X509_V_ERR_CERT_HAS_EXPIRED:
            why = clock("expired at", refused_->valid_to);
            break;
        case X509_V_ERR_CERT_NOT_YET_VALID:
            why = clock("is valid from", refused_->valid_from);
            break;
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            why = fmt::format("is signed by nobody in {}: put the CA that signed it into --{}.{}",
                              options_.ca.empty() ? "the CA certificates of this system" : options_.ca.string(),
                              options_.name, client ? "ca" : "client-ca");
            break;
        default:
            why = fmt::format("is refused: {}", X509_verify_cert_error_string(refused_->verdict));
    }
    return {Errc::unavailable, fmt::format("{} {}", whose, why)};
}

Error TlsSession::explain(int result) const {
    const auto name = to_string(peer_);
    const auto code = ERR_peek_error();
    const auto reason = ERR_GET_REASON(code);
    const bool from_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
    const auto kind = SSL_get_error(native_->ssl, result);
    // Once it stands, a connection that breaks is a lost connection; before, there was none.
    const auto errc = established_ ? Errc::closed : Errc::unavailable;
    const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
    const std::string said = text ? text : fmt::format("error {}", kind);
    ERR_clear_error();
    if (refused_) return peer_certificate_refused();
    if (from_ssl && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        return {errc,
                fmt::format("{} shows no client certificate, and --{}.client-auth is required", name, options_.name)};
    }
    if (from_ssl && (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_NO_PROTOCOLS_AVAILABLE)) {
        return {errc, fmt::format("{} speaks only TLS versions older than --{}.minimum", name, options_.name)};
    }
    std::string remedy;
    if (from_ssl && reason >= SSL_AD_REASON_OFFSET) {
        // The peer refused us by an alert; its number is what the standard says, the words are for people.
        switch (reason - SSL_AD_REASON_OFFSET) {
            case SSL_AD_HANDSHAKE_FAILURE:
            case SSL_AD_CERTIFICATE_REQUIRED:
                if (role_ == TlsRole::client && options_.certificate.empty()) {
                    remedy = fmt::format(": it asks for a client certificate; give one by --{}.cert and --{}.key",
                                         options_.name, options_.name);
                }
                break;
            case SSL_AD_UNKNOWN_CA:
            case SSL_AD_BAD_CERTIFICATE:
            case SSL_AD_CERTIFICATE_UNKNOWN:
                remedy = options_.certificate.empty()
                             ? std::string()
                             : fmt::format(
                                   ": it does not trust our certificate ({}), or not for the name it knows "
                                   "us by",
                                   options_.certificate.string());
                break;
            case SSL_AD_CERTIFICATE_EXPIRED:
                remedy = fmt::format(": our certificate ({}) has expired there", options_.certificate.string());
                break;
            case SSL_AD_PROTOCOL_VERSION:
                remedy = ": no TLS version is spoken by both";
                break;
            default:
                break;
        }
        return {errc, fmt::format("{} refused the TLS connection ({}){}", name, said, remedy)};
    }
    return {errc, fmt::format("TLS with {} failed: {}", name, said)};
}

}  // namespace penumbra
