"""How looks wait for what others are just putting: kvstore's own, for decode workers.

A prefill worker's request is answered before what it computed has been put, and the decode worker
that is asked next would find nothing. Its looks wait, for a while, for keys whose put is announced
(kvstore.Client.exists, await_puts)."""

from __future__ import annotations

import time

# A look that awaits nothing announces what it looks for, as of one that is to put it. So one that
# neither has time to wait nor is to put says that it would wait so long.
_ANNOUNCES_NOTHING = 0.001
# Looks for one prompt follow each other at once.
_SAME_PROMPT = 0.1


class Awaiting:
    """`at_most`: seconds that a look waits; 0: looks wait for nothing. Used by many threads at
    once: where looks for several prompts mix, the key before may be another's, and a look waits in
    vain or not at all."""

    def __init__(self, at_most: float) -> None:
        self.at_most = at_most
        self._found: tuple[str, float] | None = None

    def within(self, silent: bool) -> float:
        """Seconds that a look may wait now: of a master that is silent nothing can be awaited."""
        return min(self.at_most, _ANNOUNCES_NOTHING) if silent else self.at_most

    def before(self) -> str | None:
        """The key before the one that is looked for, as far as is known."""
        if self._found is None or time.monotonic() - self._found[1] > _SAME_PROMPT:
            return None
        return self._found[0]

    def note(self, key: str, found: bool) -> None:
        """What a look for one key has brought, for the next one."""
        if self.at_most:
            self._found = (key, time.monotonic()) if found else None
