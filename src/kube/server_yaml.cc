#include "kube/server_yaml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/assert.h"

namespace penumbra::kube {

namespace {

// One key per line: fate, old name, name since 4.1 (or -), unit, why. A '3' behind the fate: gone in 4.0; a '+': new
// in 4.1 or later. Fates are value_status of scylladb's db/config.cc (Used, Unused, Invalid) seen from a Cassandra
// user.
constexpr std::string_view kKeys = R"(
used auto_snapshot - none
used batch_size_warn_threshold_in_kb batch_size_warn_threshold kib
used batch_size_fail_threshold_in_kb batch_size_fail_threshold kib
used column_index_size_in_kb column_index_size kib
used commitlog_sync - none
used commitlog_sync_period_in_ms commitlog_sync_period ms
used commitlog_sync_batch_window_in_ms - none
used commitlog_segment_size_in_mb commitlog_segment_size mib
used compaction_large_partition_warning_threshold_mb compaction_large_partition_warning_threshold mib
used incremental_backups - none
used internode_compression - none
used inter_dc_tcp_nodelay - none
used hinted_handoff_enabled - none
used max_hint_window_in_ms max_hint_window ms
used read_request_timeout_in_ms read_request_timeout ms
used range_request_timeout_in_ms range_request_timeout ms
used write_request_timeout_in_ms write_request_timeout ms
used counter_write_request_timeout_in_ms counter_write_request_timeout ms
used cas_contention_timeout_in_ms cas_contention_timeout ms
used truncate_request_timeout_in_ms truncate_request_timeout ms
used request_timeout_in_ms request_timeout ms
used tombstone_warn_threshold - none
used authenticator - none
used authorizer - none
used role_manager - none
used permissions_validity_in_ms permissions_validity ms
used permissions_update_interval_in_ms permissions_update_interval ms
used permissions_cache_max_entries - none
used rpc_keepalive - none
used client_encryption_options - none
used server_encryption_options - none
used partitioner - none
used enable_user_defined_functions user_defined_functions_enabled none
tuned compaction_throughput_mb_per_sec compaction_throughput mib_per_second a throttle for Cassandra's compactors; ScyllaDB schedules compaction by shares, and 0 (no throttle) is its default
tuned commitlog_total_space_in_mb commitlog_total_space mib ScyllaDB sizes its commit log from memory
tuned phi_convict_threshold - none ScyllaDB finds dead nodes by direct pings; its default suits it
tuned num_tokens - none keyspaces with tablets have no vnodes; ScyllaDB's 256 stands for the others
tuned auto_bootstrap - none left to scylla-operator's joining of nodes
tuned initial_token - none tokens are ScyllaDB's to choose in a new cluster; the copy places rows anew
operated cluster_name - none scylla-operator sets it from metadata.name
operated seed_provider - none scylla-operator writes the seeds
operated listen_address - none scylla-operator writes the addresses
operated listen_interface - none scylla-operator writes the addresses
operated listen_interface_prefer_ipv6 - none scylla-operator writes the addresses
operated listen_on_broadcast_address - none scylla-operator writes the addresses
operated broadcast_address - none scylla-operator writes it from exposeOptions.broadcastOptions.nodes
operated broadcast_rpc_address - none scylla-operator writes it from exposeOptions.broadcastOptions.clients
operated rpc_address - none scylla-operator writes the addresses
operated rpc_interface - none scylla-operator writes the addresses
operated rpc_interface_prefer_ipv6 - none scylla-operator writes the addresses
operated endpoint_snitch - none scylla-operator sets GossipingPropertyFileSnitch and the rack of each node
operated native_transport_port - none the Service <name>-client serves 9042, 9142, 19042 and 19142
operated native_transport_port_ssl - none the Service <name>-client serves 9042, 9142, 19042 and 19142
operated storage_port - none scylla-operator's Services and probes expect the default
operated ssl_storage_port - none scylla-operator's Services and probes expect the default
operated start_native_transport - none scylla-operator's probes need it on
operated data_file_directories - none one volume per node, mounted at /var/lib/scylla
operated commitlog_directory - none one volume per node, mounted at /var/lib/scylla
operated hints_directory - none one volume per node, mounted at /var/lib/scylla
operated cdc_raw_directory - none ScyllaDB keeps changes in tables, not in files
operated local_system_data_file_directory - none one volume per node, mounted at /var/lib/scylla
rejected concurrent_reads - none shards read as many at once as the disk was measured to take
rejected concurrent_writes - none writes never wait for a thread
rejected concurrent_compactors - none each shard compacts under its scheduler's shares
rejected memtable_flush_writers - none flushes are scheduled per shard
rejected memtable_allocation_type - none there is no heap to be on or off
rejected memtable_cleanup_threshold - none memtables flush under ScyllaDB's own controller
rejected native_transport_max_threads - none no thread pool: one reactor per CPU
rejected max_hints_delivery_threads - none hints are scheduled per shard
ignored disk_failure_policy - none ScyllaDB isolates the node on a disk error
ignored commit_failure_policy - none ScyllaDB isolates the node on a commit log error
ignored key_cache_size_in_mb key_cache_size mib one cache of rows and index pages takes all free memory
ignored key_cache_save_period key_cache_save_period seconds one cache of rows and index pages takes all free memory
ignored key_cache_keys_to_save - none one cache of rows and index pages takes all free memory
ignored row_cache_size_in_mb row_cache_size mib one cache of rows and index pages takes all free memory
ignored row_cache_save_period row_cache_save_period seconds one cache of rows and index pages takes all free memory
ignored row_cache_keys_to_save - none one cache of rows and index pages takes all free memory
ignored counter_cache_size_in_mb counter_cache_size mib there is no counter cache
ignored counter_cache_save_period counter_cache_save_period seconds there is no counter cache
ignored counter_cache_keys_to_save - none there is no counter cache
ignored concurrent_counter_writes - none no thread pools
ignored memtable_heap_space_in_mb memtable_heap_space mib there is no heap
ignored memtable_offheap_space_in_mb memtable_offheap_space mib there is no heap, hence nothing off it
ignored file_cache_size_in_mb file_cache_size mib one cache takes all free memory
ignored dynamic_snitch_badness_threshold - none reads are balanced by cache hit rate
ignored dynamic_snitch_reset_interval_in_ms dynamic_snitch_reset_interval ms reads are balanced by cache hit rate
ignored dynamic_snitch_update_interval_in_ms dynamic_snitch_update_interval ms reads are balanced by cache hit rate
ignored trickle_fsync - none direct I/O: there is no page cache to trickle from
ignored trickle_fsync_interval_in_kb trickle_fsync_interval kib direct I/O: there is no page cache to trickle from
ignored tombstone_failure_threshold - none ScyllaDB ends a page early instead of failing the read
ignored stream_throughput_outbound_megabits_per_sec stream_throughput_outbound megabits streaming has a scheduling group; stream_io_throughput_mb_per_sec is ScyllaDB's own limit
ignored inter_dc_stream_throughput_outbound_megabits_per_sec inter_dc_stream_throughput_outbound megabits streaming has a scheduling group
ignored index_summary_capacity_in_mb index_summary_capacity mib summaries are small and always in memory
ignored index_summary_resize_interval_in_minutes index_summary_resize_interval minutes summaries are small and always in memory
ignored saved_caches_directory - none caches are not saved
ignored snapshot_before_compaction - none ScyllaDB does not do that
ignored internode_authenticator - none there is none
ignored cross_node_timeout - none timeouts travel with the request
ignored hinted_handoff_throttle_in_kb hinted_handoff_throttle kib hints have a scheduling group
ignored batchlog_replay_throttle_in_kb batchlog_replay_throttle kib the batch log has a scheduling group
ignored native_transport_max_frame_size_in_mb native_transport_max_frame_size mib requests are bounded by memory instead
ignored sstable_preemptive_open_interval_in_mb sstable_preemptive_open_interval mib compaction replaces files as runs of fragments
ignored3 start_rpc - none Thrift is gone
ignored3 rpc_port - none Thrift is gone
ignored3 request_scheduler - none use workload prioritization instead
ignored3 request_scheduler_id - none use workload prioritization instead
ignored3 request_scheduler_options - none use workload prioritization instead
ignored3 streaming_socket_timeout_in_ms - none streaming has timeouts of its own
ignored3 internode_send_buff_size_in_bytes - none left to the kernel
ignored3 internode_recv_buff_size_in_bytes - none left to the kernel
unknown3 rpc_listen_backlog - none
unknown3 rpc_server_type - none
unknown3 rpc_min_threads - none
unknown3 rpc_max_threads - none
unknown3 rpc_send_buff_size_in_bytes - none
unknown3 rpc_recv_buff_size_in_bytes - none
unknown3 thrift_max_message_length_in_mb - none
unknown3 thrift_framed_transport_size_in_mb - none
unknown3 thrift_prepared_statements_cache_size_mb - none
unknown3 encryption_options - none
unknown3 index_interval - none
unknown network_authorizer - none
unknown cidr_authorizer - none
unknown roles_validity_in_ms roles_validity ms
unknown roles_cache_max_entries - none
unknown roles_update_interval_in_ms roles_update_interval ms
unknown credentials_validity_in_ms credentials_validity ms
unknown credentials_cache_max_entries - none
unknown credentials_update_interval_in_ms credentials_update_interval ms
unknown hinted_handoff_disabled_datacenters - none
unknown force_new_prepared_statement_behaviour - none
unknown disk_access_mode - none
unknown allocate_tokens_for_keyspace - none
unknown allocate_tokens_for_local_replication_factor - none
unknown native_transport_idle_timeout_in_ms native_transport_idle_timeout ms
unknown streaming_connections_per_host - none
unknown streaming_keep_alive_period_in_secs streaming_keep_alive_period seconds
unknown slow_query_log_timeout_in_ms slow_query_log_timeout ms
unknown concurrent_materialized_view_writes - none
unknown concurrent_replicates - none
unknown repair_session_max_tree_depth - none
unknown repair_session_space_in_mb repair_session_space mib
unknown repair_request_timeout_in_ms repair_request_timeout ms
unknown use_offheap_merkle_trees - none
unknown internode_max_message_size_in_bytes internode_max_message_size bytes
unknown internode_socket_send_buffer_size_in_bytes internode_socket_send_buffer_size bytes
unknown internode_socket_receive_buffer_size_in_bytes internode_socket_receive_buffer_size bytes
unknown internode_application_send_queue_capacity_in_bytes internode_application_send_queue_capacity bytes
unknown internode_application_send_queue_reserve_endpoint_capacity_in_bytes internode_application_send_queue_reserve_endpoint_capacity bytes
unknown internode_application_send_queue_reserve_global_capacity_in_bytes internode_application_send_queue_reserve_global_capacity bytes
unknown internode_application_receive_queue_capacity_in_bytes internode_application_receive_queue_capacity bytes
unknown internode_application_receive_queue_reserve_endpoint_capacity_in_bytes internode_application_receive_queue_reserve_endpoint_capacity bytes
unknown internode_application_receive_queue_reserve_global_capacity_in_bytes internode_application_receive_queue_reserve_global_capacity bytes
unknown internode_tcp_connect_timeout_in_ms internode_tcp_connect_timeout ms
unknown internode_tcp_user_timeout_in_ms internode_tcp_user_timeout ms
unknown internode_streaming_tcp_user_timeout_in_ms internode_streaming_tcp_user_timeout ms
unknown internode_timeout - none
unknown native_transport_max_concurrent_connections - none
unknown native_transport_max_concurrent_connections_per_ip - none
unknown native_transport_flush_in_batches_legacy - none
unknown native_transport_allow_older_protocols - none
unknown native_transport_max_concurrent_requests_in_bytes_per_ip native_transport_max_request_data_in_flight_per_ip bytes
unknown native_transport_max_concurrent_requests_in_bytes native_transport_max_request_data_in_flight bytes
unknown native_transport_receive_queue_capacity_in_bytes native_transport_receive_queue_capacity bytes
unknown native_transport_max_negotiable_protocol_version - none
unknown max_value_size_in_mb max_value_size mib
unknown snapshot_links_per_second - none
unknown column_index_cache_size_in_kb column_index_cache_size kib
unknown unlogged_batch_across_partitions_warn_threshold - none
unknown min_free_space_per_drive_in_mb min_free_space_per_drive mib
unknown concurrent_materialized_view_builders - none
unknown reject_repair_compaction_threshold - none
unknown max_streaming_retries - none
unknown commitlog_sync_group_window_in_ms commitlog_sync_group_window ms
unknown commitlog_compression - none
unknown flush_compression - none
unknown commitlog_max_compression_buffers_in_pool - none
unknown periodic_commitlog_sync_lag_block_in_ms periodic_commitlog_sync_lag_block ms
unknown transparent_data_encryption_options - none
unknown max_mutation_size_in_kb max_mutation_size kib
unknown cdc_enabled - none
unknown cdc_total_space_in_mb cdc_total_space mib
unknown cdc_free_space_check_interval_ms cdc_free_space_check_interval ms
unknown commitlog_periodic_queue_size - none
unknown dynamic_snitch - none
unknown hints_flush_period_in_ms hints_flush_period ms
unknown max_hints_file_size_in_mb max_hints_file_size mib
unknown hints_compression - none
unknown key_cache_migrate_during_compaction - none
unknown row_cache_class_name - none
unknown cache_load_timeout_seconds cache_load_timeout seconds
unknown networking_cache_size_in_mb networking_cache_size mib
unknown file_cache_enabled - none
unknown file_cache_round_up - none
unknown buffer_pool_use_heap_if_exhausted - none
unknown disk_optimization_strategy - none
unknown disk_optimization_estimate_percentile - none
unknown disk_optimization_page_cross_chance - none
unknown replica_filtering_protection - none
unknown gc_log_threshold_in_ms gc_log_threshold ms
unknown gc_warn_threshold_in_ms gc_warn_threshold ms
unknown tracetype_query_ttl trace_type_query_ttl seconds
unknown tracetype_repair_ttl trace_type_repair_ttl seconds
unknown ideal_consistency_level - none
unknown otc_coalescing_strategy - none
unknown otc_coalescing_window_us - none
unknown otc_coalescing_enough_coalesced_messages - none
unknown otc_backlog_expiration_interval_ms otc_backlog_expiration_interval ms
unknown windows_timer_interval - none
unknown prepared_statements_cache_size_mb prepared_statements_cache_size mib
unknown enable_scripted_user_defined_functions scripted_user_defined_functions_enabled none
unknown enable_materialized_views materialized_views_enabled none
unknown enable_transient_replication transient_replication_enabled none
unknown enable_sasi_indexes sasi_indexes_enabled none
unknown enable_drop_compact_storage drop_compact_storage_enabled none
unknown enable_user_defined_functions_threads user_defined_functions_threads_enabled none
unknown allow_insecure_udfs - none
unknown allow_extra_insecure_udfs - none
unknown user_defined_function_warn_timeout user_defined_functions_warn_timeout ms
unknown user_defined_function_fail_timeout user_defined_functions_fail_timeout ms
unknown user_function_timeout_policy - none
unknown back_pressure_enabled - none
unknown back_pressure_strategy - none
unknown concurrent_validations - none
unknown repair_command_pool_full_strategy - none
unknown repair_command_pool_size - none
unknown block_for_peers_timeout_in_secs - none
unknown block_for_peers_in_remote_dcs - none
unknown automatic_sstable_upgrade - none
unknown max_concurrent_automatic_sstable_upgrades - none
unknown stream_entire_sstables - none
unknown audit_logging_options - none
unknown full_query_logging_options - none
unknown corrupted_tombstone_strategy - none
unknown diagnostic_events_enabled - none
unknown repaired_data_tracking_for_range_reads_enabled - none
unknown repaired_data_tracking_for_partition_reads_enabled - none
unknown report_unconfirmed_repaired_data_mismatches - none
unknown snapshot_on_repaired_data_mismatch - none
unknown validation_preview_purge_head_start_in_sec validation_preview_purge_head_start seconds
unknown initial_range_tombstone_list_allocation_size - none
unknown range_tombstone_list_growth_factor - none
unknown snapshot_on_duplicate_row_detection - none
unknown check_for_duplicate_rows_during_reads - none
unknown check_for_duplicate_rows_during_compaction - none
unknown autocompaction_on_startup_enabled - none
unknown auto_optimise_inc_repair_streams - none
unknown auto_optimise_full_repair_streams - none
unknown auto_optimise_preview_repair_streams - none
unknown table_count_warn_threshold - none
unknown keyspace_count_warn_threshold - none
unknown consecutive_message_errors_threshold - none
unknown internode_error_reporting_exclusions - none
unknown client_error_reporting_exclusions - none
unknown authentication_options - none
unknown+ auth_read_consistency_level - none
unknown+ auth_write_consistency_level - none
unknown+ auth_cache_warming_enabled - none
unknown+ traverse_auth_from_root - none
unknown+ permissions_cache_active_update - none
unknown+ roles_cache_active_update - none
unknown+ credentials_cache_active_update - none
unknown+ hint_window_persistent_enabled - none
unknown+ auto_hints_cleanup_enabled - none
unknown+ max_hints_size_per_host - none
unknown+ transfer_hints_on_decommission - none
unknown+ memtable - none
unknown+ paxos_variant - none
unknown+ paxos_state_purging - none
unknown+ paxos_repair_enabled - none
unknown+ paxos_repair_parallelism - none
unknown+ paxos_topology_repair_no_dc_checks - none
unknown+ paxos_purge_grace_period - none
unknown+ paxos_on_linearizability_violations - none
unknown+ paxos_contention_wait_randomizer - none
unknown+ paxos_contention_min_wait - none
unknown+ paxos_contention_max_wait - none
unknown+ paxos_contention_min_delta - none
unknown+ skip_paxos_repair_on_topology_change - none
unknown+ skip_paxos_repair_version_validation - none
unknown+ user_timestamps_enabled - none
unknown+ group_by_enabled - none
unknown+ drop_truncate_table_enabled - none
unknown+ drop_keyspace_enabled - none
unknown+ secondary_indexes_enabled - none
unknown+ uncompressed_tables_enabled - none
unknown+ compact_tables_enabled - none
unknown+ alter_table_enabled - none
unknown+ read_before_write_list_operations_enabled - none
unknown+ allow_filtering_enabled - none
unknown+ simplestrategy_enabled - none
unknown+ keyspaces_warn_threshold - none
unknown+ keyspaces_fail_threshold - none
unknown+ tables_warn_threshold - none
unknown+ tables_fail_threshold - none
unknown+ columns_per_table_warn_threshold - none
unknown+ columns_per_table_fail_threshold - none
unknown+ secondary_indexes_per_table_warn_threshold - none
unknown+ secondary_indexes_per_table_fail_threshold - none
unknown+ materialized_views_per_table_warn_threshold - none
unknown+ materialized_views_per_table_fail_threshold - none
unknown+ page_size_warn_threshold - none
unknown+ page_size_fail_threshold - none
unknown+ partition_keys_in_select_warn_threshold - none
unknown+ partition_keys_in_select_fail_threshold - none
unknown+ in_select_cartesian_product_warn_threshold - none
unknown+ in_select_cartesian_product_fail_threshold - none
unknown+ collection_size_warn_threshold - none
unknown+ collection_size_fail_threshold - none
unknown+ items_per_collection_warn_threshold - none
unknown+ items_per_collection_fail_threshold - none
unknown+ fields_per_udt_warn_threshold - none
unknown+ fields_per_udt_fail_threshold - none
unknown+ data_disk_usage_percentage_warn_threshold - none
unknown+ data_disk_usage_percentage_fail_threshold - none
unknown+ data_disk_usage_max_disk_size - none
unknown+ minimum_replication_factor_warn_threshold - none
unknown+ minimum_replication_factor_fail_threshold - none
unknown+ maximum_replication_factor_warn_threshold - none
unknown+ maximum_replication_factor_fail_threshold - none
unknown+ table_properties_warned - none
unknown+ table_properties_ignored - none
unknown+ table_properties_disallowed - none
unknown+ read_consistency_levels_warned - none
unknown+ read_consistency_levels_disallowed - none
unknown+ write_consistency_levels_warned - none
unknown+ write_consistency_levels_disallowed - none
unknown+ partition_size_warn_threshold - none
unknown+ partition_size_fail_threshold - none
unknown+ partition_tombstones_warn_threshold - none
unknown+ partition_tombstones_fail_threshold - none
unknown+ column_value_size_warn_threshold - none
unknown+ column_value_size_fail_threshold - none
unknown+ vector_dimensions_warn_threshold - none
unknown+ vector_dimensions_fail_threshold - none
unknown+ vector_type_enabled - none
unknown+ zero_ttl_on_twcs_enabled - none
unknown+ zero_ttl_on_twcs_warned - none
unknown+ non_partition_restricted_index_query_enabled - none
unknown+ intersect_filtering_query_enabled - none
unknown+ intersect_filtering_query_warned - none
unknown+ bulk_load_enabled - none
unknown+ maximum_timestamp_warn_threshold - none
unknown+ maximum_timestamp_fail_threshold - none
unknown+ minimum_timestamp_warn_threshold - none
unknown+ minimum_timestamp_fail_threshold - none
unknown+ sai_options - none
unknown+ sai_sstable_indexes_per_query_warn_threshold - none
unknown+ sai_sstable_indexes_per_query_fail_threshold - none
unknown+ sai_string_term_size_warn_threshold - none
unknown+ sai_string_term_size_fail_threshold - none
unknown+ sai_frozen_term_size_warn_threshold - none
unknown+ sai_frozen_term_size_fail_threshold - none
unknown+ sai_vector_term_size_warn_threshold - none
unknown+ sai_vector_term_size_fail_threshold - none
unknown+ default_secondary_index - none
unknown+ default_secondary_index_enabled - none
unknown+ default_compaction - none
unknown+ storage_compatibility_mode - none
unknown+ sstable - none
unknown+ use_statements_enabled - none
unknown+ use_deterministic_table_id - none
unknown+ crypto_provider - none
unknown+ dynamic_data_masking_enabled - none
unknown+ startup_checks - none
unknown+ track_warnings - none
unknown+ coordinator_read_size_warn_threshold - none
unknown+ coordinator_read_size_fail_threshold - none
unknown+ local_read_size_warn_threshold - none
unknown+ local_read_size_fail_threshold - none
unknown+ row_index_read_size_warn_threshold - none
unknown+ row_index_read_size_fail_threshold - none
unknown+ read_thresholds_enabled - none
unknown+ native_transport_max_requests_per_second - none
unknown+ native_transport_rate_limiting_enabled - none
unknown+ native_transport_max_auth_threads - none
unknown+ native_transport_max_message_size - none
unknown+ repair - none
unknown+ entire_sstable_stream_throughput_outbound - none
unknown+ entire_sstable_inter_dc_stream_throughput_outbound - none
unknown+ streaming_slow_events_log_timeout - none
unknown+ streaming_stats_enabled - none
unknown+ streaming_state_expires - none
unknown+ streaming_state_size - none
unknown+ reject_out_of_token_range_requests - none
unknown+ log_out_of_token_range_requests - none
unknown+ denylist_initial_load_retry - none
unknown+ denylist_max_keys_per_table - none
unknown+ denylist_max_keys_total - none
unknown+ denylist_refresh - none
unknown+ denylist_consistency_level - none
unknown+ partition_denylist_enabled - none
unknown+ denylist_writes_enabled - none
unknown+ denylist_reads_enabled - none
unknown+ denylist_range_reads_enabled - none
unknown+ progress_barrier_min_consistency_level - none
unknown+ progress_barrier_default_consistency_level - none
unknown+ progress_barrier_timeout - none
unknown+ progress_barrier_backoff - none
unknown+ cdc_block_writes - none
unknown+ cdc_on_repair_enabled - none
unknown+ key_cache_invalidate_after_sstable_deletion - none
unknown+ default_keyspace_rf - none
unknown+ concurrent_index_builders - none
unknown+ max_top_size_partition_count - none
unknown+ max_top_tombstone_partition_count - none
unknown+ min_tracked_partition_size - none
unknown+ min_tracked_partition_tombstone_count - none
unknown+ top_partitions_enabled - none
unknown+ compaction_tombstone_warning_threshold - none
unknown+ available_processors - none
unknown+ heap_dump_path - none
unknown+ dump_heap_on_uncaught_exception - none
unknown+ repair_disk_headroom_reject_ratio - none
unknown+ unlogged_batch_enabled - none
unknown+ cms_default_max_retries - none
unknown+ cms_default_retry_backoff - none
unknown+ cms_await_timeout - none
unknown+ metadata_snapshot_frequency - none
unknown+ discovery_timeout - none
unknown+ epoch_aware_debounce_inflight_tracker_max_size - none
unknown+ commitlog_disk_access_mode - none
unknown+ native_transport_throw_on_overload - none
unknown+ native_transport_queue_max_item_age_threshold - none
unknown+ native_transport_min_backoff_on_queue_overload - none
unknown+ native_transport_max_backoff_on_queue_overload - none
unknown+ native_transport_timeout - none
unknown+ cql_start_time - none
unknown+ consensus_migration_cache_size - none
unknown+ accord - none
unknown+ password_validator - none
unknown+ role_name_policy - none
)";

constexpr std::string_view kScyllaOnly = R"(
abort_on_internal_error allowed_repair_based_node_ops alternator_address alternator_describe_endpoints
alternator_encryption_options alternator_enforce_authorization alternator_https_port alternator_port
alternator_streams_time_window_s alternator_timeout_in_ms alternator_ttl_period_in_seconds
alternator_write_isolation api_address api_doc_dir api_port api_ui_dir audit audit_categories audit_keyspaces
audit_syslog_write_buffer_size audit_tables audit_unix_socket_path auth_certificate_role_queries
auth_superuser_name auth_superuser_salted_password batchlog_replay_cleanup_after_replays
cache_hit_rate_read_balancing cache_index_pages column_index_auto_scale_threshold_in_kb
commitlog_flush_threshold_in_mb commitlog_max_data_lifetime_in_seconds commitlog_reuse_segments
commitlog_use_fragmented_entries commitlog_use_hard_size_limit commitlog_use_o_dsync
compaction_collection_elements_count_warning_threshold compaction_enforce_min_threshold
compaction_flush_all_tables_before_major_seconds compaction_large_cell_warning_threshold_mb
compaction_large_row_warning_threshold_mb compaction_rows_count_warning_threshold compaction_static_shares
components_memory_reclaim_threshold consistent_cluster_management consistent_rangemovement
cql_duplicate_bind_variable_names_refer_to_same_variable critical_disk_utilization_level data_file_capacity
default_log_level defragment_memory_on_idle developer_mode direct_failure_detector_ping_timeout_in_ms
enable_cache enable_commitlog enable_compacting_data_for_streaming_and_repair enable_cql_config_updates
enable_create_table_with_compact_storage enable_file_stream enable_in_memory_data_store enable_ipv6_dns_lookup
enable_keyspace_column_family_metrics enable_node_aggregated_table_metrics enable_parallelized_aggregation
enable_repair_based_node_ops enable_shard_aware_drivers enable_tablets
enable_tombstone_gc_for_streaming_and_repair experimental experimental_features failure_detector_timeout_in_ms
flush_schema_tables_after_modification force_gossip_topology_changes group0_raft_op_timeout_in_ms
group0_tombstone_gc_refresh_interval_in_ms ignore_dead_nodes_for_replace index_cache_fraction
internode_compression_algorithms internode_compression_checksumming internode_compression_enable_advanced
join_ring large_memory_allocation_warning_threshold ldap_attr_role ldap_bind_dn ldap_bind_passwd
ldap_url_template listen_on_broadcast_address live_updatable_config_params_changeable_via_cql load_ring_state
log_to_stdout log_to_syslog logger_log_level maintenance_mode maintenance_socket maintenance_socket_group
max_clustering_key_restrictions_per_query max_concurrent_requests_per_shard max_hinted_handoff_concurrency
max_memory_for_unlimited_query_hard_limit max_memory_for_unlimited_query_soft_limit
max_partition_key_restrictions_per_query maximum_replication_factor_fail_threshold
maximum_replication_factor_warn_threshold memtable_flush_static_shares
minimum_replication_factor_fail_threshold minimum_replication_factor_warn_threshold
murmur3_partitioner_ignore_msb_bits native_shard_aware_transport_port native_shard_aware_transport_port_ssl
nodeops_heartbeat_interval_seconds nodeops_watchdog_timeout_seconds object_storage_endpoints prometheus_address
prometheus_port prometheus_prefix query_page_size_in_bytes query_tombstone_page_limit
reader_concurrency_semaphore_cpu_concurrency reader_concurrency_semaphore_kill_limit_multiplier
reader_concurrency_semaphore_serialize_limit_multiplier recovery_leader relabel_config_file
replace_node_first_boot replication_strategy_fail_list replication_strategy_warn_list
request_timeout_on_shutdown_in_seconds restrict_dtcs restrict_future_timestamp
restrict_replication_simplestrategy restrict_twcs_without_default_ttl rf_rack_valid_keyspaces ring_delay_ms
rpc_dict_training_when saslauthd_socket_path schema_commitlog_directory schema_commitlog_segment_size_in_mb
schema_registry_grace_period service_levels_interval_ms shadow_round_ms skip_wait_for_gossip_to_settle
sstable_compression_dictionaries_enable_writing sstable_compression_user_table_options sstable_format
sstable_summary_ratio stream_io_throughput_mb_per_sec stream_plan_ranges_fraction strict_allow_filtering
strict_is_not_null_in_views tablets_initial_scale_factor tablets_mode_for_new_keyspaces tablets_per_shard_goal
target_tablet_size_in_bytes task_ttl_in_seconds twcs_max_window_count
uninitialized_connections_semaphore_cpu_concurrency unspooled_dirty_soft_limit
user_defined_function_time_limit_ms user_task_ttl_in_seconds vector_store_encryption_options
vector_store_primary_uri vector_store_secondary_uri view_building view_flow_control_delay_limit_in_ms
view_hints_directory wasm_cache_memory_fraction wasm_udf_memory_limit workdir
)";

