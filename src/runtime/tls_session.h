#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "runtime/endpoint.h"
#include "runtime/tls_context.h"

namespace penumbra {

/// The TLS of one connection, without its socket: what came goes through decrypt(), what shall leave through encrypt(),
/// and outgoing() is what the socket gets. One shard.
class TlsSession {
  public:
    TlsSession(const TlsContext& context, const Endpoint& peer);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;

    /// Plaintext that `decrypt` may make beyond the ciphertext it is given: the rest of a record that came before.
    static constexpr std::size_t kCarriedOver = 32 * 1024;

    struct Decrypted {
        std::size_t size = 0;        ///< plaintext bytes made
        bool ended = false;          ///< the peer said that it sends no more
        std::optional<Error> error;  ///< the connection cannot go on; outgoing() may hold a last word for the peer
    };
    /// Takes all of `cipher`; `plain` has room for it and kCarriedOver more.
    Decrypted decrypt(BytesView cipher, MutableBytes plain);
    /// Only when is_established().
    Status encrypt(BytesView plain);
    /// A client's first step; also an error if the handshake cannot even begin.
    Status begin();
    /// Tells the peer that no more is sent.
    void say_goodbye();

    bool is_established() const { return established_; }
    /// The peer asked for a certificate, has got none from us, and has not said a word since: with TLS 1.3 it judges
    /// that only after our handshake is over, and its alert can be lost in the reset that follows (RFC 8446, 4.4.2.4).
    bool is_certificate_missing() const { return certificate_missing_; }
    /// Ciphertext for the socket, whose owner clears it.
    Bytes& outgoing() { return outgoing_; }
    /// What an end without a word means at this point, as far as anybody can tell.
    Error lost() const;

  private:
    struct Native;
    Error explain(int result) const;
    Error peer_certificate_refused() const;

    /// The peer's certificate, or one that signed it, and why it was refused.
    struct Refused {
        int verdict = 0;
        std::string subject;        ///< of the peer's own
        std::string names;          ///< that it is for
        std::string wrong_subject;  ///< of the one that is at fault
        std::int64_t valid_from = 0, valid_to = 0;
    };

    std::unique_ptr<Native> native_;
    const TlsRole role_;
    TlsOptions options_;  // for messages; the context may be gone before us
    Endpoint peer_;
    std::string expected_name_;
    std::optional<Refused> refused_;
    BytesView incoming_;  // what the decrypt() under way has not taken yet
    Bytes outgoing_;
    bool established_ = false;
    bool heard_ = false;
    bool failed_ = false;
    bool certificate_missing_ = false;
};

}  // namespace penumbra
