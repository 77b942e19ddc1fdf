"""Notes in the pool of what its workers' keys are made of. Run by the workers' Python, with their
environment, as the package kvstore is there:

    notes.py read MASTER PREFIX                  all notes, as JSON: key to text
    notes.py leave|take MASTER KEY [TEXT]        leaves this host's, or takes it away again

Exit status 3: there is no package kvstore here.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys

NO_PACKAGE = 3
_SECONDS = 5.0


def main(verb: str, master: str, key: str, text: str = "") -> int:
    if importlib.util.find_spec("kvstore") is None:
        return NO_PACKAGE
    kvstore = importlib.import_module("kvstore")
    with kvstore.Client(master, connect_timeout=_SECONDS) as client:
        if verb == "leave":
            # Replaced, not evicted: some hundred bytes that stand until they are taken.
            options = kvstore.PutOptions(replace=True, hard_pin=True)
            client.put(key, text.encode(), options=options, timeout=_SECONDS)
        elif verb == "take":
            try:
                client.remove(key, timeout=_SECONDS)
            except kvstore.NotFound:
                pass
        else:
            keys = [each.key for each in client.list_objects(key, timeout=_SECONDS)]
            texts = client.get_batch(keys, timeout=_SECONDS)
            found = {
                key.decode(): text.decode()
                for key, text in zip(keys, texts, strict=True)
                if isinstance(text, bytes)
            }
            print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
