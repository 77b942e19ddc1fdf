"""The flags of mooncake_master."""

from __future__ import annotations

from .flags import Flag, Kind, table

_HA = "one master serves a pool; when it is restarted it finds again what the nodes hold"
_DISK = "objects lie in memory only"
_DFS = "objects lie in memory only; no file system is used"
_SNAPSHOT = "nothing to restore: a restarted master finds again what the nodes hold"
_TENANTS = "keys of all clients are one space, without quotas"
_NOF = "there is no NVMe-oF pool"
_EVENTS = "no ZMQ events are published; see 'kvctl watch'"
_TASKS = "tasks are bounded by the master's own limits"
_HEAT = "copies are made on request only"


def _idle(reason: str, **defaults: str) -> list[Flag]:
    return [Flag(name, default, reason, Kind.IDLE) for name, default in defaults.items()]


def _absent(reason: str, **defaults: str) -> list[Flag]:
    return [Flag(name, default, reason, Kind.ABSENT) for name, default in defaults.items()]


FLAGS = table(
    Flag("config_path", "", "a file of these settings, JSON or YAML; flags count more"),
    Flag("rpc_port", "0", "port for clients; 0: that of --port"),
    Flag("port", "50051", "port for clients"),
    Flag("rpc_thread_num", "0", "threads at most; 0: those of --max_threads"),
    Flag("max_threads", "16", "threads at most; fewer than 4 are 4"),
    Flag("rpc_address", "0.0.0.0", "where to listen, for clients and HTTP"),
    Flag("metrics_host", "", "no other than --rpc_address: HTTP listens there, too"),
    Flag("metrics_port", "9003", "port for HTTP: /metrics, /health, /api/v1/"),
    Flag("default_kv_lease_ttl", "10000", "how long a key that was read is safe: ms, or 5s"),
    Flag("client_ttl", "10", "seconds of silence after which a client's memory is given up"),
    Flag("eviction_high_watermark_ratio", "0.90", "share of memory that may be full"),
    Flag("enable_http_metadata_server", "false", "serve /metadata?key=, too"),
    Flag("http_metadata_server_host", "0.0.0.0", "where to listen for that"),
    Flag("http_metadata_server_port", "8080", "port for that"),
    Flag("minloglevel", "0", "log 0: everything, 1: warnings, 2: errors"),
    *_idle("metrics are read over HTTP", enable_metric_reporting="true"),
    *_idle("connections are gRPC's", rpc_conn_timeout_seconds="0", rpc_enable_tcp_no_delay="true"),
    *_idle("kvstore evicts exactly what is needed", eviction_ratio="0.05"),
    *_idle(
        "clients ask for half an hour, or for their own time",
        default_kv_soft_pin_ttl="1800000",
        max_kv_soft_pin_ttl="86400000",
    ),
    *_idle(
        "an unfinished put ends with its writer, or after a minute",
        put_start_discard_timeout_sec="30",
        put_start_release_timeout_sec="600",
    ),
    *_idle(
        "kvstore has one allocator and places objects near their writer",
        memory_allocator="offset",
        allocation_strategy="random",
        mmap_arena_pool_size="0",
        use_mmap_arena_allocator="false",
    ),
    *_idle(
        "what a dead client left there is not looked at", enable_metadata_cleanup_on_timeout="false"
    ),
    *_absent("name the address itself: --rpc_address", rpc_interface=""),
    *_absent(_HA, enable_ha="false", enable_oplog="false"),
    *_idle(
        _HA,
        ha_backend_type="etcd",
        ha_backend_connstring="",
        etcd_endpoints="",
        cluster_id="mooncake_cluster",
        pod_name="",
        pod_namespace="",
        oplog_poll_interval_ms="1000",
        oplog_batch_max_entries="1024",
        batch_oplog_retry_timeout_sec="180",
    ),
    *_absent(_SNAPSHOT, enable_snapshot="false", enable_snapshot_restore="false"),
    *_idle(
        _SNAPSHOT,
        snapshot_interval_seconds="600",
        snapshot_child_timeout_seconds="300",
        snapshot_retention_count="2",
        snapshot_backup_dir="",
        snapshot_object_store_type="",
        snapshot_payload_store_type="",
        snapshot_payload_backend_type="",
        snapshot_catalog_store_type="",
        snapshot_catalog_backend_type="",
        snapshot_catalog_store_connstring="",
        snapshot_catalog_backend_connstring="",
    ),
    *_absent(_DFS, root_fs_dir=""),
    *_idle(
        _DFS,
        global_file_segment_size="9223372036854775807",
        enable_disk_eviction="true",
        quota_bytes="0",
    ),
    *_absent(_DISK, enable_offload="false", offload_on_evict="false", offload_force_evict="false"),
    *_idle(_DISK, offloading_queue_limit="50000", offload_cap_ratio="0.5"),
    *_absent(_DISK, promotion_on_hit="false"),
    *_idle(
        _DISK,
        promotion_admission_threshold="2",
        promotion_queue_limit="50000",
        promotion_max_per_heartbeat="1",
    ),
    *_absent(_HEAT, dynamic_replication_mode="off"),
    *_idle(
        _HEAT,
        dynamic_replication_heat_window_seconds="10",
        dynamic_replication_admission_qps_threshold="0.8",
        dynamic_replication_max_memory_replicas="2",
    ),
    *_absent(_EVENTS, enable_kv_events="false"),
    *_idle(
        _EVENTS,
        kv_events_bind_endpoint="",
        kv_events_backend_id="",
        kv_events_emit_legacy_compat="true",
        kv_events_emit_object_key="true",
        kv_events_queue_capacity="65536",
        kv_events_model_name="",
        kv_events_tenant_id="",
        kv_events_additional_salt="",
        kv_events_lora_name="",
        kv_events_block_size="0",
        kv_events_dp_rank="0",
    ),
    *_absent(_TENANTS, enable_multi_tenants="false"),
    *_idle(_TENANTS, tenant_quota_connector_type="file", tenant_quota_connector_uri=""),
    *_idle(
        _TASKS,
        max_total_finished_tasks="10000",
        max_total_pending_tasks="10000",
        max_total_processing_tasks="10000",
        pending_task_timeout_sec="300",
        processing_task_timeout_sec="300",
        max_retry_attempts="10",
    ),
    *_absent("there is no CXL memory pool", enable_cxl="false"),
    *_idle("there is no CXL memory pool", cxl_path="/dev/dax0.0", cxl_size="8589934592"),
    *_idle(
        _NOF,
        nof_eviction_ratio="0.05",
        nof_eviction_high_watermark_ratio="0.90",
        nof_heartbeat_interval_sec="10",
        nof_heartbeat_probe_timeout_ms="1000",
        nof_heartbeat_failures_threshold="3",
    ),
)
# What files call them.
NAMES_IN_FILES = {"client_live_ttl_sec": "client_ttl"}
# Where nothing else may be evicted, kvstore evicts what is pinned softly: true is its way.
FLAGS["allow_evict_soft_pinned_objects"] = Flag(
    "allow_evict_soft_pinned_objects", "true", "true only: pin hard what must stay"
)
