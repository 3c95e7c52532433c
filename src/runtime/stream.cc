#include "runtime/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "runtime/async.h"

namespace penumbra {

namespace {
// A buffer that once held a large frame goes back to this, so that a thousand clients do not each keep their largest.
constexpr std::size_t kKeptCapacity = 64 * 1024;
// Reads of one stream in one turn, so that a fast peer cannot hold the loop.
constexpr int kReadsPerTurn = 8;

void shrink_if_large(Bytes& buffer) {
    if (buffer.capacity() > kKeptCapacity) Bytes().swap(buffer);
}
}  // namespace

Stream::Stream(int fd, Endpoint peer) : fd_(fd), peer_(peer) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // we gather by ourselves; Nagle would only add a wait
}

Stream::~Stream() {
    close();
}

void Stream::start(Handler& handler) {
    handler_ = &handler;
    readable_ = true;
    if (auto watched = Shard::here().watch(fd_, *this); !watched) {
        // Told later like any other loss, as start() promises.
        closing_ = true;
    }
    Shard::here().defer(*this);
}

Endpoint Stream::local() const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    return Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

void Stream::on_events(std::uint32_t events) {
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        readable_ = true;
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ended_ = true;
        if (!paused_) read_some();
    }
    if (fd_ >= 0 && (events & EPOLLOUT)) {
        const bool was_blocked = !writable_;
        writable_ = true;
        if (was_blocked && unsent() > 0) Shard::here().defer(*this);
    }
}

void Stream::resume() {
    if (!paused_) return;
    paused_ = false;
    Shard::here().defer(*this);
}

bool Stream::show(MutableBytes data, std::size_t& dealt) {
    in_handler_ = true;
    dealt = handler_->on_data(data);
    in_handler_ = false;
    ASSERT(dealt <= data.size());
    return fd_ >= 0;
}

void Stream::read_some() {
    if (in_handler_ || fd_ < 0 || closing_) return;
    for (int round = 0; round < kReadsPerTurn; ++round) {
        if (paused_ || !readable_) return;
        const auto shared = Shard::here().read_buffer();
        const std::size_t kept = in_.size();
        MutableBytes space = shared;
        if (kept > 0) {
            // The front of a message is here: read its rest straight behind it.
            const std::size_t want = std::max<std::size_t>(expected_ > kept ? expected_ - kept : 0, 16 * 1024);
            in_.resize(kept + std::min<std::size_t>(want, 1024 * 1024));
            space = MutableBytes(in_).subspan(kept);
        }
        const auto got = recv(fd_, space.data(), space.size(), 0);
        if (got < 0) {
            const int error = errno;
            in_.resize(kept);
            if (error == EAGAIN || error == EWOULDBLOCK) {
                readable_ = false;
                return;
            }
            if (error == EINTR) continue;
            fail_with({Errc::closed,
                       fmt::format("connection with {} broke: {}", to_string(peer_), std::strerror(error)), error});
            return;
        }
        if (got == 0) {
            in_.resize(kept);
            fail_with({Errc::closed, fmt::format("{} closed the connection", to_string(peer_))});
            return;
        }
        // A short read means that the socket is empty: no second call just to hear EAGAIN. What comes later is a new
        // edge; but an end that came together with these bytes shared their edge, and only another read shows it.
        if (static_cast<std::size_t>(got) < space.size() && !ended_) readable_ = false;
        std::size_t dealt = 0;
        if (kept > 0) {
            in_.resize(kept + static_cast<std::size_t>(got));
            if (!show(in_, dealt)) return;
            in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(dealt));
            if (in_.empty()) shrink_if_large(in_);
        } else {
            const auto data = shared.first(static_cast<std::size_t>(got));
            if (!show(data, dealt)) return;
            if (dealt < data.size()) {
                const auto rest = data.subspan(dealt);
                in_.reserve(std::max(expected_, rest.size()));
                in_.assign(rest.begin(), rest.end());
            }
        }
        if (in_.empty()) expected_ = 0;
    }
    if (readable_ && !paused_) Shard::here().defer(*this);
}

