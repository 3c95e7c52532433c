#include "cluster/login.h"

#include <algorithm>

#include "cluster/pool.h"

namespace penumbra::cluster {

std::string plain_user(BytesView token) {
    // RFC 4616: [authzid] NUL authcid NUL passwd.
    const auto text = text_of(token);
    const auto first = text.find('\0');
    if (first == std::string_view::npos) return "";
    const auto second = text.find('\0', first + 1);
    if (second == std::string_view::npos) return "";
    return std::string(text.substr(first + 1, second - first - 1));
}

LoginAttempt::LoginAttempt(Pool& pool, std::unique_ptr<Connection> connection)
    : pool_(pool), connection_(std::move(connection)) {}

LoginAttempt::~LoginAttempt() {
    if (connection_) Shard::here().dispose(std::move(connection_));
}

Task<Result<Bytes>> LoginAttempt::answer(Bytes token, Deadline by) {
    if (!connection_) co_return fail(Errc::conflict, "this login has ended");
    if (login_.user.empty()) login_.user = plain_user(token);
    login_.tokens.push_back(token);
    auto answered = co_await connection_->authenticate(std::move(token), by);
    CO_TRY(auto answer, std::move(answered));
    auto viewed = cql::view_frame(answer, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    accepted_ = frame.header.opcode == cql::Opcode::auth_success;
    co_return std::move(answer);
}

LoginPtr LoginAttempt::finish() {
    if (!accepted_ || !connection_) return nullptr;
    auto login = std::make_shared<const Login>(std::move(login_));
    pool_.adopt(login, std::move(connection_));
    return login;
}

}  // namespace penumbra::cluster
