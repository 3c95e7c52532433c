#pragma once

/// Answers as docs/admin-api.md shows them.
namespace penumbra::cli::testing {

inline constexpr const char* kStatus =
    R"({"version": "0.1.0", "uptime_seconds": 12.3, "listen": "127.0.0.9:9042", "tenant_column": "system_domain_id",
 "default_phase": "source_only", "epoch": 7,
 "clusters": {"source": {"name": "Test Cluster", "release_version": "4.1.9", "nodes": 1, "nodes_up": 1},
              "target": {"name": "Test Cluster", "release_version": "5.0.5", "nodes": 1, "nodes_up": 1}},
 "clients": {"connections": 3, "total": 12},
 "requests": {"total": 1000, "errors": 0, "held": 4, "longest_hold_ms": 2.1},
 "shadow": {"writes": 400, "failures": 0},
 "journal": {"owed": 0, "oldest_owed_seconds": 0, "bytes": 0, "set_aside": 0},
 "migrations": [{"name": "acme", "phase": "shadow_async", "owed": 0}]})";

inline constexpr const char* kMigration =
    R"({"name": "acme", "tenants": ["5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10"], "tables": {"allow": ["*.*"], "deny": []},
 "phase": "shadow_async", "epoch": 7, "created_at": "2026-11-22T17:00:00Z", "shadow_since": "2026-11-22T17:01:00Z",
 "copy": {"state": "done", "rows": 1200, "finished_at": "2026-11-22T17:02:00Z"},
 "verify": {"state": "none", "rows": 0, "differences": 0, "finished_at": null},
 "owed": 0, "oldest_owed_seconds": 0,
 "last_switch": {"from": "source_only", "to": "shadow_async", "wait_ms": 1.9, "held_requests": 3, "at": "2026-11-22T17:01:00Z"},
 "next": "shadow_sync"})";

inline constexpr const char* kChange =
    R"({"name": "acme", "from": "shadow_sync", "to": "target_primary", "epoch": 8, "wait_ms": 1.9, "held_requests": 3, "dry_run": false,
 "gates": [{"gate": "copied", "passed": true, "detail": "1200 rows copied at 2026-11-22T17:02:00Z"}]})";

inline constexpr const char* kRefusedChange = R"({"error": {"code": "conflict", "message": "acme is not verified"},
 "name": "acme", "from": "shadow_sync", "to": "target_primary", "dry_run": false,
 "gates": [{"gate": "copied", "passed": true, "detail": "1200 rows"}, {"gate": "verified", "passed": false, "detail": "never verified: penumbra verify acme"}]})";

inline constexpr const char* kTenants =
    R"({"tenants": [{"tenant": "5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10", "migration": "acme", "phase": "shadow_async", "owed": 1234}]})";
inline constexpr const char* kTenant =
    R"({"tenant": "5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10", "migration": "acme", "phase": "shadow_async", "owed": 2})";

inline constexpr const char* kJobRunning = R"({"id": 3, "kind": "verify", "migration": "acme", "state": "running",
 "progress": {"done": 16, "total": 64, "rows": 700, "rows_per_second": 950.0, "seconds_left": 4.2}, "result": null, "error": null})";
inline constexpr const char* kVerifyClean = R"({"id": 3, "kind": "verify", "migration": "acme", "state": "done",
 "progress": {"done": 64, "total": 64, "rows": 1200, "rows_per_second": 950.0, "seconds_left": 0},
 "result": {"rows": 1200, "differences": 0, "repaired": 0, "samples": []}, "error": null})";
inline constexpr const char* kVerifyDifferent =
    R"({"id": 3, "kind": "verify", "migration": "acme", "state": "done", "progress": {"done": 64, "total": 64, "rows": 1200},
 "result": {"rows": 1200, "differences": 2, "repaired": 0, "conflicts": 1,
  "samples": [{"table": "shop.orders", "key": "id=7", "column": "note", "kind": "value", "source": "'a\u001b[2J'", "target": "'b'"},
              {"table": "shop.orders", "key": "id=8", "column": "", "kind": "missing", "source": "", "target": ""}]}, "error": null})";
inline constexpr const char* kVerifyRepaired = R"({"id": 3, "kind": "verify", "migration": "acme", "state": "done",
 "result": {"rows": 1200, "differences": 2, "repaired": 2, "samples": []}, "error": null})";
inline constexpr const char* kCopyRunning = R"({"id": 4, "kind": "copy", "migration": "acme", "state": "running",
 "progress": {"done": 0, "total": 0, "rows": 0, "rows_per_second": 0, "seconds_left": null}, "result": null, "error": null})";
inline constexpr const char* kCopyDone =
    R"({"id": 4, "kind": "copy", "migration": "acme", "state": "done", "result": {"rows": 1200}, "error": null})";
inline constexpr const char* kCopyFailed =
    R"({"id": 4, "kind": "copy", "migration": "acme", "state": "failed", "result": null,
 "error": {"code": "unavailable", "message": "no node of the target is up"}})";

}  // namespace penumbra::cli::testing
