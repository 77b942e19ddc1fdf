"""What all puts have in common: from a configuration to a code per key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import kvstore

from .._types.replicate import ReplicateConfig
from . import codes
from .life import Life
from .patience import Deadline
from .placing import Placing, Refused, grouped, placing_of
from .shapes import Lists, at, no_number

# What addresses name at a call is put, however long the master takes: the client compares it with
# what it held when one of its own calls began. But engines leave the memory to a call that does not
# end for a second, and fill it anew: who puts again later than this had better not.
_MEMORY_STAYS = 0.5  # seconds

Columns = Sequence[Sequence[Any]]
"""What a call is given per key, the keys first; all of one length."""

Put = Callable[..., list[kvstore.Error | None]]
"""Takes the client, the columns, the options and the timeout."""


class Putting(Life):
    """Puts many, whatever they are made of."""

    def _put_all(
        self,
        put: Put,
        columns: Columns,
        config: ReplicateConfig | None,
        *,
        replace: bool = False,
        same_node: bool = False,
        bad: Iterable[int] = (),
    ) -> list[int]:
        """A code per key; INVALID_PARAMS for the bad ones, which are not put."""
        count = len(columns[0])
        results = [codes.INVALID_PARAMS] * count
        client = self._client
        if client is None:
            return results
        try:
            placing = placing_of(config, count, replace=replace, same_node=same_node)
        except Refused as refused:
            self._complain_of_puts(count, f"the configuration is refused ({refused.code})")
            return [refused.code] * count
        deadline = Deadline(self._patience.longest)
        memory = Deadline(_MEMORY_STAYS) if put is put_addresses else None
        left_out = set(bad)
        if isinstance(placing, Placing) and not left_out:
            return self._put_alike(client, put, columns, placing, deadline, memory)
        good = [i for i in range(count) if i not in left_out]
        for placed, some in grouped(placing, good).items():
            chosen = [at(column, some) for column in columns]
            answers = self._put_alike(client, put, chosen, placed, deadline, memory)
            for i, code in zip(some, answers, strict=True):
                results[i] = code
        return results

    def _put_alike(
        self,
        client: kvstore.Client,
        put: Put,
        columns: Columns,
        placing: Placing,
        deadline: Deadline,
        memory: Deadline | None,
    ) -> list[int]:
        try:
            if not self._patience.allows_puts(client):
                raise kvstore.Unavailable("the master does not answer; nothing was put")
            if memory is not None and memory.passed:
                raise kvstore.Aborted("it took so long that the memory may hold something else now")
            errors = put(client, *columns, placing.options, timeout=deadline.left)
        except kvstore.Error as error:
            errors = [error] * len(columns[0])
        except ValueError as error:
            raise no_number(error) from None
        if not any(errors):
            return [codes.OK] * len(errors)
        if placing.replicas > 1:
            return self._put_with_fewer(client, put, columns, placing, errors, deadline, memory)
        return self._codes_of_puts(columns[0], errors, placing)

    def _put_with_fewer(
        self,
        client: kvstore.Client,
        put: Put,
        columns: Columns,
        placing: Placing,
        errors: Sequence[kvstore.Error | None],
        deadline: Deadline,
        memory: Deadline | None,
    ) -> list[int]:
        """Replicas are as many as there are nodes, at most: those that found too few are put again
        with one less."""
        results = self._codes_of_puts(columns[0], errors, placing)
        again = [i for i, e in enumerate(errors) if isinstance(e, kvstore.ResourceExhausted)]
        if again:
            chosen = [at(column, again) for column in columns]
            answers = self._put_alike(client, put, chosen, placing.fewer(), deadline, memory)
            for i, code in zip(again, answers, strict=True):
                results[i] = code
        return results

    def _codes_of_puts(
        self, keys: Sequence[str], errors: Sequence[kvstore.Error | None], placing: Placing
    ) -> list[int]:
        results = []
        put: set[str] = set()
        failed: list[kvstore.Error] = []
        unreached = self._code_of_unreached(one for one in errors if one is not None)
        for key, error in zip(keys, errors, strict=True):
            if error is None:
                put.add(key)
                results.append(codes.OK)
            elif isinstance(error, kvstore.AlreadyExists) and (key in put or not placing.replace):
                results.append(codes.OK)  # what is there stays; of a key named twice, the first
            else:
                if placing.replicas == 1 or not isinstance(error, kvstore.ResourceExhausted):
                    failed.append(error)
                results.append(codes.put_code_of(error, unreached))
        if failed:
            self._complain_of_puts(len(failed), str(failed[0]))
        return results


def put_addresses(
    client: kvstore.Client,
    keys: Sequence[str],
    pointers: Sequence[int] | Lists,
    sizes: Sequence[int] | Lists,
    options: kvstore.PutOptions,
    timeout: float,
) -> list[kvstore.Error | None]:
    return client.put_addresses(keys, pointers, sizes, options, timeout=timeout)
