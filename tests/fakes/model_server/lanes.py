"""Lanes: who is asking, and what is answered. A lane is a script, then (if it has one) a policy, else a failure."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.fakes.model_server.asked import Asked
from tests.fakes.model_server.checks import Rules
from tests.fakes.model_server.turns import Expect, Turn

Policy = Callable[[Asked], Turn]


class Unscripted(Exception):
    """What was asked is not in the script: a failure of whoever asked, or of the script."""


@dataclass
class Lane:
    """when: a pattern in the system text or the first user message; model: a model's name. Either sends a request
    here, as does a path `/lane/NAME/…`."""

    name: str
    when: re.Pattern[str] | None = None
    model: str | None = None
    rules: Rules = field(default_factory=Rules)
    turns: list[Turn] = field(default_factory=list)
    answers: Policy | None = None
    played: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, *turns: Turn) -> "Lane":
        """Adds turns; each answers one call, in order."""
        with self._lock:
            self.turns.extend(turns)
        return self

    def policy(self, answers: Policy) -> "Lane":
        """What answers when the script is at its end."""
        self.answers = answers
        return self

    @property
    def left(self) -> int:
        return len(self.turns) - self.played

    def next(self, asked: Asked) -> Turn:
        with self._lock:
            turn = None
            if self.played < len(self.turns):
                turn = self.turns[self.played]
                self.played += 1
        if turn is None:
            if self.answers is None:
                raise Unscripted(
                    f"call {self.played + 1} is more than the script has; it ends with {_cut(asked.last_text)!r}"
                )
            turn = self.answers(asked)
        missed = unmet(turn.expect, asked)
        if missed:
            raise Unscripted(f"turn {self.played}: {missed}")
        return turn


@dataclass
class Lanes:
    """Which lane a request is in: by its path, else by the first pattern that fits, else by its model, else
    `default`."""

    by_name: dict[str, Lane] = field(default_factory=lambda: {"default": Lane("default")})

    def add(self, lane: Lane) -> Lane:
        self.by_name[lane.name] = lane
        return lane

    def find(self, asked: Asked, of_path: str | None) -> Lane:
        if of_path is not None:
            return self.by_name.get(of_path) or self.add(Lane(of_path))
        opening = f"{asked.system_text}\n{asked.first_text}"
        lanes: Sequence[Lane] = list(self.by_name.values())
        marked = next((lane for lane in lanes if lane.when and lane.when.search(opening)), None)
        by_model = next((lane for lane in lanes if lane.model == asked.model), None)
        return marked or by_model or self.by_name["default"]

    def unplayed(self) -> Mapping[str, int]:
        return {lane.name: lane.left for lane in self.by_name.values() if lane.left}


def unmet(expect: Expect | None, asked: Asked) -> str | None:
    """What an expectation misses. A text is searched for as a pattern in the last user message and tool results; a
    function says False or a sentence, or raises AssertionError."""
    if expect is None:
        return None
    if isinstance(expect, str | re.Pattern):
        if re.search(expect, asked.last_text):
            return None
        pattern = expect if isinstance(expect, str) else expect.pattern
        return f"{pattern!r} is not in {_cut(asked.last_text)!r}"
    if callable(expect):
        try:
            said = expect(asked)
        except AssertionError as e:
            return f"{getattr(expect, '__name__', 'the expectation')}: {e}"
        if said is False:
            return f"{getattr(expect, '__name__', 'the expectation')} does not hold"
        return said if isinstance(said, str) else None
    return next((missed for one in expect if (missed := unmet(one, asked))), None)


def _cut(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:140]} … {text[-140:]}"
