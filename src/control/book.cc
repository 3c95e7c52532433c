#include "control/book.h"

#include <algorithm>

#include <fmt/format.h>

namespace penumbra::control {

Migration* Book::find(routing::ScopeId id) {
    const auto found = migrations_.find(id);
    return found == migrations_.end() ? nullptr : &found->second;
}

Result<Migration> Book::lookup(std::string_view name_or_tenant) const {
    for (const auto& [id, migration] : migrations_) {
        if (migration.name == name_or_tenant) return migration;
    }
    const Migration* only = nullptr;
    for (const auto& [id, migration] : migrations_) {
        if (std::ranges::find(migration.scope.tenants, name_or_tenant) == migration.scope.tenants.end()) continue;
        if (only) {
            return fail(Errc::conflict, fmt::format("tenant '{}' is moved by '{}' and by '{}': name the migration",
                                                    name_or_tenant, only->name, migration.name));
        }
        only = &migration;
    }
    if (!only)
        return fail(Errc::not_found, fmt::format("there is no migration '{}', nor one that moves a tenant of that name",
                                                 name_or_tenant));
    return *only;
}

}  // namespace penumbra::control
