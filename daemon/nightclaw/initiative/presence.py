"""Is the owner here? Attached clients, the last input, and a marker file the owner may set.

The marker is `run/presence` in the home with one word, `present` or `away`; it overrides what we observe.
"""

from pathlib import Path

from nightclaw.core.ports import Clock

ACTIVE_MS = 5 * 60 * 1000
LOOKING_MS = 10 * 60 * 1000


class Presence:
    """`attached`: a client follows and the owner was active lately; `active`: input lately; else `away`."""

    def __init__(self, clock: Clock, marker: Path) -> None:
        self._clock = clock
        self._marker = marker
        self._clients: dict[str, str | None] = {}
        self.last_input_at = 0

    def attach(self, client_id: str, session: str | None) -> None:
        self._clients[client_id] = session
        self.touch(self._clock.now_ms())

    def detach(self, client_id: str) -> None:
        self._clients.pop(client_id, None)

    def touch(self, now: int) -> None:
        """The owner did something at `now` (ms)."""
        self.last_input_at = now

    @property
    def attached(self) -> int:
        return len(self._clients)

    def state(self, now: int) -> str:
        """`attached`, `active` or `away` at `now` (ms)."""
        marked = self._marked()
        if marked == "away":
            return "away"
        quiet_ms = now - self.last_input_at
        if self._clients and (quiet_ms < LOOKING_MS or marked == "present"):
            return "attached"
        return "active" if quiet_ms < ACTIVE_MS or marked == "present" else "away"

    def is_looking(self) -> bool:
        """True while a note would reach the owner's eyes through an attached client."""
        return self.state(self._clock.now_ms()) == "attached"

    def _marked(self) -> str | None:
        try:
            word = self._marker.read_text(encoding="utf-8")[:20].strip().lower()
        except (OSError, UnicodeDecodeError):
            return None
        return word if word in ("present", "away") else None
