#include "runtime/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "runtime/async.h"
#include "runtime/tls_session.h"

namespace penumbra {

namespace {
// A buffer that once held a large frame goes back to this, so that a thousand clients do not each keep their largest.
constexpr std::size_t kKeptCapacity = 64 * 1024;
// Reads of one stream in one turn, so that a fast peer cannot hold the loop.
constexpr int kReadsPerTurn = 8;
// The most read at once while the shard has no memory left.
constexpr std::size_t kReadWhenExhausted = 4 * 1024;
// The least room for the rest of a message whose front is there.
constexpr std::size_t kReadBehind = 16 * 1024;

// With TLS the shard's read buffer holds what came, and behind it what that becomes.
constexpr std::size_t kCipherRoom = 108 * 1024;
static_assert(Shard::kReadBuffer - kCipherRoom > kCipherRoom + TlsSession::kCarriedOver);
// Encrypted at once, so that its ciphertext fits a buffer that is kept. A turn that wrote less is one system call.
constexpr std::size_t kEncryptedAtOnce = 60 * 1024;

void shrink_if_large(Bytes& buffer) {
    if (buffer.capacity() > kKeptCapacity) Bytes().swap(buffer);
}
}  // namespace

Stream::Stream(int fd, Endpoint peer, const TlsContextPtr& tls) : fd_(fd), peer_(peer) {
    if (tls) tls_ = std::make_unique<TlsSession>(*tls, peer);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // we gather by ourselves; Nagle would only add a wait
}

Stream::~Stream() {
    close();
    drop_buffers();
}

void Stream::start(Handler& handler) {
    handler_ = &handler;
    readable_ = true;
    if (auto watched = Shard::here().watch(fd_, *this); !watched) {
        // Told later like any other loss, as start() promises.
        closing_ = true;
    }
    if (tls_) {
        if (auto begun = tls_->begin(); !begun) end_ = std::move(begun).error();
        handshake_timer_ = Shard::here().call_in(kHandshakeTime, [this] {
            handshake_timer_ = 0;
            fail_with({Errc::unavailable, fmt::format("{} did not finish the TLS handshake within {} s",
                                                      to_string(peer_), kHandshakeTime / Seconds(1))});
        });
    }
    Shard::here().defer(*this);
}

// ---- memory

bool Stream::grow(std::size_t bytes, Refusal refusal) {
    if (sent_ > out_.size() / 4) drop_sent();
    const auto had = out_.capacity();
    const auto needed = out_.size() + bytes;
    if (needed <= had) return true;
    // Twofold within a turn. What waits longer grows in smaller steps, since what it does not use is counted as well.
    auto size = std::max(needed, writable_ ? 2 * had : had + had / 4);
    if (budget_) {
        const auto whom = writable_ ? MemoryBudget::For::request : MemoryBudget::For::waiting;
        if (!budget_->try_take(size - had, whom)) {
            size = needed;
            if (!budget_->try_take(size - had, whom)) {
                if (refusal == Refusal::allowed) return false;
                size += had / 16;  // or each of many small ones would move all the others
                budget_->take(size - had);
            }
        }
        charged_ += size - had;
    }
    out_.reserve(size);
    return true;
}

void Stream::drop_sent() {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sealed_ -= sent_;
    sent_ = 0;
}

void Stream::drop_buffers() {
    if (!in_handler_) Bytes().swap(in_);  // otherwise when the handler has seen it
    Bytes().swap(out_);
    if (tls_) Bytes().swap(tls_->outgoing());
    sent_ = sealed_ = cipher_sent_ = expected_ = 0;
    settle_memory();
}

void Stream::settle_memory() {
    if (!budget_) return;
    const auto held = [this] {
        return std::max(in_.capacity(), expected_) + out_.capacity() + (tls_ ? tls_->outgoing().capacity() : 0);
    };
    auto now = held();
    const bool empty = in_.empty() && out_.empty() && expected_ == 0 && cipher_unsent() == 0;
    if (now == charged_ && (!empty || now == kept_)) return;
    if (empty) {
        if (!budget_->try_keep(now, kept_)) {
            Bytes().swap(in_);
            Bytes().swap(out_);
            if (tls_) Bytes().swap(tls_->outgoing());
            now = held();
            budget_->try_keep(now, kept_);
        }
        kept_ = now;
    }
    if (now > charged_) {
        budget_->take(now - charged_);
    } else {
        budget_->give_back(charged_ - now);
    }
    charged_ = now;
}

std::size_t Stream::cipher_unsent() const {
    return tls_ ? tls_->outgoing().size() - cipher_sent_ : 0;
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
    if (fd_ >= 0 && (events & EPOLLOUT) && !send_failed_) {
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
    expected_ = 0;
    in_handler_ = true;
    dealt = handler_->on_data(data);
    in_handler_ = false;
    ASSERT(dealt <= data.size());
    if (fd_ >= 0) return true;
    drop_buffers();
    return false;
}

bool Stream::show_kept() {
    std::size_t dealt = 0;
    if (!show(in_, dealt)) return false;
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(dealt));
    if (in_.empty()) {
        expected_ = 0;
        shrink_if_large(in_);
    }
    settle_memory();
    return true;
}

bool Stream::show_fresh(MutableBytes data) {
    std::size_t dealt = 0;
    if (!show(data, dealt)) return false;
    if (dealt < data.size()) {
        const auto rest = data.subspan(dealt);
        in_.reserve(std::max(expected_, rest.size()));
        in_.assign(rest.begin(), rest.end());
        settle_memory();
    } else {
        expected_ = 0;
    }
    return true;
}

/// The handshake needs the other side's part even when nothing it says later matters any more.
bool Stream::shaking_hands() const {
    return tls_ && !tls_->is_established();
}

bool Stream::take_cipher(BytesView cipher) {
    const auto plain = Shard::here().read_buffer().subspan(kCipherRoom);
    const bool was_established = tls_->is_established();
    auto made = tls_->decrypt(cipher, plain);
    const bool is_new = !was_established && tls_->is_established();
    if (is_new) Shard::here().cancel(std::exchange(handshake_timer_, 0));
    // The handshake's answers, and what waited for its end.
    if (cipher_unsent() > 0 || is_new) Shard::here().defer(*this);
    if (made.error) {
        end_ = std::move(made.error);
    } else if (made.ended) {
        end_ = tls_->lost();
    }
    const auto data = plain.first(closing_ ? 0 : made.size);
    if (!in_.empty() && !data.empty()) {
        if (expected_ > in_.size() + data.size()) in_.reserve(std::min(expected_, in_.size() + 1024 * 1024));
        in_.insert(in_.end(), data.begin(), data.end());
        if (!show_kept()) return false;
    } else if (!data.empty() && !show_fresh(data)) {
        return false;
    }
    if (!end_) return true;
    if (!paused_) fail_with(*end_);  // or when what came before has been shown
    return false;
}

void Stream::read_some() {
    if (in_handler_ || fd_ < 0 || end_ || (closing_ && !shaking_hands())) return;
    for (int round = 0; round < kReadsPerTurn; ++round) {
        if (paused_ || !readable_) return;
        const auto shared = Shard::here().read_buffer();
        const std::size_t kept = in_.size();
        MutableBytes space = tls_ ? shared.first(kCipherRoom) : shared;
        // What a handler leaves is kept: of a thousand that are held back, a little each.
        const bool exhausted = Shard::here().memory().is_exhausted();
        if (exhausted) space = space.first(kReadWhenExhausted);
        if (kept > 0 && !tls_) {
            // The front of a message is here: read its rest straight behind it.
            const std::size_t rest = expected_ > kept ? expected_ - kept : 0;
            const std::size_t least = exhausted ? kReadWhenExhausted : kReadBehind;
            // Of a long one no more: what comes behind it would make the buffer twice as large.
            const std::size_t want = expected_ > kKeptCapacity && rest > 0 ? rest : std::max(rest, least);
            in_.resize(kept + std::min<std::size_t>(want, 1024 * 1024));
            space = MutableBytes(in_).subspan(kept);
        }
        const auto got = recv(fd_, space.data(), space.size(), 0);
        if (got <= 0) {
            const int error = errno;
            in_.resize(kept);
            if (got < 0 && error == EINTR) continue;
            if (got < 0 && (error == EAGAIN || error == EWOULDBLOCK) && !send_failed_) {
                readable_ = false;
                settle_memory();
                return;
            }
            fail_with(send_failed_ ? std::move(*send_failed_) : got == 0 ? lost() : broken(error));
            return;
        }
        // A short read means that the socket is empty: no second call just to hear EAGAIN. What comes later is a new
        // edge; but an end that came together with these bytes shared their edge, and only another read shows it.
        if (static_cast<std::size_t>(got) < space.size() && !ended_) readable_ = false;
        const auto data = space.first(static_cast<std::size_t>(got));
        if (tls_) {
            if (!take_cipher(data)) return;
        } else if (kept > 0) {
            in_.resize(kept + data.size());
            if (!show_kept()) return;
        } else if (!show_fresh(data)) {
            return;
        }
    }
    if (readable_ && !paused_) Shard::here().defer(*this);
}

Error Stream::lost() const {
    if (tls_) return tls_->lost();
    return {Errc::closed, fmt::format("{} closed the connection", to_string(peer_))};
}

Error Stream::broken(int error) const {
    if (tls_ && tls_->is_certificate_missing()) return tls_->lost();
    // Once a handshake is over, or where there is none, a broken connection is a lost one.
    const bool stood = !tls_ || tls_->is_established();
    return {stood ? Errc::closed : Errc::unavailable,
            fmt::format("connection with {} broke{}: {}", to_string(peer_), stood ? "" : " in the TLS handshake",
                        std::strerror(error)),
            error};
}

void Stream::run_deferred() {
    if (fd_ < 0 || !handler_) return;  // what is written before start() leaves after it
    if (closing_ && unsent() == 0) {
        fail_with({Errc::closed, fmt::format("connection with {} closed", to_string(peer_))});
        return;
    }
    flush();
    if (fd_ < 0 || paused_ || (closing_ && !shaking_hands())) return;
    // Held back by a pause: shown before anything newer.
    if (!in_.empty() && !show_kept()) return;
    if (end_) {
        if (!paused_) fail_with(*end_);
        return;
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
    const bool may_send = !tls_ || tls_->is_established();
    // While the socket is full nothing is sealed: more messages come, and share what the codec makes of them.
    if (writable_ && may_send) seal();
    while (writable_) {
        if (tls_ && may_send && cipher_unsent() == 0 && sent_ < sealed_) {
            const auto plain = BytesView(out_).subspan(sent_, std::min(sealed_ - sent_, kEncryptedAtOnce));
            if (auto encrypted = tls_->encrypt(plain); !encrypted) {
                fail_with(std::move(encrypted).error());
                return;
            }
            sent_ += plain.size();
        }
        const auto next =
            tls_ ? BytesView(tls_->outgoing()).subspan(cipher_sent_) : BytesView(out_).subspan(sent_, sealed_ - sent_);
        if (next.empty()) break;
        const auto sent = send(fd_, next.data(), next.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                writable_ = false;
                break;
            }
            auto why = broken(errno);
            if (closing_) {
                fail_with(std::move(why));
                return;
            }
            // What the other side said before it hung up explains more than a send that failed: an alert, an error
            // frame. The reads that follow find it, and then this end.
            send_failed_ = std::move(why);
            writable_ = false;
            readable_ = true;
            ended_ = true;
            Shard::here().defer(*this);
            if (!paused_) return;
            // Who reads on when this has drained would wait for ever: nothing of it waits any more.
            out_.clear();
            sent_ = sealed_ = 0;
            if (tls_) tls_->outgoing().clear();
            cipher_sent_ = 0;
            break;
        }
        (tls_ ? cipher_sent_ : sent_) += static_cast<std::size_t>(sent);
        if (tls_ && cipher_unsent() == 0) {
            tls_->outgoing().clear();
            cipher_sent_ = 0;
            shrink_if_large(tls_->outgoing());
        }
    }
    if (sent_ == out_.size()) {
        out_.clear();
        sent_ = 0;
        sealed_ = 0;
        shrink_if_large(out_);
    } else if (sent_ > out_.size() / 2) {
        drop_sent();
    }
    settle_memory();
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
    if (tls_) {
        // A word of goodbye, or the alert that says why, if the socket takes it now.
        if (unsent() == 0) tls_->say_goodbye();
        if (const auto last = BytesView(tls_->outgoing()).subspan(cipher_sent_); !last.empty() && writable_)
            [[maybe_unused]]
            const auto sent = send(fd_, last.data(), last.size(), MSG_NOSIGNAL);
        if (handshake_timer_ != 0) Shard::here().cancel(std::exchange(handshake_timer_, 0));
    }
    if (handler_) Shard::here().unwatch(fd_, *this);
    if (in_deferred_queue) Shard::here().forget(*this);
    ::close(fd_);
    fd_ = -1;
    drop_buffers();
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

namespace {
/// The wildcard address of `to`'s family with our port.
int bind_source(int fd, const Endpoint& to, std::uint16_t port) {
    sockaddr_in6 any{};
    if (to.raw()->sa_family == AF_INET) {
        auto* four = reinterpret_cast<sockaddr_in*>(&any);
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
    } else {
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(port);
    }
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&any), to.raw_size());
}
}  // namespace

Task<Result<int>> connect(Endpoint to, Deadline by, std::uint16_t source_port) {
    const int fd = socket(to.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) co_return fail(system_error("socket for", to_string(to), errno));
    if (source_port != 0 && bind_source(fd, to, source_port) != 0) {
        const int error = errno;
        ::close(fd);
        co_return fail(system_error("bind", fmt::format("port {} towards {}", source_port, to_string(to)), error));
    }
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
