"""Trust and labels: where bytes came from, and how that flows. A label only ever falls."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Trust(StrEnum):
    """Trust of a context, lowest first: `WORLD < REPO < DAEMON < OWNER`."""

    WORLD = "WORLD"
    REPO = "REPO"
    DAEMON = "DAEMON"
    OWNER = "OWNER"

    @property
    def rank(self) -> int:
        return _TRUST_ORDER[self]

    def at_least(self, other: "Trust") -> bool:
        return self.rank >= other.rank


_TRUST_ORDER = {t: i for i, t in enumerate(Trust)}


@dataclass(frozen=True, slots=True)
class Label:
    """(trust, private, origins) of some bytes. `origins` are repositories or hosts, for telling the owner."""

    trust: Trust
    private: bool = False
    origins: frozenset[str] = frozenset()


def join(labels: Iterable[Label]) -> Label:
    """The label of all of them together: lowest trust, private if any is, union of origins.

    Raises ValueError for no labels: a context without bytes has no label.
    """
    found = list(labels)
    if not found:
        raise ValueError("a label is joined from at least one label")
    return Label(
        trust=min((x.trust for x in found), key=lambda t: t.rank),
        private=any(x.private for x in found),
        origins=frozenset().union(*(x.origins for x in found)),
    )
