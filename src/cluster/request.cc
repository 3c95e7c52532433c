#include "cluster/request.h"

#include "cluster/connection.h"
#include "cluster/node_group.h"

namespace penumbra::cluster {

void Request::give_up() {
    if (connection_) {
        connection_->ids_.orphan(stream_);
        connection_ = nullptr;
    }
    if (waiting_in_) {
        waiting_in_->forget(*this);
        waiting_in_ = nullptr;
    }
}

std::optional<std::int16_t> StreamIds::take(Request& request) {
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

std::optional<Request*> StreamIds::give_back(std::int16_t id) {
    if (id < 0 || static_cast<std::size_t>(id) >= slots_.size()) return std::nullopt;
    auto& slot = slots_[static_cast<std::size_t>(id)];
    if (!slot.taken) return std::nullopt;
    if (slot.request == nullptr) --orphans_;
    auto* request = slot.request;
    slot = {};
    free_.push_back(id);
    return request;
}

void StreamIds::orphan(std::int16_t id) {
    slots_[static_cast<std::size_t>(id)].request = nullptr;
    ++orphans_;
}

std::vector<Request*> StreamIds::take_all() {
    std::vector<Request*> waiting;
    for (const auto& slot : slots_) {
        if (slot.request) waiting.push_back(slot.request);
    }
    slots_.clear();
    free_.clear();
    orphans_ = 0;
    return waiting;
}

void CallRequest::write_to(Bytes& out, std::int16_t stream) {
    cql::set_stream(frame_, stream);
    out.insert(out.end(), frame_.begin(), frame_.end());
}

void CallRequest::on_reply(const cql::FrameView& frame) {
    outcome_.set({Bytes(frame.whole.begin(), frame.whole.end()), Applied::yes});
}

void CallRequest::on_failed(const Error& error, Applied applied) {
    outcome_.set({fail(error), applied});
}

}  // namespace penumbra::cluster
