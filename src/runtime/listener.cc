#include "runtime/listener.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace penumbra {

namespace {

Error cannot_listen(const Endpoint& at, int error) {
    std::string remedy;
    if (error == EADDRINUSE) remedy = ". Another program listens there: stop it or choose another address";
    if (error == EADDRNOTAVAIL) remedy = ". No interface of this host has that address";
    if (error == EACCES) remedy = ". Ports below 1024 need a privilege: choose a higher one";
    return {Errc::io, fmt::format("cannot listen on {}: {}{}", to_string(at), std::strerror(error), remedy), error};
}

}  // namespace

Status Listener::require_free(const Endpoint& at) {
    const int fd = socket(at.raw()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(system_error("socket for", to_string(at), errno));
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int error = bind(fd, at.raw(), at.raw_size()) != 0 ? errno : 0;
    ::close(fd);
    if (error != 0) return fail(cannot_listen(at, error));
    return ok();
}

Result<Endpoint> Listener::listen(const Endpoint& at, Accepted accepted) {
    const int fd = socket(at.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(system_error("socket for", to_string(at), errno));
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, at.raw(), at.raw_size()) != 0 || ::listen(fd, 4096) != 0) {
        const int error = errno;
        ::close(fd);
        return fail(cannot_listen(at, error));
    }
    fd_ = fd;
    accepted_ = std::move(accepted);
    TRY(Shard::here().watch(fd_, *this));
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    return Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

void Listener::close() {
    if (fd_ < 0) return;
    Shard::here().unwatch(fd_, *this);
    ::close(fd_);
    fd_ = -1;
}

void Listener::on_events(std::uint32_t) {
    accept_some();
}

void Listener::accept_some() {
    while (fd_ >= 0) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accepted_(fd, Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length));
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        // Out of descriptors or memory: those who wait stay in the backlog and are taken up when something was freed.
        if (std::uint64_t dropped = 0; refusals_.pass(Shard::here().now(), dropped)) {
            log_.error("cannot accept connections; raise the limit of open files (ulimit -n)",
                       {kv("error", std::strerror(errno)), kv("more", dropped)});
        }
        Shard::here().call_in(std::chrono::milliseconds(100), [this, fd_then = fd_] {
            if (fd_ == fd_then) accept_some();
        });
        return;
    }
}

}  // namespace penumbra
