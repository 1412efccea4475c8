"""The child that serves one model file on loopback: `python -m nightclaw.providers.local_server PATH CONTEXT`.

Prints {"address": "http://…"} or {"error": "…"} as one line, then serves until its standard input ends.
"""

import importlib
import json
import sys


def main() -> None:
    path, context = sys.argv[1], int(sys.argv[2])
    try:
        llama = importlib.import_module("xllamacpp")
        params = llama.CommonParams()
        params.model.path = path
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.n_parallel = 1
        params.ui = False
        params.verbosity = 0
        params.n_ctx = context
        server = llama.Server(params)
        said = {"address": str(server.listening_address)}
    except ImportError:
        said = {"error": "llama.cpp is missing: pip install xllamacpp"}
    except Exception as error:  # noqa: BLE001 - whatever the library raises, the parent is told
        said = {"error": str(error)[:300]}
    sys.stdout.write("\n" + json.dumps(said) + "\n")
    sys.stdout.flush()
    if "address" in said:
        sys.stdin.read()


if __name__ == "__main__":
    main()
