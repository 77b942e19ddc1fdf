"""How long calls wait for the master. One that has died, or hangs, would otherwise stop an engine
for a whole timeout at every call; and engines look from their event loops."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable

import kvstore

_LOOK = 1.0
_LOOK_IN_SILENCE = 0.05
_CALL_IN_SILENCE = 1.0
# Who has answered so lately is not asked before a call.
_LATELY = 0.1
_SECONDS_BETWEEN_TRIES = 1.0
_HEALTH = "health"  # nobody's key
# What a call ends with that a silent master gave no answer; a holder may be the reason, too.
SILENT = {kvstore.Unavailable, kvstore.DeadlineExceeded}


class Deadline:
    """The end of one call, however many questions it asks one after the other."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """In seconds; a moment when it has passed, in which a question is answered with that."""
        return max(self._until - time.monotonic(), 0.001)

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._until


class Patience:
    """Looks wait 1 s at most, other calls for as long as they may. Once a look was not answered the
    master is silent: then looks wait 50 ms and other calls 1 s, until one of the looks is answered,
    or until one of a thread's here is, which has the patience of an ordinary look: on a busy
    machine, or far away, none of 50 ms might ever be answered.
    In seconds. Used by many threads at once, of which each may be the first to know."""

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self._silent = False
        self._answered = float("-inf")
        self._mutex = threading.Lock()
        self._sought = False

    @property
    def silent(self) -> bool:
        return self._silent

    @property
    def of_looks(self) -> float:
        return min(self.longest, _LOOK_IN_SILENCE if self._silent else _LOOK)

    def of_calls(self, client: kvstore.Client) -> float:
        """Looks first, unless the master has just answered."""
        silent = self._ask(client, self.of_looks)
        return min(self.longest, _CALL_IN_SILENCE) if silent else self.longest

    def allows_puts(self, client: kvstore.Client) -> bool:
        """Looks first only where the master is silent: a machine may be so busy that one look is
        not answered, and what is not put is computed again by others."""
        return not self._silent or not self._ask(client, self.of_looks)

    def finds_silent(self, client: kvstore.Client) -> bool:
        """Whether the master does not answer now, however lately it did."""
        return self.note(client, client.exists_batch([_HEALTH], timeout=self.of_looks))

    def note(self, client: kvstore.Client, answers: Iterable[object]) -> bool:
        """What looks of this client have brought. Whether the master is silent."""
        kinds = set(map(type, answers))
        if not kinds.isdisjoint(SILENT):
            self._fall_silent(client)
        elif bool in kinds:
            self._silent = False
            self._answered = time.monotonic()
        return self._silent

    def _ask(self, client: kvstore.Client, timeout: float) -> bool:
        """Whether the master is silent."""
        if self._silent or time.monotonic() - self._answered > _LATELY:
            return self.note(client, client.exists_batch([_HEALTH], timeout=timeout))
        return False

    def _fall_silent(self, client: kvstore.Client) -> None:
        with self._mutex:
            self._silent = True
            if self._sought:
                return
            self._sought = True
        # One that is dropped without a close is not kept for this.
        asker = weakref.ref(client)
        threading.Thread(
            target=self._seek, args=(asker,), name="kvstore-seeking", daemon=True
        ).start()

    def _seek(self, asker: weakref.ref[kvstore.Client]) -> None:
        """Until the master answers, or the client is closed."""
        while True:
            time.sleep(_SECONDS_BETWEEN_TRIES)
            client = asker()
            if client is None:
                return
            try:
                self.note(client, client.exists_batch([_HEALTH], timeout=min(self.longest, _LOOK)))
            except kvstore.Error:
                return
            del client
            with self._mutex:
                if not self._silent:
                    self._sought = False
                    return
