"""How an object is put, and kept."""

from __future__ import annotations

from collections.abc import Sequence

from . import _native


class PutOptions:
    """How objects are put. Made once, it may serve any number of calls, by any threads.

    replace: a committed object under the key is replaced instead of refused; it stays readable
        until the put commits, and no get that starts after that returns it.
    replicas: 1 to 8, on distinct nodes.
    placement: where room is looked for: "local_first" (this process's own memory, then its host's,
        then the rest), "spread" (by free share alone), or "this_host" (and nowhere else).
    preferred_nodes: names, tried before the placement; unknown ones are ignored.
    durable: answered when every holder keeps a note of it, so that no loss of the master loses it.
    hard_pin: never evicted, until it is unpinned, removed or expires.
    soft_pin: so many seconds from the commit it is evicted only where nothing else may be; 0: not.
    ttl: so many seconds from the commit it expires, pinned or not; 0: never.
    group: objects of one group (at most 255 bytes) are evicted together; empty: none.
    check_source: what is stored is what the memory held when the call began; where other bytes were
        copied nothing is, and it is Aborted. For memory that may be filled anew before
        the call has returned, as where a caller stops waiting for it.

    Raises InvalidArgument for a placement or a time that is none; the store judges the rest.
    """

    __slots__ = ("native",)

    def __init__(
        self,
        *,
        replace: bool = False,
        replicas: int = 1,
        placement: str = "local_first",
        preferred_nodes: Sequence[str] = (),
        durable: bool = False,
        hard_pin: bool = False,
        soft_pin: float = 0.0,
        ttl: float = 0.0,
        group: str | bytes = b"",
        check_source: bool = False,
    ) -> None:
        self.native = _native.PutOptions(
            replace,
            replicas,
            placement,
            list(preferred_nodes),
            durable,
            hard_pin,
            soft_pin,
            ttl,
            group,
            check_source,
        )
