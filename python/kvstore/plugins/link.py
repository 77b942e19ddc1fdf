"""The pool, for an engine that must go on without one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence

import kvstore

from .complaints import Complaints
from .settings import Settings

# So many keys are located in one call, and leased; of more the store only says whether they are
# there.
LOCATED_AT_ONCE = 1024

_SECONDS_BETWEEN_TRIES = 1.0
_HEALTH = "kvstore.health"  # nobody's key
# So long calls that are under way wait for a master that is lost to be started again.
_MASTER_PATIENCE = 5.0
_LOOK_IN_SILENCE = 0.05
_CALL_IN_SILENCE = 1.0
# A look that is no sign of a put to come says that it would wait so long for one (Client.exists).
_ANNOUNCES_NOTHING = 0.001
_SILENT = (kvstore.Unavailable, kvstore.DeadlineExceeded)


class Link:
    """A client of the pool that comes when the master does, and how long calls wait.

    Without a master at first there is no client, and a thread goes on trying: then `joined` is
    called. A master that is lost later is found again by the client itself. Meanwhile the engine
    must not wait: once a look was not answered looks wait 50 ms and other calls 1 s, until one is,
    or until the thread's own look is, which waits for as long as looks may.

    Used by many threads.

    Raises what kvstore.Client does for settings that can never do, nothing where nobody answers.
    """

    def __init__(
        self,
        settings: Settings,
        logger: logging.Logger,
        joined: Callable[[kvstore.Client], None] | None = None,
    ) -> None:
        self.settings = settings
        self.complaints = Complaints(logger)
        self._logger = logger
        self._joined = joined
        self._closing = threading.Event()
        self._client: kvstore.Client | None = None
        self._mutex = threading.Lock()
        self._seeking: threading.Thread | None = None
        self._silent = False
        if not self._try():
            self._fall_silent()
            logger.error(
                "kvstore: no master answers at %s; the engine computes what it would load, and it "
                "is looked for on and on. Start it (kvstore_master), or correct `master`",
                settings.master,
            )

    @property
    def client(self) -> kvstore.Client | None:
        """None: no master has answered yet, or this is closed."""
        return self._client

    @property
    def answers(self) -> bool:
        """Whether the last look was answered."""
        return self._client is not None and not self._silent

    def key(self, name: str) -> str:
        return self.settings.key_prefix + name

    @property
    def seconds_of_looks(self) -> float:
        if self._silent:
            return min(_LOOK_IN_SILENCE, self.settings.look_seconds)
        return self.settings.look_seconds

    def seconds_of(self, longest: float) -> float:
        """How long a call that moves bytes waits, which may take so long."""
        return min(_CALL_IN_SILENCE, longest) if self._silent else longest

    def look(self, keys: Sequence[str]) -> list[bool]:
        """Whether they are there, each with the lease that an answer brings; those of one prompt in
        order. No: also where nobody says so in time. Waits for announced puts as the settings say;
        without that, what is not there is itself announced."""
        return [answer is True for answer in self._answers(keys)]

    def look_each(self, keys: Sequence[str]) -> list[bool | kvstore.Error]:
        """As look; an error where nobody says whether it is there."""
        return list(self._answers(keys))

    def look_prefix(self, keys: Sequence[str]) -> int:
        """How many of them are there, up to the first that is not. As look."""
        length = 0
        for answer in self._answers(keys):
            if answer is not True:
                break
            length += 1
        return length

    def look_again(self, keys: Sequence[str]) -> list[bool | kvstore.Error]:
        """Whether they still are there, with a lease anew. Waits for no put, and announces none."""
        return list(self._answers(keys, _ANNOUNCES_NOTHING))

    def close(self) -> None:
        """Leaves the pool. Nothing that is under way is waited for here: the caller has done so."""
        with self._mutex:
            self._closing.set()
            seeking = self._seeking
        if seeking is not None:
            seeking.join()
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _answers(
        self, keys: Sequence[str], await_puts: float | None = None
    ) -> Iterator[bool | kvstore.Error]:
        """For each key in turn; more are asked for as they are wanted."""
        client = self._client
        if await_puts is None:
            await_puts = self.settings.await_puts_ms / 1000
        for first in range(0, len(keys), LOCATED_AT_ONCE):
            asked = keys[first : first + LOCATED_AT_ONCE]
            if client is None:
                none = kvstore.Unavailable(f"no master answers at {self.settings.master}")
                yield from [none] * len(asked)
                continue
            # Of a master that is silent nothing can be awaited.
            within = min(await_puts, _ANNOUNCES_NOTHING) if self._silent else await_puts
            try:
                answers = client.exists_batch(
                    asked,
                    await_puts=within,
                    after=keys[first - 1] if first else None,
                    timeout=self.seconds_of_looks + within,
                )
            except kvstore.Error as error:  # closed meanwhile
                answers = [error] * len(asked)
                self.complaints.add("looks failed, and count as misses", error)
            else:
                self._note(answers)
            yield from answers

    def _try(self) -> bool:
        settings = self.settings
        try:
            client = kvstore.Client(
                settings.master,
                name=settings.name,
                lend_bytes=settings.lend_bytes,
                listen=settings.listen,
                advertise=settings.advertise,
                allow_remote=settings.allow_remote,
                ways=settings.ways,
                rdma_devices=settings.rdma_devices,
                connect_timeout=settings.connect_seconds,
                master_patience=_MASTER_PATIENCE,
            )
        except kvstore.Unavailable:
            return False
        try:
            if self._joined is not None:
                self._joined(client)
        except BaseException:
            client.close()
            raise
        self._client = client
        self._silent = False
        self._logger.info("kvstore: joined the pool of %s as %s", settings.master, client.name)
        return True

    def _note(self, answers: Sequence[object]) -> None:
        """What a look has brought: says aloud when the master falls silent, and when it is back. It
        answers who answers for one key."""
        unanswered = [answer for answer in answers if isinstance(answer, _SILENT)]
        if unanswered:
            self.complaints.add(
                "looks were not answered, and count as misses", unanswered[0], len(unanswered)
            )
        if any(isinstance(answer, bool) for answer in answers):
            if self._silent:
                self._silent = False
                self._logger.info("kvstore: the master at %s answers", self.settings.master)
        elif unanswered:
            self._fall_silent()

    def _fall_silent(self) -> None:
        with self._mutex:
            self._silent = True
            if self._seeking is None and not self._closing.is_set():
                self._seeking = threading.Thread(
                    target=self._seek, name="kvstore-seeking", daemon=True
                )
                self._seeking.start()

    def _seek(self) -> None:
        """Until the master answers. Looks in silence are short: on a busy machine, or far away,
        none of them might ever be answered."""
        while not self._closing.wait(_SECONDS_BETWEEN_TRIES):
            client = self._client
            try:
                if client is None:
                    self._try()
                else:
                    self._note(
                        client.exists_batch(
                            [_HEALTH],
                            await_puts=_ANNOUNCES_NOTHING,
                            timeout=self.settings.look_seconds,
                        )
                    )
            except Exception as error:  # the next try may do
                self.complaints.add("the pool can't be joined", error)
            with self._mutex:
                if not self._silent:
                    self._seeking = None
                    return
