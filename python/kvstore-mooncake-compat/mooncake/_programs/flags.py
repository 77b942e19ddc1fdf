"""Command lines as Mooncake's programs read them, and files of the same settings.

A flag has one dash or two, and its value after '=' or a space. A boolean needs no value, and
--noNAME is its opposite.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import kvstore


class UsageError(Exception):
    """A flag or the file is wrong; the message names it, and the remedy."""


class Kind(Enum):
    """What becomes of a flag."""

    USED = "used"
    IDLE = "accepted, without effect"
    ABSENT = "not offered"


@dataclass(frozen=True)
class Flag:
    """A flag of Mooncake's. `meaning` says what it does, or why it does nothing."""

    name: str
    default: str
    meaning: str
    kind: Kind = Kind.USED

    @property
    def boolean(self) -> bool:
        return self.default in ("true", "false")


_OFF = ("", "0", "false", "no", "off", "f", "n")

Values = dict[str, str]
"""The text that was given for each flag; flags that were not given are absent."""


def parse(arguments: Sequence[str], flags: Mapping[str, Flag]) -> Values:
    """Raises UsageError."""
    values: Values = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-") or argument in ("-", "--"):
            raise UsageError(f"{argument!r} is no flag; all arguments are flags, see --help")
        name, equals, value = argument.lstrip("-").partition("=")
        flag = flags.get(name)
        if flag is None and not equals and name.startswith("no"):
            opposite = flags.get(name[2:])
            if opposite is not None and opposite.boolean:
                values[opposite.name] = "false"
                continue
        if flag is None:
            raise UsageError(_unknown(name, flags))
        if not equals and flag.boolean:
            value = rest.pop(0) if rest and _is_boolean(rest[0]) else "true"
        elif not equals:
            if not rest:
                raise UsageError(f"--{name} needs a value")
            value = rest.pop(0)
        values[name] = value
    return values


