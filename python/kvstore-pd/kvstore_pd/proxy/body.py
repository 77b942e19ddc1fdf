"""What is asked of a prefill worker: the client's request, for one token that nobody reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# Of no use for one token, or refused together with max_tokens = 1 and stream = false. What may be
# part of the prompt (tools, tool_choice, response_format, chat_template...) or of the blocks'
# hashes (cache_salt) stays: another prompt would have other keys.
DROPPED = (
    "stream_options",
    "min_tokens",
    "n",
    "best_of",
    "echo",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "use_beam_search",
)


@dataclass(frozen=True)
class Asked:
    """A client's request: its bytes, which go to decode as they came, and what they say."""

    raw: bytes
    fields: dict[str, Any]
    stream: bool


def parse(raw: bytes) -> Asked:
    """Raises ValueError, for the client to read."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError("the body must be a JSON object")
    return Asked(raw, fields, fields.get("stream") is True)


def for_prefill(asked: Asked, chat: bool) -> bytes:
    fields = {name: value for name, value in asked.fields.items() if name not in DROPPED}
    fields["max_tokens"] = 1
    if chat or "max_completion_tokens" in fields:
        fields["max_completion_tokens"] = 1
    fields["stream"] = False
    return json.dumps(fields).encode()
