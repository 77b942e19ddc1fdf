"""Stands in for an engine: a server with /health, that ends, hangs and leaves children as it is
told.

stand_in.py PORT [dies | never | slow FILE | deaf | child FILE]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PORT, MODE = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = MODE != "never" and not (MODE == "slow" and not Path(sys.argv[3]).exists())
        self.send_response(200 if ready else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


print("environment", json.dumps(dict(os.environ)), flush=True)
if MODE == "dies":
    print("out of memory", flush=True)
    sys.exit(3)
if MODE == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Nor does it write into its log: it is known by its pid file alone.
    for output in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
if MODE == "child":
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], env={})
    Path(sys.argv[3]).write_text(str(child.pid))
HTTPServer(("127.0.0.1", PORT), Handler).serve_forever(0.05)