std::string_view take_word(std::string_view& line) {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

KeyFate fate_of(std::string_view word) {
    if (word == "used") return KeyFate::used;
    if (word == "tuned") return KeyFate::tuned;
    if (word == "operated") return KeyFate::operated;
    if (word == "ignored") return KeyFate::ignored;
    if (word == "rejected") return KeyFate::rejected;
    ASSERT(word == "unknown");
    return KeyFate::unknown;
}

Unit unit_of(std::string_view word) {
    static constexpr std::array<std::pair<std::string_view, Unit>, 9> units{{{"none", Unit::none},
                                                                             {"ms", Unit::ms},
                                                                             {"seconds", Unit::seconds},
                                                                             {"minutes", Unit::minutes},
                                                                             {"kib", Unit::kib},
                                                                             {"mib", Unit::mib},
                                                                             {"bytes", Unit::bytes},
                                                                             {"mib_per_second", Unit::mib_per_second},
                                                                             {"megabits", Unit::megabits}}};
    for (const auto& [name, unit] : units) {
        if (name == word) return unit;
    }
    ASSERT(false);
    return Unit::none;
}

struct Keys {
    std::vector<ServerKey> all;
    std::map<std::string, std::size_t, std::less<>> by_name;

    Keys() {
        auto rest = kKeys;
        while (!rest.empty()) {
            const auto end = rest.find('\n');
            auto line = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            if (line.empty()) continue;
            ServerKey key;
            auto fate = take_word(line);
            key.until_311 = fate.ends_with('3');
            key.since_41 = fate.ends_with('+');
            if (key.until_311 || key.since_41) fate.remove_suffix(1);
            key.fate = fate_of(fate);
            key.name = take_word(line);
            const auto new_name = take_word(line);
            if (new_name != "-") key.new_name = new_name;
            key.unit = unit_of(take_word(line));
            key.why = line;
            all.push_back(std::move(key));
        }
        for (std::size_t i = 0; i < all.size(); ++i) {
            by_name.emplace(all[i].name, i);
            if (!all[i].new_name.empty()) by_name.emplace(all[i].new_name, i);
        }
    }
};

const Keys& keys() {
    static const Keys table;
    return table;
}

struct Scale {
    std::string_view suffix;
    double factor;
};

}  // namespace

