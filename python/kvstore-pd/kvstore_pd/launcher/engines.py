"""What engines are told of the store: their files, and --kv-transfer-config."""

from __future__ import annotations

import json
from typing import Any

import yaml

from .settings import DECODER, LMCACHE, MOONCAKE_STORE, Settings, Worker, merged

_HEAD = "# Written by kvstore-pd; what stands here is changed in {path}.\n"
# By itself LMCache leaves the store alone for 300 s after ten gets that failed within 30 s, as they
# do where a node dies.
_KEEP_TRYING = {"get_blocking_failed_threshold": 1000}
_PLUGIN = "remote_storage_plugin.kvstore."


def config_file(settings: Settings, worker: Worker) -> tuple[str, str]:
    """The end of its name, and its text."""
    if settings.connector == MOONCAKE_STORE:
        return ".json", json.dumps(_mooncake_json(settings), indent=2) + "\n"
    chosen = _lmcache_drop_in if settings.connector == LMCACHE else _lmcache_plugin
    text = yaml.safe_dump(merged(chosen(settings, worker), worker.lmcache), sort_keys=False)
    return ".yaml", _HEAD.format(path=settings.path) + text


def config_variable(settings: Settings) -> str:
    """By which the engine finds that file."""
    mooncake = settings.connector == MOONCAKE_STORE
    return "MOONCAKE_CONFIG_PATH" if mooncake else "LMCACHE_CONFIG_FILE"


def kv_transfer(settings: Settings, worker: Worker) -> dict[str, Any]:
    """Workers of one host are told apart by what stands in extra_config: with the same there, one
    would answer for the others."""
    if settings.connector == MOONCAKE_STORE:
        name = "MooncakeStoreConnector"
        extra: dict[str, Any] = {"lookup_rpc_port": worker.number}
    else:
        name = "LMCacheConnectorV1"
        extra = {"discard_partial_chunks": False, "lmcache_rpc_port": worker.name}
    ours = {
        "kv_connector": name,
        "kv_role": "kv_consumer" if worker.role == DECODER else "kv_producer",
        # What was found and is lost before it is loaded is computed, not answered with an error.
        "kv_load_failure_policy": "recompute",
        "kv_connector_extra_config": extra,
    }
    return merged(ours, worker.kv_transfer)


def _lmcache_common(settings: Settings) -> dict[str, Any]:
    return {
        "chunk_size": settings.chunk_size,
        "remote_serde": "naive",
        "local_cpu": False,
        "max_local_cpu_size": 2,
    }


def _lmcache_drop_in(settings: Settings, worker: Worker) -> dict[str, Any]:
    store = settings.store
    return {
        **_lmcache_common(settings),
        "remote_url": f"mooncakestore://{store.master}/",
        "extra_config": {
            "local_hostname": worker.host,
            "metadata_server": "P2PHANDSHAKE",
            "protocol": store.protocol,
            "device_name": store.devices,
            "master_server_address": store.master,
            "global_segment_size": store.worker_lends,
            "local_buffer_size": 1 << 30,
            # Of puts. What LMCache gives up is computed again by decode.
            "transfer_timeout": 10,
            "save_chunk_meta": False,
            **_KEEP_TRYING,
        },
    }


def _lmcache_plugin(settings: Settings, worker: Worker) -> dict[str, Any]:
    store = settings.store
    extra: dict[str, Any] = {
        _PLUGIN + "module_path": "kvstore.lmcache.remote",
        _PLUGIN + "class_name": "KvstoreConnectorAdapter",
        "kvstore.master": store.master,
        "kvstore.name": worker.name,
        "kvstore.lend_bytes": store.worker_lends,
        "kvstore.listen": f"{worker.host}:0",
        "save_chunk_meta": False,
        **_KEEP_TRYING,
    }
    if settings.insecure_allow_remote:
        extra["kvstore.allow_remote"] = True
    if store.protocol == "rdma":
        extra["kvstore.rdma_devices"] = store.devices
    if worker.role == DECODER and settings.await_puts_ms:
        extra["kvstore.await_puts_ms"] = settings.await_puts_ms
    return {
        **_lmcache_common(settings),
        "remote_storage_plugins": ["kvstore"],
        "extra_config": extra,
    }


def _mooncake_json(settings: Settings) -> dict[str, Any]:
    store = settings.store
    lends = store.worker_lends
    return {
        "metadata_server": "P2PHANDSHAKE",
        "master_server_address": store.master,
        "protocol": store.protocol,
        "device_name": store.devices,
        "mode": "embedded" if lends else "standalone-store",
        "global_segment_size": lends,
        "local_buffer_size": 1 << 30,
    }
