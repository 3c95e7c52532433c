"""Where the shim's answers are known to differ from the recordings, and why: (pattern of step, text and note; reason)."""

from __future__ import annotations

_NAMES = "names of markers within IN and tuples are Cassandra's"
_TABLES = "tables of ScyllaDB's own, or of its version of one; nothing behind could fill them"

EXPECTED: dict[str, list[tuple[str, str]]] = {
    "handshake": [],
    "connect": [
        (r"system_schema\.(scylla_|computed_columns|view_virtual)|system\.(scylla_local|config|token_ring|cluster_status|clients)"
         r"|system_distributed\.|system_traces\.sessions", _TABLES),
        (r"skip_metadata on", "rows of system.local without metadata cannot be told from others: they are this node's own"),
        (r"consistency [89]$", "a serial read of several partitions is refused by ScyllaDB alone"),
    ],
    "prepared": [
        (r" IN \(\?, \?\)| IN \? |\(c, d\) > \(\?, \?\)|\(c, d\) IN", _NAMES),
        (r"SELECT k, \? FROM t|\(int\) \? AS x", "Cassandra 4.1 takes casts and markers among the selectors"),
        (r"INSERT INTO t JSON", "a JSON marker belongs to no table on ScyllaDB"),
        (r"CREATE ROLE|LIST ROLES|GRANT SELECT", "what is forbidden is refused at PREPARE by Cassandra, at EXECUTE by ScyllaDB"),
        (r"DESCRIBE TABLES", "DESCRIBE has no metadata when prepared on Cassandra"),
        (r"prepared/159 ", "a null key of one of several kinds of marker"),
    ],
    "conditional": [
        (r"tx LIKE", "LIKE in a condition is ScyllaDB's alone"),
        (r"IF NOT EXISTS; UPDATE .* IF EXISTS", "refused by Cassandra for one row"),
        (r"serial range read", "a serial read of several partitions is refused by ScyllaDB alone"),
        (r"conditional/191|sum\(n\)", "increments after the deletion of a row are lost on ScyllaDB, seen again on Cassandra"),
        (r"cast\(n AS text\)", "casts have other names"),
    ],
    "errors": [
        (r"FUNCTION fail|SELECT fail", "functions are Java on Cassandra, Lua on ScyllaDB"),
        (r"USING TTL 6[03]0", "Cassandra 4.1 refuses an expiry past 2038"),
        (r"CREATE USER", "refused for another reason first"),
        (r"RF 3 on one node|RF 3, LWT", "Cassandra counts replicas by replication factor, ScyllaDB those that exist"),
    ],
}
