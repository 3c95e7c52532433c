"""The system tables that ScyllaDB 5.2 has and drivers or Penumbra read, with their columns in the order of SELECT *.

Taken from the recordings of a real 5.2.18. A table of `system` or `system_schema` that is not here is "unconfigured".
"""

from __future__ import annotations

TABLES: dict[str, dict[str, str]] = {
    "system.local": {
        "key": "text", "bootstrapped": "text", "broadcast_address": "inet", "cluster_name": "text",
        "cql_version": "text", "data_center": "text", "gossip_generation": "int", "host_id": "uuid",
        "listen_address": "inet", "native_protocol_version": "text", "partitioner": "text", "rack": "text",
        "release_version": "text", "rpc_address": "inet", "schema_version": "uuid", "supported_features": "text",
        "thrift_version": "text", "tokens": "set<text>", "truncated_at": "map<uuid,blob>",
    },
    "system.peers": {
        "peer": "inet", "data_center": "text", "host_id": "uuid", "preferred_ip": "inet", "rack": "text",
        "release_version": "text", "rpc_address": "inet", "schema_version": "uuid", "supported_features": "text",
        "tokens": "set<text>",
    },
    "system_schema.keyspaces": {
        "keyspace_name": "text", "durable_writes": "boolean", "replication": "map<text,text>",
    },
    "system_schema.tables": {
        "keyspace_name": "text", "table_name": "text", "bloom_filter_fp_chance": "double",
        "caching": "map<text,text>", "comment": "text", "compaction": "map<text,text>",
        "compression": "map<text,text>", "crc_check_chance": "double", "dclocal_read_repair_chance": "double",
        "default_time_to_live": "int", "extensions": "map<text,blob>", "flags": "set<text>",
        "gc_grace_seconds": "int", "id": "uuid", "max_index_interval": "int", "memtable_flush_period_in_ms": "int",
        "min_index_interval": "int", "read_repair_chance": "double", "speculative_retry": "text",
    },
    "system_schema.columns": {
        "keyspace_name": "text", "table_name": "text", "column_name": "text", "clustering_order": "text",
        "column_name_bytes": "blob", "kind": "text", "position": "int", "type": "text",
    },
    "system_schema.types": {
        "keyspace_name": "text", "type_name": "text", "field_names": "list<text>", "field_types": "list<text>",
    },
    "system_schema.functions": {
        "keyspace_name": "text", "function_name": "text", "argument_types": "list<text>",
        "argument_names": "list<text>", "body": "text", "called_on_null_input": "boolean", "language": "text",
        "return_type": "text",
    },
    "system_schema.aggregates": {
        "keyspace_name": "text", "aggregate_name": "text", "argument_types": "list<text>", "final_func": "text",
        "initcond": "text", "return_type": "text", "state_func": "text", "state_type": "text",
    },
    "system_schema.triggers": {
        "keyspace_name": "text", "table_name": "text", "trigger_name": "text", "options": "map<text,text>",
    },
    "system_schema.indexes": {
        "keyspace_name": "text", "table_name": "text", "index_name": "text", "kind": "text",
        "options": "map<text,text>",
    },
    "system_schema.views": {
        "keyspace_name": "text", "view_name": "text", "base_table_id": "uuid", "base_table_name": "text",
        "bloom_filter_fp_chance": "double", "caching": "map<text,text>", "comment": "text",
        "compaction": "map<text,text>", "compression": "map<text,text>", "crc_check_chance": "double",
        "dclocal_read_repair_chance": "double", "default_time_to_live": "int", "extensions": "map<text,blob>",
        "gc_grace_seconds": "int", "id": "uuid", "include_all_columns": "boolean", "max_index_interval": "int",
        "memtable_flush_period_in_ms": "int", "min_index_interval": "int", "read_repair_chance": "double",
        "speculative_retry": "text", "where_clause": "text",
    },
    "system_schema.dropped_columns": {
        "keyspace_name": "text", "table_name": "text", "column_name": "text", "dropped_time": "timestamp",
        "type": "text",
    },
    "system_schema.computed_columns": {
        "keyspace_name": "text", "table_name": "text", "column_name": "text", "computation": "blob",
    },
    "system_schema.view_virtual_columns": {
        "keyspace_name": "text", "table_name": "text", "column_name": "text", "clustering_order": "text",
        "column_name_bytes": "blob", "kind": "text", "position": "int", "type": "text",
    },
    "system_schema.scylla_tables": {
        "keyspace_name": "text", "table_name": "text", "cdc": "map<text,text>", "partitioner": "text",
        "version": "uuid",
    },
    "system_schema.scylla_keyspaces": {
        "keyspace_name": "text", "storage_options": "map<text,text>", "storage_type": "text",
    },
    "system_schema.scylla_aggregates": {
        "keyspace_name": "text", "aggregate_name": "text", "argument_types": "list<text>", "reduce_func": "text",
        "state_type": "text",
    },
    "system.size_estimates": {
        "keyspace_name": "text", "table_name": "text", "range_start": "text", "range_end": "text",
        "mean_partition_size": "bigint", "partitions_count": "bigint",
    },
    "system.built_views": {
        "keyspace_name": "text", "view_name": "text",
    },
    "system.scylla_local": {
        "key": "text", "value": "text",
    },
    "system_distributed.view_build_status": {
        "keyspace_name": "text", "view_name": "text", "host_id": "uuid", "status": "text",
    },
    "system_distributed.service_levels": {
        "service_level": "text", "timeout": "duration", "workload_type": "text",
    },
    "system_distributed.cdc_generation_timestamps": {
        "key": "text", "time": "timestamp", "expired": "timestamp",
    },
}
