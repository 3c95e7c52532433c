#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "base/result.h"
#include "cql/protocol/frame.h"
#include "runtime/async.h"
#include "runtime/endpoint.h"

namespace penumbra::cluster {

class Connection;
class NodeGroup;
class TableRoute;

/// Whether a request that failed may have had its effect: decides what may be sent again.
enum class Applied : std::uint8_t { no, yes, unknown };

/// A request on its way to one node. Belongs to the caller, who keeps it alive until exactly one of on_reply() and
/// on_failed() was called, or until cancel(). One shard.
class Request {
  public:
    Request() = default;
    virtual ~Request() { cancel(); }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    /// Appends the request frame with this stream id; called once per time it is sent. node() is where it goes.
    virtual void write_to(Bytes& out, std::int16_t stream) = 0;
    /// The frame is valid during the call only. An ERROR is a reply.
    virtual void on_reply(const cql::FrameView& frame) = 0;
    /// Errc::server: a node refused the very connection (login, keyspace) and this is its answer.
    virtual void on_failed(const Error& error, Applied applied) = 0;

    /// No callback after this. A reply that comes late is dropped; its stream id stays taken until then.
    void cancel() {
        if (is_pending()) give_up();
    }
    bool is_pending() const { return connection_ != nullptr || waiting_in_ != nullptr; }
    /// The node that it was sent to last.
    const Endpoint& node() const { return node_; }

  private:
    friend class Connection;
    friend class NodeGroup;
    friend class Pool;
    void give_up();

    Connection* connection_ = nullptr;
    std::int16_t stream_ = -1;
    bool one_node_only_ = false;  ///< the caller named the node
    Endpoint node_;
    NodeGroup* waiting_in_ = nullptr;
    std::shared_ptr<TableRoute> learns_;  ///< whose tablets its reply may tell of
    boost::intrusive::list_member_hook<> waiting_hook_;

  public:
    /// In the order in which they came. Thousands wait for a node that is stuck, and any may be cancelled.
    using WaitingList = boost::intrusive::list<
        Request, boost::intrusive::member_hook<Request, boost::intrusive::list_member_hook<>, &Request::waiting_hook_>>;
};

/// Hands out CQL stream ids on one connection and remembers whose they are. An id whose request was cancelled stays
/// taken until its late reply arrives, so a reply never meets the wrong request.
class StreamIds {
  public:
    explicit StreamIds(std::size_t limit) : limit_(limit) {}

    std::optional<std::int16_t> take(Request& request);
    /// The request behind the id, null when it was cancelled; the id is free afterwards. Nothing for an id not taken.
    std::optional<Request*> give_back(std::int16_t id);
    void orphan(std::int16_t id);
    std::size_t taken() const { return slots_.size() - free_.size(); }
    std::size_t orphans() const { return orphans_; }
    /// Every request that still waits; all ids are free afterwards.
    std::vector<Request*> take_all();

  private:
    struct Slot {
        Request* request = nullptr;
        bool taken = false;
    };
    std::size_t limit_;
    std::vector<Slot> slots_;
    std::vector<std::int16_t> free_;
    std::size_t orphans_ = 0;
};

inline std::optional<std::int16_t> StreamIds::take(Request& request) {
    std::int16_t id = 0;
    if (!free_.empty()) {
        id = free_.back();
        free_.pop_back();
    } else if (slots_.size() < limit_) {
        id = static_cast<std::int16_t>(slots_.size());
        slots_.emplace_back();
    } else {
        return std::nullopt;
    }
    slots_[static_cast<std::size_t>(id)] = {&request, true};
    return id;
}

inline std::optional<Request*> StreamIds::give_back(std::int16_t id) {
    if (id < 0 || static_cast<std::size_t>(id) >= slots_.size()) return std::nullopt;
    auto& slot = slots_[static_cast<std::size_t>(id)];
    if (!slot.taken) return std::nullopt;
    if (slot.request == nullptr) --orphans_;
    auto* request = slot.request;
    slot = {};
    free_.push_back(id);
    return request;
}

/// A request whose frame exists already and whose reply is awaited by a coroutine.
class CallRequest final : public Request {
  public:
    explicit CallRequest(Bytes frame) : frame_(std::move(frame)) {}
    struct Outcome {
        Result<Bytes> frame;
        Applied applied;
    };
    const OneShot<Outcome>& outcome() const { return outcome_; }

    void write_to(Bytes& out, std::int16_t stream) override;
    void on_reply(const cql::FrameView& frame) override;
    void on_failed(const Error& error, Applied applied) override;

  private:
    Bytes frame_;
    OneShot<Outcome> outcome_;
};

}  // namespace penumbra::cluster
