"""Objects whose attributes take values of one type only, as those of Mooncake's classes do."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

_T = TypeVar("_T")


class Checked:
    """Each attribute has a converter; it raises TypeError for what can't be taken."""

    __slots__ = ()
    _converters: ClassVar[dict[str, Callable[[Any], Any]]]

    def __setattr__(self, name: str, value: Any) -> None:
        convert = self._converters.get(name)
        if convert is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            object.__setattr__(self, name, convert(value))
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.{name}: {error}") from None


def number(lowest: int, highest: int) -> Callable[[Any], int]:
    """Whole numbers of a range; others, and what only looks like one, are of the wrong type."""

    def convert(value: Any) -> int:
        whole = int(operator.index(value))
        if not lowest <= whole <= highest:
            raise TypeError(f"{whole} is not in [{lowest}, {highest}]")
        return whole

    return convert


def optional(convert: Callable[[Any], _T]) -> Callable[[Any], _T | None]:
    return lambda value: None if value is None else convert(value)


def boolean(value: Any) -> bool:
    if isinstance(value, str | bytes):
        raise TypeError(f"a boolean is wanted, not {value!r}")
    return bool(value)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a str is wanted, not {value!r}")
    return value


def texts(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"a list of str is wanted, not {value!r}")
    return [text(item) for item in value]


def instance(kind: type[_T]) -> Callable[[Any], _T]:
    def convert(value: Any) -> _T:
        if not isinstance(value, kind):
            raise TypeError(f"a {kind.__name__} is wanted, not {value!r}")
        return value

    return convert


def instances(kind: type[_T]) -> Callable[[Any], list[_T]]:
    """Lists of them."""
    convert = instance(kind)

    def convert_all(value: Any) -> list[_T]:
        if not isinstance(value, list | tuple):
            raise TypeError(f"a list of {kind.__name__} is wanted, not {value!r}")
        return [convert(item) for item in value]

    return convert_all
