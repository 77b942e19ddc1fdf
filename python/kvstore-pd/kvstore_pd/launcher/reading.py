"""Values out of YAML. What is wrong is named by its place and with what was likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class Wrong(Exception):
    """The file can't be used as it is."""


def load(path: Path) -> Section:
    try:
        found = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Wrong(
            f"{path}: {error.strerror}; `kvstore-pd init` writes one to begin with"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Wrong(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    return Section(str(path), found)


class Section:
    """One mapping of the file. Every value that is asked for is checked; `end` names those that
    nobody asked for."""

    def __init__(self, where: str, values: object) -> None:
        self.where = where
        if values is None:
            values = {}
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise Wrong(f"{where} must be a mapping of names to values")
        self._values: dict[str, Any] = values
        self._known: set[str] = set()

    def text(self, name: str, default: str) -> str:
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self.wrong(name, "must be a text", value)
        return str(value)

    def required_text(self, name: str) -> str:
        text = self.text(name, "")
        if not text:
            raise Wrong(f"{self.where}: {name} is missing")
        return text

    def choice(self, name: str, default: str, choices: Iterable[str]) -> str:
        value = self.text(name, default)
        choices = list(choices)
        if value not in choices:
            raise self.wrong(
                name, f"must be one of {', '.join(choices)}{nearest(value, choices)}", value
            )
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(name, f"must be a whole number from {least} to {most}", value)
        return value

    def seconds(self, name: str, default: float) -> float:
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 86400:
            raise self.wrong(name, "must be seconds, more than 0 and at most 86400", value)
        return float(value)

    def port(self, name: str, default: int | None = None) -> int:
        if default is None and self._values.get(name) is None:
            self._known.add(name)
            raise Wrong(f"{self.where}: {name} is missing")
        return self.number(name, default or 0, 1, 65535)

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false", value)
        return value

    def size(self, name: str, default: int) -> int:
        """In bytes; the file may say 4GiB, 512MB."""
        value = self._take(name)
        if value is None:
            return default
        size = bytes_of(value)
        if size is None:
            raise self.wrong(name, 'must be bytes, or such as "4GiB"', value)
        return size

    def texts(self, name: str) -> list[str]:
        value = self._take(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(
            isinstance(each, (str, int, float)) and not isinstance(each, bool) for each in value
        ):
            raise self.wrong(name, "must be a list of texts", value)
        return [str(each) for each in value]

    def environment(self, name: str) -> dict[str, str]:
        value = self._take(name)
        section = Section(f"{self.where}: {name}", value)
        return {key: section.text(key, "") for key in section._values}

    def mapping(self, name: str) -> dict[str, Any]:
        """As it is: whose business its names are knows them."""
        return Section(f"{self.where}: {name}", self._take(name))._values

    def section(self, name: str) -> Section:
        return Section(f"{self.where}: {name}", self._take(name))

    def sections(self, name: str) -> list[Section]:
        value = self._take(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list", value)
        return [Section(f"{self.where}: {name}[{i}]", each) for i, each in enumerate(value)]

    def end(self, reasons: dict[str, str] | None = None) -> None:
        """`reasons`: why a name that somebody may write here is not for here."""
        for name in self._values:
            if name not in self._known:
                why = (reasons or {}).get(name)
                hint = f": {why}" if why else nearest(name, self._known)
                raise Wrong(f"{self.where}: {name} is no setting here{hint}")

    def wrong(self, name: str, why: str, value: object) -> Wrong:
        return Wrong(f"{self.where}: {name} {why}, and is {value!r}")

    def _take(self, name: str) -> Any:
        self._known.add(name)
        return self._values.get(name)


def nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def bytes_of(value: object) -> int | None:
    """None: it says no size."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    text = str(value).strip().upper().removesuffix("B").removesuffix("I")
    unit = text[-1:] if text[-1:] in _UNITS else ""
    number = text.removesuffix(unit).strip()
    return int(number) * _UNITS[unit] if number.isdigit() else None


def each(sections: Iterable[Section], read: Callable[[Section, int], T]) -> list[T]:
    return [read(section, i) for i, section in enumerate(sections, 1)]
