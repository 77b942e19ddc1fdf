"""Memory that was registered."""

from __future__ import annotations

from bisect import bisect_right


class Regions:
    """Regions that don't overlap. Changed by one thread at a time, read by any number."""

    def __init__(self) -> None:
        self._regions: list[tuple[int, int]] = []  # (begin, end), sorted; replaced, never changed

    def add(self, begin: int, size: int) -> None:
        self._regions = sorted([*self._regions, (begin, begin + size)])

    def remove(self, begin: int) -> None:
        self._regions = [region for region in self._regions if region[0] != begin]

    def end_of(self, address: int) -> int:
        """Where the region that the address lies in ends; 0: in none."""
        regions = self._regions
        at = bisect_right(regions, (address, 1 << 64)) - 1
        return regions[at][1] if at >= 0 and address < regions[at][1] else 0
