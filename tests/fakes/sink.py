"""Where notes go in tests: a real HTTP server on loopback that can refuse, hang up and hang.

With strict=True it is also a caller's examiner: whatever is not a well-formed note of Apprise's `json://` is
refused with 400 and lands in `complaints`, so that a test cannot pass on rubbish.
"""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOTE_TYPES = ("info", "success", "warning", "failure")


def _complaint(method: str, headers: Mapping[str, str], raw: bytes) -> str | None:
    """What is wrong with a request that should be one note."""
    if method != "POST":
        return f"{method} instead of POST"
    if not headers.get("Content-Type", "").startswith("application/json"):
        return f"content type {headers.get('Content-Type')}"
    try:
        note = json.loads(raw)
    except ValueError:
        return "the body is not JSON"
    for name in ("title", "message"):
        if not isinstance(note.get(name), str):
            return f"{name} is {note.get(name)!r}"
    if not (note["title"] + note["message"]).strip():
        return "an empty note"
    if note.get("type") not in NOTE_TYPES:
        return f"type {note.get('type')!r}"
    return None


class Sink:
    """An HTTP server that keeps what it is sent. answers: (status, headers) of the next requests, then 200.

    bodies: everything received; kept: what was answered with 2xx, thus what the owner has seen.
    """

    def __init__(self, port: int = 0, *, strict: bool = False) -> None:
        self.bodies: list[dict[str, object]] = []
        self.kept: list[dict[str, object]] = []
        self.complaints: list[str] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.hang = threading.Event()
        self.hangs = False
        self.drop = False
        self.strict = strict
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                wrong = _complaint(self.command, dict(self.headers), raw) if sink.strict else None
                if wrong:
                    sink.complaints.append(wrong)
                    sink.answers.insert(0, (400, {}))
                body: dict[str, object] = (
                    json.loads(raw) if self._is_json() and not wrong else {"raw": raw.decode()}
                )
                sink.bodies.append(body)
                if sink.hangs:
                    sink.hang.wait(30)
                if sink.drop:
                    self.close_connection = True
                    return
                status, headers = sink.answers.pop(0) if sink.answers else (200, {})
                if 200 <= status < 300:
                    sink.kept.append(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_POST

            def _is_json(self) -> bool:
                return "json" in self.headers.get("Content-Type", "")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address as an Apprise destination."""
        return f"json://{self.address}/notes"

    def texts(self, about: str = "") -> list[str]:
        """Title and message of every note kept that says `about` somewhere."""
        said = [f"{note.get('title', '')}\n{note.get('message', '')}" for note in self.kept]
        return [text for text in said if about in text]

    def close(self) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
