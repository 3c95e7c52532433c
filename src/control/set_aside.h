#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/coordinator.h"
#include "journal/journal.h"
#include "sync/owed_picture.h"

namespace penumbra::control {

/// An owed write that a cluster refused for good, for people.
struct SetAsideView {
    journal::SetAsideEntry entry;
    std::string migration;  ///< empty: of no migration, but of --phase
    std::optional<sync::OwedPicture> picture;
    std::string unreadable;  ///< why there is no picture
};

/// Which entries an order is about: those of one migration, or of all, and of these all or the ones that are named.
struct SetAsideOrder {
    std::optional<std::string> migration;
    std::vector<std::uint64_t> entries;  ///< empty: all
    std::string reason;                  ///< for the audit log
};

struct SetAsideReport {
    std::vector<std::uint64_t> done;
    struct Failed {
        std::uint64_t entry = 0;
        std::string why;
    };
    std::vector<Failed> failed;
    std::uint64_t left = 0;  ///< still set aside, of the order's migration
};

/// What an operator can do with owed writes that a cluster refused for good: see them, offer them again, have their
/// rows made equal by reading, or give them up. Lives on the control shard; reads the journal on the background shard.
/// Every order that changes something is in the audit log.
class SetAside {
  public:
    SetAside(journal::Journal& journal, Coordinator& coordinator, Shard& background)
        : journal_(journal), coordinator_(coordinator), background_(background) {}

    /// At most `limit`, oldest first within a migration.
    Task<Result<std::vector<SetAsideView>>> list(std::optional<std::string> migration, std::size_t limit);
    /// Offered for replay again; what is refused once more comes back.
    Task<Result<SetAsideReport>> retry(SetAsideOrder order);
    /// Their rows are owed as resyncs instead, which read the primary: for statements that the cluster will never take.
    Task<Result<SetAsideReport>> resync(SetAsideOrder order);
    /// Gone, unsent: the clusters may differ there until a verify repairs it.
    Task<Result<SetAsideReport>> drop(SetAsideOrder order);

  private:
    enum class Action : std::uint8_t { retry, resync, drop };
    Task<Result<SetAsideReport>> carry_out(Action action, SetAsideOrder order);
    Task<Status> act(Action action, journal::SetAsideEntry entry);
    Task<Status> resync_instead(journal::SetAsideEntry entry);
    Result<std::optional<routing::ScopeId>> scope_of(const std::optional<std::string>& migration) const;
    std::string name_of(std::uint32_t scope) const;

    journal::Journal& journal_;
    Coordinator& coordinator_;
    Shard& background_;
};

}  // namespace penumbra::control
