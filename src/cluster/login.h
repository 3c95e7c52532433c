#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster/connection.h"
#include "cluster/identity.h"
#include "runtime/task.h"

namespace penumbra::cluster {

class Pool;

/// The server's own answer to a login, to be passed on as it is.
struct LoginVerdict {
    bool accepted = false;
    Bytes frame;  ///< AUTH_SUCCESS, READY (it asks nobody), or ERROR; of the version asked for
};

/// A client that logs in to a cluster through us: its AUTH_RESPONSEs go to a connection made for it, and the server's
/// AUTH_CHALLENGE, AUTH_SUCCESS and ERROR come back as they are, over as many rounds as the mechanism takes.
/// Lives on the Pool's shard, and not longer than the Pool.
///
/// What it answered is sent again whenever a connection for its requests is opened. That serves PLAIN and every other
/// mechanism whose answers stay valid; where they do not (SCRAM, GSSAPI), later connections fail with the server's
/// answer.
class LoginAttempt {
  public:
    LoginAttempt(Pool& pool, std::unique_ptr<Connection> connection);
    ~LoginAttempt();
    LoginAttempt(const LoginAttempt&) = delete;

    /// The authenticator's class; nothing when the node asks nobody: then everybody is its anonymous user.
    const std::optional<std::string>& authenticator() const { return connection_->authenticator(); }
    /// The server's frame (stream 0). An Error means that it gave none.
    Task<Result<Bytes>> answer(Bytes token, Deadline by);
    /// Once AUTH_SUCCESS came: what to put into GroupKey::login; the connection goes to that group. Null before.
    LoginPtr finish();

  private:
    Pool& pool_;
    std::unique_ptr<Connection> connection_;
    Login login_;
    bool accepted_ = false;
};

/// The user name in a SASL PLAIN token; empty if it is none.
std::string plain_user(BytesView token);

}  // namespace penumbra::cluster
