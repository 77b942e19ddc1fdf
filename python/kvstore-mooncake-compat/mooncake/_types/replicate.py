"""How objects are put."""

from __future__ import annotations

from .checked import Checked, boolean, instance, number, optional, text, texts
from .enums import ObjectDataType, SoftPinAction

_UINT64_MAX = 2**64 - 1


class ReplicateConfig(Checked):
    """How objects are put; plain attributes, set after the fact.

    replica_num: copies in memory, on distinct nodes.
    nof_replica_num, dfs_replica_num: copies on NVMe-oF and in a file system: not offered, 0.
    soft_pin_action: ENABLE asks that the object be evicted only where nothing else may be, for
        soft_pin_ttl_ms or, where that is None, for half an hour.
    with_soft_pin: the same as a boolean, as releases up to 0.3.12.post1 have it; True means ENABLE.
    with_hard_pin: never evicted.
    preferred_segments: nodes to be tried first, by the names that get_hostname() returns.
    preferred_segment: one such; when it is not empty it counts instead of preferred_segments.
    prefer_alloc_in_same_node: for the calls of several buffers only.
    data_type: a note for whoever looks.
    group_ids: None, or one name for each key of a call: objects of a group are evicted together.

    Values of a wrong type raise TypeError when they are set.
    """

    __slots__ = (
        "data_type",
        "dfs_replica_num",
        "group_ids",
        "nof_replica_num",
        "prefer_alloc_in_same_node",
        "preferred_nof_segments",
        "preferred_segment",
        "preferred_segments",
        "replica_num",
        "soft_pin_action",
        "soft_pin_ttl_ms",
        "with_hard_pin",
    )
    replica_num: int
    nof_replica_num: int
    dfs_replica_num: int
    soft_pin_action: SoftPinAction
    soft_pin_ttl_ms: int | None
    with_hard_pin: bool
    preferred_segments: list[str]
    preferred_nof_segments: list[str]
    preferred_segment: str
    prefer_alloc_in_same_node: bool
    data_type: ObjectDataType
    group_ids: list[str] | None

    _converters = {
        "replica_num": number(0, _UINT64_MAX),
        "nof_replica_num": number(0, _UINT64_MAX),
        "dfs_replica_num": number(0, _UINT64_MAX),
        "soft_pin_action": instance(SoftPinAction),
        "soft_pin_ttl_ms": optional(number(0, _UINT64_MAX)),
        "with_hard_pin": boolean,
        "preferred_segments": texts,
        "preferred_nof_segments": texts,
        "preferred_segment": text,
        "prefer_alloc_in_same_node": boolean,
        "data_type": instance(ObjectDataType),
        "group_ids": optional(texts),
    }

    def __init__(self) -> None:
        self.replica_num = 1
        self.nof_replica_num = 0
        self.dfs_replica_num = 0
        self.soft_pin_action = SoftPinAction.PRESERVE
        self.soft_pin_ttl_ms = None
        self.with_hard_pin = False
        self.preferred_segments = []
        self.preferred_nof_segments = []
        self.preferred_segment = ""
        self.prefer_alloc_in_same_node = False
        self.data_type = ObjectDataType.UNKNOWN
        self.group_ids = None

    def __setattr__(self, name: str, value: object) -> None:
        if name == "with_soft_pin":  # a property; Checked would say there is no such attribute
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def with_soft_pin(self) -> bool:
        return self.soft_pin_action is SoftPinAction.ENABLE

    @with_soft_pin.setter
    def with_soft_pin(self, value: bool) -> None:
        wanted = boolean(value)
        self.soft_pin_action = SoftPinAction.ENABLE if wanted else SoftPinAction.PRESERVE

    def __str__(self) -> str:
        ttl = "default" if self.soft_pin_ttl_ms is None else self.soft_pin_ttl_ms
        fields = [
            f"replica_num: {self.replica_num}",
            f"nof_replica_num: {self.nof_replica_num}",
            f"dfs_replica_num: {self.dfs_replica_num}",
            f"soft_pin_action: {self.soft_pin_action.name}",
            f"soft_pin_ttl_ms: {ttl}",
            f"with_hard_pin: {int(self.with_hard_pin)}",
            f"preferred_segments: {_listed(self.preferred_segments)}",
        ]
        if self.preferred_segment:
            fields.append(f"preferred_segment (deprecated): {self.preferred_segment}")
        fields += [
            f"preferred_nof_segments: {_listed(self.preferred_nof_segments)}",
            f"prefer_alloc_in_same_node: {int(self.prefer_alloc_in_same_node)}",
            f"data_type: {self.data_type.name}",
        ]
        if self.group_ids is not None:
            fields.append(f"group_ids: {_listed(self.group_ids)}")
        return f"ReplicateConfig: {{ {', '.join(fields)} }}"


def _listed(names: list[str]) -> str:
    return f"[{', '.join(names)}]"
