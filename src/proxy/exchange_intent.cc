#include <algorithm>

#include "proxy/exchange.h"
#include "proxy/proxy_shard.h"

// `durability: intent`: before anybody is asked, the journal has on disk that the rows may come to differ. A crash in
// between leaves an order to make them equal.
namespace penumbra::proxy {

bool Exchange::append_intents() {
    if (shard_.options().durability != Durability::intent || !touches_rows()) return false;
    // Past the quota ranges stand for writes, and the order for a range may be carried out before this write is sent.
    if (shard_.journal_is_full()) return false;
    const auto stream = static_cast<std::uint8_t>(routing::other(routing::primary_of(phase_)));
    const auto scopes = owing_scopes();
    OwedOrders orders;
    encode_orders(orders);
    intents_under_way_ = orders.size() * scopes.size();
    for (const auto scope : scopes) {
        for (const auto& order : orders) {
            const auto payload = BytesView(shard_.scratch()).subspan(order.at, order.size);
            shard_.context().journal->append(stream, scope.value(), payload, [this](Result<journal::EntryId> appended) {
                if (appended) {
                    intents_.push_back(appended.value());
                } else {
                    intent_error_ = std::move(appended.error());
                }
                if (--intents_under_way_ == 0) intents_ended();
            });
        }
    }
    return true;
}

void Exchange::intents_ended() {
    const auto error = std::exchange(intent_error_, {});
    const bool refused = !error.what.empty() && error.code != Errc::overloaded;
    // No room is no fault: what is owed past the quota is owed by ranges, after the fact. Some of the orders are
    // none.
    if (!error.what.empty()) settle_intents();
    if (refused && !answered_) {
        shard_.log().error("a write was refused, for its intent could not be journalled", {kv("error", error.what)});
        client_->reply_error(stream_, cql::ErrorCode::overloaded,
                             "the journal's disk does not take the intent to write; it was not executed");
        answered_ = true;
    }
    if (answered_) {
        settle_intents();  // of one that was late
        finish();
        return;
    }
    send_legs();
}

void Exchange::settle_intents() {
    for (const auto intent : intents_) shard_.context().journal->settle(intent);
    intents_.clear();
}

void Exchange::intents_become_owed() {
    entries_.insert(entries_.end(), intents_.begin(), intents_.end());
    intents_.clear();
}

}  // namespace penumbra::proxy
