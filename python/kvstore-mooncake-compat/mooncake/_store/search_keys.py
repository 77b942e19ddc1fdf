"""Searches keys for a pattern; a program by itself, so that whoever waits for it can end it.

Reads lines of JSON: the pattern, then lists of keys, each of which it answers with a line: the
indices of the keys that have a match in them.
"""

from __future__ import annotations

import json
import re
import sys


def main() -> None:
    search = re.compile(json.loads(sys.stdin.readline())).search
    for line in sys.stdin:
        keys = json.loads(line)
        print(json.dumps([i for i, key in enumerate(keys) if search(key)]), flush=True)


if __name__ == "__main__":
    main()