void Stream::run_deferred() {
    if (fd_ < 0 || !handler_) return;  // what is written before start() leaves after it
    if (closing_ && unsent() == 0) {
        fail_with({Errc::closed, fmt::format("connection with {} closed", to_string(peer_))});
        return;
    }
    flush();
    if (fd_ < 0 || paused_ || closing_) return;
    if (!in_.empty()) {
        // Held back by a pause: show it before anything newer.
        std::size_t dealt = 0;
        if (!show(in_, dealt)) return;
        in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(dealt));
        if (in_.empty()) shrink_if_large(in_);
    }
    if (readable_ && !paused_) read_some();
}

void Stream::seal() {
    if (out_.size() == sealed_) return;
    ASSERT(handler_ != nullptr);
    handler_->before_flush(out_, sealed_);
    ASSERT(out_.size() >= sealed_);
    sealed_ = out_.size();
}

void Stream::flush() {
    // While the socket is full nothing is sealed: more messages come, and share what the codec makes of them.
    if (writable_) seal();
    while (unsent() > 0 && writable_) {
        const auto sent = send(fd_, out_.data() + sent_, unsent(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                writable_ = false;
                break;
            }
            fail_with({Errc::closed,
                       fmt::format("connection with {} broke: {}", to_string(peer_), std::strerror(errno)), errno});
            return;
        }
        sent_ += static_cast<std::size_t>(sent);
    }
    if (unsent() == 0) {
        out_.clear();
        sent_ = 0;
        sealed_ = 0;
        shrink_if_large(out_);
    } else if (sent_ > out_.size() / 2) {
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
        sealed_ -= sent_;
        sent_ = 0;
    }
    if (closing_ && unsent() == 0) {
        Shard::here().defer(*this);
        return;
    }
    if (waiting_drain_ && unsent() <= drain_mark_) {
        waiting_drain_ = false;
        handler_->on_drained();
    }
}

void Stream::close_after_flush() {
    if (fd_ < 0) return;
    closing_ = true;
    Shard::here().defer(*this);
}

void Stream::fail_with(Error why) {
    if (fd_ < 0) return;
    auto* handler = handler_;
    close();
    if (handler) handler->on_closed(why);
}

void Stream::close() {
    if (fd_ < 0) return;
    if (handler_) Shard::here().unwatch(fd_, *this);
    if (in_deferred_queue) Shard::here().forget(*this);
    ::close(fd_);
    fd_ = -1;
}

namespace {

/// Waits for a non-blocking connect to end.
class Connecting final : public Watcher {
  public:
    explicit Connecting(OneShot<Result<int>> done) : done_(std::move(done)) {}
    void on_events(std::uint32_t) override { done_.set(0); }

  private:
    OneShot<Result<int>> done_;
};

}  // namespace

Task<Result<int>> connect(Endpoint to, Deadline by) {
    const int fd = socket(to.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) co_return fail(system_error("socket for", to_string(to), errno));
    if (::connect(fd, to.raw(), to.raw_size()) == 0) co_return fd;
    if (errno != EINPROGRESS) {
        const int error = errno;
        ::close(fd);
        co_return fail(Errc::unavailable, fmt::format("cannot connect to {}: {}", to_string(to), std::strerror(error)),
                       error);
    }
    auto& shard = Shard::here();
    const OneShot<Result<int>> done;
    Connecting watcher(done);
    if (auto watched = shard.watch(fd, watcher); !watched) {
        ::close(fd);
        co_return fail(std::move(watched).error());
    }
    const auto timer = shard.call_at(by.at, [done] { done.set(Error(Errc::timeout, "")); });
    auto ended = co_await done;
    shard.cancel(timer);
    shard.unwatch(fd, watcher);
    if (!ended) {
        ::close(fd);
        co_return fail(Errc::unavailable, fmt::format("cannot connect to {}: no answer in time", to_string(to)));
    }
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        ::close(fd);
        co_return fail(Errc::unavailable, fmt::format("cannot connect to {}: {}", to_string(to), std::strerror(error)),
                       error);
    }
    co_return fd;
}

}  // namespace penumbra
