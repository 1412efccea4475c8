"""Words on their way to memory, before anything has read them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Where words belong: None for everywhere, a private repository for it alone."""

    repo: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class OwnerTurn:
    """A message of the owner's. cursor: of its `signal.received`; 0 when it is not new."""

    cursor: int
    text: str
    session: str
    task: str | None = None
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be kept. topic, applies: None where nobody says. observed_at: when it was so (ms)."""

    text: str
    topic: str | None = None
    applies: str | None = None
    observed_at: int | None = None
    scope: Scope = Scope()
    kind: str | None = None