def read_file(
    path: str, flags: Mapping[str, Flag], names: Mapping[str, str]
) -> tuple[Values, list[str]]:
    """The settings of a file: a JSON object, or YAML's lines 'setting: value'; and a line for each
    that is unknown: a file may be written for a newer release. `names`: what files call some flags.
    Raises UsageError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config_path {path}: {error}") from None
    known = {*flags, *names}
    settings = _json(path, text) if text.lstrip().startswith("{") else _yaml(path, text, known)
    notes = [
        f"{path}: {_unknown(name, flags)}; it has no effect" for name in settings.keys() - known
    ]
    return {names.get(n, n): value for n, value in settings.items() if n in known}, sorted(notes)


def is_true(name: str, value: str) -> bool:
    """Raises UsageError for what is no boolean."""
    word = value.strip().lower()
    if word in ("true", "1", "yes", "y", "t"):
        return True
    if word in ("false", "0", "no", "n", "f", ""):
        return False
    raise UsageError(f"--{name} is {value!r}, and must be true or false")


def whole(name: str, value: str, lowest: int, highest: int) -> int:
    """Raises UsageError for what is no number of that range."""
    try:
        number = int(value)
    except ValueError:
        raise UsageError(f"--{name} is {value!r}, and must be a whole number") from None
    if not lowest <= number <= highest:
        raise UsageError(f"--{name} is {number}, and must be {lowest} to {highest}")
    return number


def milliseconds(name: str, value: str, unit: str = "ms") -> int:
    """A time: a number of `unit`, or with a unit: 500ms, 5s, 30m, 1h. Raises UsageError."""
    sizes = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
    digits = value.strip()
    for suffix in ("ms", "s", "m", "h"):
        if digits.endswith(suffix):
            digits, unit = digits[: -len(suffix)], suffix
            break
    try:
        time = int(float(digits) * sizes[unit])
    except (ValueError, OverflowError):
        raise UsageError(f"--{name} is {value!r}, and must be a time such as 5s or 5000") from None
    if time < 0:
        raise UsageError(f"--{name} is {value!r}, and must not be negative")
    return time


def check_absent(values: Values, flags: Mapping[str, Flag]) -> list[str]:
    """A line for each flag that was given and has no effect. Raises UsageError for what is not
    offered and was asked for."""
    lines = []
    for name, value in values.items():
        flag = flags[name]
        if flag.kind is Kind.ABSENT and value.strip().lower() not in _OFF:
            raise UsageError(f"--{name}={value} is not offered: {flag.meaning}")
        if flag.kind is Kind.IDLE and value != flag.default:
            lines.append(f"--{name} has no effect: {flag.meaning}")
    return lines


def explain(usage: str, flags: Mapping[str, Flag]) -> str:
    """What --help says."""
    lines = [usage]
    for kind in Kind:
        lines += ["", f"{kind.value.capitalize()}:"]
        for flag in flags.values():
            if flag.kind is kind:
                default = f" (default: {flag.default})" if flag.default else ""
                lines += [f"  --{flag.name}{default}", f"      {flag.meaning}"]
    return "\n".join(lines)


def told(program: str, usage: str, flags: Mapping[str, Flag], arguments: Sequence[str]) -> bool:
    """Whether help or the version was asked for; then it is printed, and nothing is to run."""
    if any(word.lstrip("-") in ("help", "helpfull", "helpshort") for word in arguments):
        print(explain(usage, flags))
    elif any(word in ("-version", "--version") for word in arguments):
        print(f"{program} (kvstore {kvstore.__version__})")
    else:
        return False
    return True


def warn(program: str, message: str) -> None:
    print(f"{program}: {message}", file=sys.stderr, flush=True)


def refuse(program: str, error: UsageError) -> NoReturn:
    """Ends the program as gflags does."""
    warn(program, str(error))
    sys.exit(1)


_LOG = "the log is on standard error"
_NOT_READ = "flags are taken from the command line only"
# What every program has that is built with gflags and glog.
_GENERIC = (
    *(Flag(name, "", _NOT_READ, Kind.IDLE) for name in ("flagfile", "fromenv", "tryfromenv")),
    Flag("undefok", "", "unknown flags end the program", Kind.IDLE),
    Flag("tab_completion_columns", "80", "there is no completion", Kind.IDLE),
    Flag("tab_completion_word", "", "there is no completion", Kind.IDLE),
    *(
        Flag(name, default, _LOG, Kind.IDLE)
        for name, default in (
            *(("alsologtoemail", ""), ("alsologtostderr", "true"), ("colorlogtostderr", "false")),
            *(("drop_log_memory", "true"), ("log_backtrace_at", ""), ("log_dir", "")),
            *(("log_link", ""), ("log_prefix", "true"), ("logbuflevel", "0")),
            *(("logbufsecs", "30"), ("logemaillevel", "999"), ("logfile_mode", "436")),
            *(("logmailer", ""), ("logtostderr", "true"), ("max_log_size", "1800")),
            *(("stderrthreshold", "2"), ("stop_logging_if_full_disk", "false")),
            *(("symbolize_stacktrace", "true"), ("v", "0"), ("vmodule", "")),
        )
    ),
)


def table(*flags: Flag) -> dict[str, Flag]:
    """With those that all programs have."""
    return {flag.name: flag for flag in (*flags, *_GENERIC)}


def _unknown(name: str, flags: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, flags, n=1)
    hint = f"; did you mean --{near[0]}?" if near else ", see --help"
    return f"unknown flag --{name}{hint}"


def _is_boolean(word: str) -> bool:
    return word.lower() in ("true", "false", "1", "0", "yes", "no", "t", "f", "y", "n")


def _json(path: str, text: str) -> Values:
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: {error}") from None
    return {name: _as_text(value) for name, value in settings.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _yaml(path: str, text: str, known: Set[str]) -> Values:
    settings: Values = {}
    inside_unknown = False
    for number, line in enumerate(text.splitlines(), 1):
        content = _without_comment(line)
        if not content or content == "---":
            continue
        inner = line[:1].isspace() or content.startswith("- ")
        if inner and inside_unknown:
            continue
        name, colon, value = content.partition(":")
        if not colon or inner:
            raise UsageError(f"{path}:{number}: {content!r} is no line 'setting: value'")
        name = name.strip()
        inside_unknown = name not in known
        settings[name] = _unquoted(value.strip())
    return settings


def _without_comment(line: str) -> str:
    quote = ""
    for index, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index].strip()
    return line.strip()


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
