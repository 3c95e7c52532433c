#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "control/migration.h"
#include "control/state_store.h"
#include "runtime/async.h"
#include "sync/replayer.h"

namespace penumbra::control {

/// The control plane's memory: every migration as the store has it. Written on the control shard, to the store first.
class Book {
  public:
    explicit Book(StateStore& store) : store_(store) {}

    /// Runs `work(store)` on the store's thread and brings its value back. Name the Task before awaiting it: GCC 12
    /// destroys a lambda that is made inside a co_await expression twice.
    template <class F>
    auto on_store(F work) {
        return worker_.run([&store = store_, work = std::move(work)]() mutable { return work(store); });
    }

    Migration* find(routing::ScopeId id);
    /// By name; or by a tenant that exactly one migration moves.
    Result<Migration> lookup(std::string_view name_or_tenant) const;
    std::map<routing::ScopeId, Migration>& all() { return migrations_; }
    const std::map<routing::ScopeId, Migration>& all() const { return migrations_; }

    routing::Epoch epoch{0};

  private:
    StateStore& store_;
    std::map<routing::ScopeId, Migration> migrations_;
    // Last, so that its thread has ended before the rest goes.
    Worker worker_{"state"};
};

/// What replayers have to know of the scopes, for any thread.
class ReplayScopes {
  public:
    void set(std::map<routing::ScopeId, sync::ReplayScope> scopes) {
        const std::lock_guard lock(mutex_);
        scopes_ = std::move(scopes);
    }
    /// Nothing: the scope is gone or no longer shadowed; what it was owed is wanted by nobody.
    std::optional<sync::ReplayScope> find(routing::ScopeId id) const {
        const std::lock_guard lock(mutex_);
        const auto found = scopes_.find(id);
        return found == scopes_.end() ? std::nullopt : std::optional(found->second);
    }

  private:
    mutable std::mutex mutex_;
    std::map<routing::ScopeId, sync::ReplayScope> scopes_;
};

}  // namespace penumbra::control
