"""The small types of mooncake.store."""

from __future__ import annotations

from typing import Any

import pytest
from mooncake import store
from mooncake.store import ReplicateConfig, SoftPinAction


def test_a_configuration_begins_with_defaults() -> None:
    config = ReplicateConfig()
    assert (config.replica_num, config.nof_replica_num, config.dfs_replica_num) == (1, 0, 0)
    assert config.soft_pin_action == SoftPinAction.PRESERVE
    assert config.soft_pin_ttl_ms is None
    assert config.with_hard_pin is False
    assert config.preferred_segments == config.preferred_nof_segments == []
    assert config.preferred_segment == ""
    assert config.prefer_alloc_in_same_node is False
    assert config.data_type == store.ObjectDataType.UNKNOWN
    assert config.group_ids is None
    with pytest.raises(TypeError):
        ReplicateConfig(replica_num=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("replica_num", 3),
        ("soft_pin_ttl_ms", 2**64 - 1),
        ("soft_pin_ttl_ms", None),
        ("soft_pin_action", SoftPinAction.ENABLE),
        ("with_hard_pin", True),
        ("preferred_segments", ["a:1", "b:2"]),
        ("preferred_segment", "a:1"),
        ("prefer_alloc_in_same_node", True),
        ("data_type", store.ObjectDataType.KVCACHE),
        ("group_ids", ["g"]),
    ],
)
def test_attributes_are_set(name: str, value: Any) -> None:
    config = ReplicateConfig()
    setattr(config, name, value)
    assert getattr(config, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("replica_num", -1),
        ("replica_num", 2.0),
        ("replica_num", "2"),
        ("soft_pin_ttl_ms", -1),
        ("soft_pin_ttl_ms", 2**64),
        ("soft_pin_ttl_ms", 1.5),
        ("soft_pin_action", 1),
        ("with_hard_pin", "yes"),
        ("preferred_segments", "ab"),
        ("preferred_segment", None),
        ("data_type", 3),
        ("group_ids", "ab"),
        ("group_ids", [1]),
    ],
)
def test_values_of_a_wrong_type_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        setattr(ReplicateConfig(), name, value)


def test_unknown_attributes_are_refused() -> None:
    with pytest.raises(AttributeError):
        ReplicateConfig().replicas = 2


def test_a_configuration_shows_every_field() -> None:
    config = ReplicateConfig()
    assert str(config) == (
        "ReplicateConfig: { replica_num: 1, nof_replica_num: 0, dfs_replica_num: 0, "
        "soft_pin_action: PRESERVE, soft_pin_ttl_ms: default, with_hard_pin: 0, "
        "preferred_segments: [], preferred_nof_segments: [], prefer_alloc_in_same_node: 0, "
        "data_type: UNKNOWN }"
    )
    config.preferred_segments = ["a", "b"]
    config.preferred_segment = "c"
    config.soft_pin_action = SoftPinAction.ENABLE
    config.soft_pin_ttl_ms = 5
    config.group_ids = ["g", "h"]
    assert "soft_pin_action: ENABLE, soft_pin_ttl_ms: 5" in str(config)
    assert "preferred_segments: [a, b], preferred_segment (deprecated): c" in str(config)
    assert str(config).endswith("data_type: UNKNOWN, group_ids: [g, h] }")


@pytest.mark.parametrize(
    ("name", "members"),
    [
        (
            "ObjectDataType",
            "UNKNOWN KVCACHE TENSOR WEIGHT SAMPLE ACTIVATION GRADIENT OPTIMIZER_STATE METADATA "
            "GENERAL",
        ),
        ("SoftPinAction", "PRESERVE ENABLE DISABLE"),
        ("ReplicaStatus", "UNDEFINED INITIALIZED PROCESSING COMPLETE REMOVED FAILED"),
        ("TaskType", "REPLICA_COPY REPLICA_MOVE"),
        ("TaskStatus", "PENDING PROCESSING FAILED SUCCESS"),
    ],
)
def test_enumerations(name: str, members: str) -> None:
    enumeration = getattr(store, name)
    for number, member in enumerate(members.split()):
        one = getattr(enumeration, member)
        assert int(one) == one.value == number
        assert one.name == member
        assert enumeration(number) == one
        assert one != number
        assert str(one) == f"{name}.{member}"
        assert repr(one) == f"<{name}.{member}: {number}>"


def test_the_module_has_members_of_enumerations() -> None:
    assert store.KVCACHE == store.ObjectDataType.KVCACHE
    assert store.COMPLETE == store.ReplicaStatus.COMPLETE
    assert store.REPLICA_MOVE == store.TaskType.REPLICA_MOVE
    assert store.SUCCESS == store.TaskStatus.SUCCESS
    assert store.PROCESSING == store.TaskStatus.PROCESSING
    assert store.FAILED == store.TaskStatus.FAILED


def test_parallelism() -> None:
    axis = store.ParallelAxis()
    assert (axis.kind, axis.rank, axis.size) == ("", 0, 1)
    assert axis.split_dim is axis.expert_id is axis.stage_id is None
    axis.kind, axis.rank, axis.size, axis.split_dim = "tp", 1, 2, -1
    parallelism = store.TensorParallelism()
    assert parallelism.axes == []
    parallelism.axes = [axis]
    assert parallelism.axes[0].rank == 1
    target = store.ReadTarget()
    assert (target.mode, target.parallelism) == ("as_stored", None)
    target.parallelism = parallelism
    for mode in ("shard", "full", "as_stored"):
        target.mode = mode
        assert target.mode == mode
    with pytest.raises(RuntimeError):
        target.mode = "half"
    with pytest.raises(TypeError):
        axis.rank = "1"


def test_descriptions() -> None:
    place = store.Descriptor()
    assert (place.size, place.buffer_address, place.transport_endpoint) == (0, 0, "")
    assert repr(place) == "<Descriptor size=0 buffer_address=0 transport_endpoint=>"
    task = store.QueryTaskResponse()
    assert task.id == task.assigned_client == (0, 0)
    assert (task.type, task.status) == (store.REPLICA_COPY, store.PENDING)
    assert repr(task) == (
        "QueryTaskResponse(id=0-0, type=0, status=0, created_at=0, last_updated_at=0, "
        'assigned_client=0-0, message="")'
    )
    for name in ("ReplicaDescriptor", "MemoryDescriptor", "DiskDescriptor"):
        with pytest.raises(TypeError):
            getattr(store, name)()
