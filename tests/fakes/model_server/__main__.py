"""The model server as a child process: `python -m tests.fakes.model_server --script FILE`.

Prints one JSON line with its `url` when it listens; `GET /report` tells the sums at any time. Ended by SIGTERM or
SIGINT it prints the report as its last line and exits 1 when something failed or was violated.
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.fakes.model_server.server import ModelServer
from tests.fakes.model_server.written import load


def main() -> int:
    parser = argparse.ArgumentParser(prog="model_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, help="JSON; see written.py")
    parser.add_argument("--key", help="required of every request")
    given = parser.parse_args()
    server = ModelServer(key=given.key)
    if given.script is not None:
        load(server, json.loads(given.script.read_text(encoding="utf-8")))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with server.open(given.port):
        print(json.dumps({"url": server.url}), flush=True)
        ended.wait()
        report = server.report()
    print(json.dumps(report), flush=True)
    return 1 if report["failures"] or report["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
