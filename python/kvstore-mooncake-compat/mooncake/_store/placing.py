"""A ReplicateConfig as options of a put."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import kvstore

from .._types.enums import SoftPinAction
from .._types.replicate import ReplicateConfig
from . import codes

_MOST_REPLICAS = 8
_DEFAULT_SOFT_PIN = 1800.0  # seconds


class Refused(Exception):
    """The configuration asks for what can't be, or is not offered; `code` says which."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Placing:
    """Where and how an object is put."""

    __slots__ = ("_fields", "options", "replace", "replicas")

    def __init__(
        self,
        replace: bool,
        replicas: int,
        preferred: tuple[str, ...],
        hard_pin: bool,
        soft_pin: float,
        group: str,
    ) -> None:
        self._fields = (replace, replicas, preferred, hard_pin, soft_pin, group)
        self.replace = replace
        self.replicas = replicas
        self.options = kvstore.PutOptions(
            replace=replace,
            replicas=replicas,
            preferred_nodes=preferred,
            hard_pin=hard_pin,
            soft_pin=soft_pin,
            group=group,
            # Callers stop waiting for puts, and fill the memory anew.
            check_source=True,
        )

    def fewer(self) -> Placing:
        """With one replica less."""
        replace, replicas, *rest = self._fields
        return _placing(replace, replicas - 1, *rest)


# Most callers have one configuration.
_placing = lru_cache(maxsize=1024)(Placing)
_DEFAULT = {replace: Placing(replace, 1, (), False, 0.0, "") for replace in (False, True)}


def placing_of(
    config: ReplicateConfig | None, keys: int, *, replace: bool, same_node: bool
) -> Placing | list[Placing]:
    """That of all keys, or one per key where they have groups.

    same_node: whether the call knows prefer_alloc_in_same_node. Raises Refused.
    """
    if config is None:
        return _DEFAULT[replace]
    if not isinstance(config, ReplicateConfig):
        raise TypeError(f"config is a ReplicateConfig, not a {type(config).__name__}")
    if config.replica_num < 1 or (config.prefer_alloc_in_same_node and not same_node):
        raise Refused(codes.INVALID_PARAMS)
    if config.nof_replica_num or config.dfs_replica_num:
        raise Refused(codes.NOT_SUPPORTED)
    segment = config.preferred_segment
    fields = (
        replace,
        min(config.replica_num, _MOST_REPLICAS),
        (segment,) if segment else tuple(config.preferred_segments),
        config.with_hard_pin,
        _soft_pin(config),
    )
    groups = config.group_ids
    if groups is None:
        return _placing(*fields, "")
    if len(groups) != keys:
        raise Refused(codes.INVALID_PARAMS)
    return [_placing(*fields, group) for group in groups]


def grouped(placing: Placing | list[Placing], some: Iterable[int]) -> dict[Placing, list[int]]:
    """The indices of keys, by the placing that they have."""
    alike: dict[Placing, list[int]] = {}
    for i in some:
        placed = placing if isinstance(placing, Placing) else placing[i]
        alike.setdefault(placed, []).append(i)
    return alike


def _soft_pin(config: ReplicateConfig) -> float:
    """In seconds; 0: none."""
    enabled = config.soft_pin_action is SoftPinAction.ENABLE
    ttl = config.soft_pin_ttl_ms
    if ttl is None:
        return _DEFAULT_SOFT_PIN if enabled else 0.0
    if not enabled:
        raise Refused(codes.INVALID_PARAMS)
    return ttl / 1000
