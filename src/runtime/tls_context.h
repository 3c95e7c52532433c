#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/endpoint.h"

struct ssl_ctx_st;

namespace penumbra {

/// Who begins the handshake: client we are towards clusters, server towards applications.
enum class TlsRole : std::uint8_t { server, client };
/// What a client wants of the server's certificate: `full` a CA that we trust and the name that we asked for, `ca` the
/// CA alone, `none` nothing (the connection is private, but to nobody knows whom).
enum class TlsVerify : std::uint8_t { full, ca, none };
/// Whether a server asks its clients for certificates of a CA that it trusts.
enum class TlsClientAuth : std::uint8_t { none, optional, required };
enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

struct TlsOptions {
    std::string name;  ///< of the group of settings, "listen-tls": errors and logs name the setting to change by it
    std::filesystem::path certificate;  ///< PEM: our own certificate, then its chain; a client may have none
    std::filesystem::path key;          ///< PEM, without a passphrase
    std::filesystem::path ca;           ///< PEM: whom we trust; a client without one trusts whom the system trusts
    TlsVerify verify = TlsVerify::full;
    std::string server_name;  ///< a client wants this name of every server, instead of the one it connected to
    TlsClientAuth client_auth = TlsClientAuth::none;
    TlsVersion minimum = TlsVersion::v1_2;
};

/// The certificates and rules of one leg (applications to us, us to a cluster), for any number of connections. New
/// connections use what was loaded last, those that are open go on with what they began with. Any thread.
class TlsContext {
  public:
    /// Reads the files; blocks on them. An error names the setting, the file, and what to do.
    static Result<std::shared_ptr<TlsContext>> make(TlsRole role, TlsOptions options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;

    enum class Reload : std::uint8_t { if_changed, always };
    /// Reads the files again: true when connections from now on use what they hold, false when nothing has changed. An
    /// error leaves everything as it was, and is reported once per change. Blocks on files; one caller at a time.
    Result<bool> reload(Reload when);

    /// What is known of our own certificate; nothing when we have none.
    struct Certificate {
        std::string subject;
        std::int64_t not_after = 0;  ///< seconds since 1970-01-01 UTC; the earliest of the chain
    };
    std::optional<Certificate> certificate() const;

    /// These addresses are what `host` resolved to: connections to them verify and announce (SNI) that name. An address
    /// that nobody named is verified as what it is, so that its certificate must name the address.
    void known_as(const std::string& host, const std::vector<Endpoint>& addresses);
    /// The name to verify at `to`: the configured one, that of known_as(), or the numeric address.
    std::string name_of(const Endpoint& to) const;

    TlsRole role() const { return role_; }
    const TlsOptions& options() const { return options_; }

  private:
    friend class TlsSession;
    using Native = std::shared_ptr<ssl_ctx_st>;
    struct Loaded {
        Native native;
        std::optional<Certificate> certificate;
    };
    /// Says whether a file is still the one that was read, also where it is a link that now leads elsewhere.
    struct Stamp {
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t changed_nanos = 0;
        bool operator==(const Stamp&) const = default;
    };

    TlsContext(TlsRole role, TlsOptions options) : role_(role), options_(std::move(options)) {}
    Result<Loaded> load() const;
    std::vector<Stamp> stamps() const;
    Native native() const;

    const TlsRole role_;
    const TlsOptions options_;
    std::vector<Stamp> stamps_;  // reload() only
    mutable std::mutex mutex_;   // guards the two below, taken once per connection
    Loaded loaded_;
    std::map<Bytes, std::string> names_;
};

using TlsContextPtr = std::shared_ptr<TlsContext>;

/// "2027-03-01T00:00:00Z" of seconds since 1970-01-01 UTC.
std::string utc_text(std::int64_t seconds);

}  // namespace penumbra
