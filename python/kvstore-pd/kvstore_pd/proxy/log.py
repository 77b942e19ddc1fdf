"""A line for each odd event, as `time LEVEL event name=value ...`. Never a prompt, never a key."""

from __future__ import annotations

import json
import logging
import sys

_logger = logging.getLogger("kvstore_pd.proxy")
LEVELS = ("debug", "info", "warning", "error")


def set_up(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _logger.addHandler(handler)
    _logger.setLevel(level.upper())
    _logger.propagate = False
    if level != "debug":
        # aiohttp's own: a stack for each client that sends what is no HTTP.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def debug(event: str, **fields: object) -> None:
    _say(logging.DEBUG, event, fields)


def info(event: str, **fields: object) -> None:
    _say(logging.INFO, event, fields)


def warning(event: str, **fields: object) -> None:
    _say(logging.WARNING, event, fields)


def bug(event: str, **fields: object) -> None:
    """With the stack of the exception that is being handled."""
    _say(logging.ERROR, event, fields, stack=True)


def _say(level: int, event: str, fields: dict[str, object], stack: bool = False) -> None:
    if _logger.isEnabledFor(level):
        words = [event, *(f"{k}={_shown(v)}" for k, v in fields.items())]
        _logger.log(level, "%s", " ".join(words), exc_info=stack)


def _shown(value: object) -> str:
    """A text that could be taken for several words, or hold control characters, is quoted."""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "=')
    return text if plain and text else json.dumps(text)
