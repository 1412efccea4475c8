"""What is wrong right now, by part: shown by status, doctor and the health of the daemon."""

from dataclasses import dataclass

from nightclaw.core.types import JSON


@dataclass(frozen=True, slots=True)
class Problem:
    part: str
    message: str
    hint: str


class Problems:
    """core.ports.Problems: the last word of each part; a part that is well is absent."""

    def __init__(self) -> None:
        self._items: dict[str, Problem] = {}

    def set(self, part: str, problem: str | None, hint: str = "") -> None:
        if problem is None:
            self._items.pop(part, None)
        else:
            self._items[part] = Problem(part, problem, hint)

    def items(self) -> list[Problem]:
        return list(self._items.values())

    def as_json(self) -> list[JSON]:
        return [{"part": p.part, "message": p.message, "hint": p.hint} for p in self._items.values()]
