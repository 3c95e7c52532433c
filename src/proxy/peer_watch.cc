#include "proxy/peer_watch.h"

#include <algorithm>
#include <utility>

#include "cql/protocol/frame.h"
#include "cql/protocol/requests.h"
#include "runtime/stream.h"

namespace penumbra::proxy {

std::optional<bool> PeerHealth::observe(bool answered) {
    if (answered) {
        failures_ = 0;
        ++successes_;
        if (successes_ >= kSteadyAfter) needed_ = 1;
        if (up_ || successes_ < needed_) return std::nullopt;
        up_ = true;
        return true;
    }
    successes_ = 0;
    ++failures_;
    if (!up_ || failures_ < kFailuresUntilDown) return std::nullopt;
    up_ = false;
    needed_ = std::min(needed_ * 2, kMostSuccessesUntilUp);
    return false;
}

namespace {

/// One connection that asks OPTIONS and waits for the first frame.
class Question final : Stream::Handler {
  public:
    Question(int fd, const Endpoint& to, const TlsContextPtr& tls) : stream_(fd, to, tls) {
        stream_.start(*this);
        cql::encode_options(stream_.out(), {});
        stream_.flush_soon();
    }
    const OneShot<Status>& answered() const { return answered_; }
    void close() { stream_.close(); }

  private:
    std::size_t on_data(MutableBytes data) override {
        const auto scan = cql::next_frame(data, cql::Direction::response);
        if (scan.verdict == cql::FrameVerdict::incomplete) return 0;
        const bool fine =
            scan.verdict == cql::FrameVerdict::complete && scan.frame.header.opcode == cql::Opcode::supported;
        answered_.set(fine ? Status(ok()) : fail(Errc::malformed, "it answered OPTIONS with something else"));
        return data.size();
    }
    void on_closed(const Error& why) override { answered_.set(fail(why)); }

    Stream stream_;
    OneShot<Status> answered_;
};

Task<Status> answers(Endpoint to, PeerWatch::Options options) {
    const auto by = Deadline::in(Shard::here().clock(), options.timeout);
    auto connected = co_await connect(to, by);
    if (!connected) co_return fail(connected.error());
    auto question = std::make_unique<Question>(connected.value(), to, options.tls);
    const auto answered = question->answered();
    const auto timer =
        Shard::here().call_at(by.at, [answered] { answered.set(fail(Errc::timeout, "no answer in time")); });
    auto result = co_await answered;
    Shard::here().cancel(timer);
    question->close();
    Shard::here().dispose(std::move(question));
    co_return result;
}

}  // namespace

PeerWatch::PeerWatch(ProxyRingPtr ring, OnChange on_change, Options options)
    : ring_(std::move(ring)), on_change_(std::move(on_change)), options_(options), health_(ring_->nodes().size()) {}

void PeerWatch::start() {
    for (std::size_t i = 0; i < ring_->nodes().size(); ++i) {
        if (i != ring_->self_index()) gate_.spawn(watch(this, i));
    }
}

Task<void> PeerWatch::stop() {
    gate_.close();
    stop_.request();
    co_await gate_.drained();
}

Task<void> PeerWatch::watch(PeerWatch* self, std::size_t index) {
    const auto address = self->ring_->nodes()[index].address;
    int failures = 0;
    while (!self->stop_.requested()) {
        const auto answered = co_await answers(address, self->options_);
        if (self->stop_.requested()) break;
        failures = answered ? 0 : failures + 1;
        const auto change = self->health_[index].observe(answered.has_value());
        if (answered && change) self->log_.info("a proxy is up", {kv("proxy", address)});
        // Also of one that was never up: what is wrong with it may be our TLS.
        if (failures == PeerHealth::kFailuresUntilDown)
            self->log_.warn("a proxy is down", {kv("proxy", address), kv("error", answered.error().what)});
        if (change) {
            auto up = std::make_shared<std::vector<bool>>();
            for (const auto& health : self->health_) up->push_back(health.is_up());
            self->on_change_(std::move(up), {address, *change});
        }
        co_await sleep(self->options_.every, &self->stop_);
    }
}

}  // namespace penumbra::proxy
