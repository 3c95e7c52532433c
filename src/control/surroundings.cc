#include "control/surroundings.h"

#include <optional>

#include "sync/copy.h"
#include "sync/verify.h"

namespace penumbra::control {

journal::Owed JournalOwed::of(routing::Side side, routing::ScopeId scope) const {
    auto owed = journal_.owed_of(stream_of(side), scope.value());
    owed.entries += ranges_.unwritten(stream_of(side), scope);
    return owed;
}
journal::Owed JournalOwed::total() const {
    auto owed = journal_.owed_total();
    owed.entries += ranges_.unwritten();
    return owed;
}
std::uint64_t JournalOwed::bytes() const {
    return journal_.bytes_on_disk();
}
void JournalOwed::forget(routing::ScopeId scope) {
    // In this order: an order that a replay puts off meanwhile either finds that nothing is owed any more, or goes with
    // the rest.
    journal_.forget_scope(scope.value());
    ranges_.forget(scope);
}

namespace {

class CopyMover final : public Mover {
  public:
    CopyMover(sync::Pair pair, sync::WorkOptions options) : copy_(std::move(pair), std::move(options)) {}
    Task<Result<sync::Report>> run(StopSignal& stop) override { return copy_.run(stop); }
    sync::Progress snapshot() const override { return copy_.snapshot(); }

  private:
    sync::Copy copy_;
};

class VerifyMover final : public Mover {
  public:
    VerifyMover(sync::Pair pair, sync::VerifyOptions options) : verify_(std::move(pair), std::move(options)) {}
    Task<Result<sync::Report>> run(StopSignal& stop) override { return verify_.run(stop); }
    sync::Progress snapshot() const override { return verify_.snapshot(); }

  private:
    sync::Verify verify_;
};

}  // namespace

MakeMover sync_movers(cluster::Session& source, cluster::Session& target, sync::LiveTraffic& traffic,
                      sync::Transit& transit, const OwedWrites& owed, sync::WorkOptions work) {
    return [&source, &target, &traffic, &transit, &owed, work](MoverOrder order) -> std::unique_ptr<Mover> {
        const auto primary = routing::primary_of(order.migration.phase);
        const bool forward = primary == routing::Side::source;
        sync::Pair pair{forward ? source : target,
                        forward ? target : source,
                        traffic,
                        transit,
                        order.migration.id,
                        order.migration.scope,
                        order.tenant_column,
                        primary,
                        unknown_timestamp(order.migration)};
        auto options = work;
        options.done = std::move(order.done);
        options.finished = std::move(order.finished);
        switch (order.kind) {
            case JobKind::copy:
                return std::make_unique<CopyMover>(std::move(pair), std::move(options));
            case JobKind::verify: {
                sync::VerifyOptions verify;
                verify.work = std::move(options);
                verify.work.oldest_owed = [&owed, shadow = routing::other(primary), scope = order.migration.id] {
                    return owed.of(shadow, scope).oldest_waiting_at;
                };
                verify.repair = order.repair ? sync::Repair::yes : sync::Repair::no;
                return std::make_unique<VerifyMover>(std::move(pair), std::move(verify));
            }
        }
        return nullptr;
    };
}

}  // namespace penumbra::control