const std::vector<ServerKey>& cassandra_keys() {
    return keys().all;
}

const ServerKey* find_cassandra_key(std::string_view name) {
    const auto found = keys().by_name.find(name);
    return found == keys().by_name.end() ? nullptr : &keys().all[found->second];
}

std::vector<std::string> cassandra_key_names() {
    std::vector<std::string> names;
    for (const auto& [name, index] : keys().by_name) names.push_back(name);
    return names;
}

bool is_scylla_only_key(std::string_view name) {
    static const auto names = [] {
        std::set<std::string, std::less<>> out;
        auto rest = kScyllaOnly;
        while (!rest.empty()) {
            const auto end = std::min(rest.find_first_of(" \n"), rest.size());
            if (end > 0) out.emplace(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return out;
    }();
    return names.contains(name);
}

std::optional<std::int64_t> to_plain_unit(std::string_view text, Unit unit) {
    static constexpr std::array kTimes{Scale{"ns", 1e-6}, Scale{"us", 1e-3}, Scale{"ms", 1},    Scale{"s", 1e3},
                                       Scale{"m", 6e4},   Scale{"h", 3.6e6}, Scale{"d", 8.64e7}};
    static constexpr std::array kSizes{Scale{"B", 1}, Scale{"KiB", 1024}, Scale{"MiB", 1048576},
                                       Scale{"GiB", 1073741824}};
    static constexpr std::array kRates{Scale{"B/s", 1}, Scale{"KiB/s", 1024}, Scale{"MiB/s", 1048576}};
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc()) return std::nullopt;
    const std::string_view suffix(result.ptr, static_cast<std::size_t>(text.data() + text.size() - result.ptr));
    const auto scaled = [&](const auto& scales, double per) -> std::optional<std::int64_t> {
        for (const auto& scale : scales) {
            const double out = value * scale.factor / per;
            if (scale.suffix == suffix && out > -9e15 && out < 9e15) return static_cast<std::int64_t>(out);
        }
        return std::nullopt;
    };
    switch (unit) {
        case Unit::none:
            return std::nullopt;
        case Unit::ms:
            return scaled(kTimes, 1);
        case Unit::seconds:
            return scaled(kTimes, 1e3);
        case Unit::minutes:
            return scaled(kTimes, 6e4);
        case Unit::kib:
            return scaled(kSizes, 1024);
        case Unit::mib:
            return scaled(kSizes, 1048576);
        case Unit::bytes:
            return scaled(kSizes, 1);
        case Unit::mib_per_second:
            return scaled(kRates, 1048576);
        case Unit::megabits:
            return scaled(kRates, 125000);
    }
    return std::nullopt;
}

std::string with_unit(std::int64_t value, Unit unit) {
    switch (unit) {
        case Unit::none:
            return fmt::format("{}", value);
        case Unit::ms:
            return fmt::format("{}ms", value);
        case Unit::seconds:
            return fmt::format("{}s", value);
        case Unit::minutes:
            return fmt::format("{}m", value);
        case Unit::kib:
            return fmt::format("{}KiB", value);
        case Unit::mib:
            return fmt::format("{}MiB", value);
        case Unit::bytes:
            return fmt::format("{}B", value);
        case Unit::mib_per_second:
            return fmt::format("{}MiB/s", value);
        case Unit::megabits:
            return fmt::format("{}Mbit/s", value);
    }
    return {};
}

}  // namespace penumbra::kube
