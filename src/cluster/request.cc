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
