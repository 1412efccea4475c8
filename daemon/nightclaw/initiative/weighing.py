"""What waits on a subject and what the rules make of it: reads only, so it may be done again before deciding.

What was learned on the way (facts, incidents, pull requests) is held in a Notebook and becomes rows only with the
decision itself; each signal of a batch sees what the ones before it taught.
"""

from dataclasses import dataclass, field

from nightclaw.core.types import JSON, Signal, Source, Verdict
from nightclaw.initiative import incidents, pulls
from nightclaw.initiative.judgement import Judgement, Knowledge
from nightclaw.initiative.rules import RuleSet, judge
from nightclaw.store import effects, facts, signals
from nightclaw.store.db import Connection


@dataclass(frozen=True, slots=True)
class Stance:
    """What holds while deciding: the rules, where the owner is, whether a model may work, shadow mode.

    may_triage: a model may be asked in the background (a config file, the feature, a model for it).
    """

    rules: RuleSet
    presence: str
    has_model: bool
    shadow: bool
    may_triage: bool = False


@dataclass(slots=True)
class Finding:
    """A signal, its judgement, and what its check turned on its branch."""

    signal: Signal
    judgement: Judgement
    turn: incidents.Turn | None = None
    check: incidents.Check | None = None
    first_red: str = ""
    changes: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])


class Notebook:
    """The facts as they will be: what is stored, and over it what was learned just now."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._learned: dict[str, JSON] = {}

    def get(self, key: str) -> JSON:
        if key in self._learned:
            return self._learned[key]
        held = facts.get(self._conn, key)
        return held.value if held else None

    def starting_with(self, prefix: str) -> dict[str, JSON]:
        held = {k: f.value for k, f in facts.starting_with(self._conn, prefix).items()}
        learned = {k: v for k, v in self._learned.items() if k.startswith(prefix)}
        return {k: v for k, v in (held | learned).items() if v is not None}

    def put(self, key: str, value: JSON) -> bool:
        """None forgets. True when it differs from what was known."""
        is_news = self.get(key) != value
        if is_news:
            self._learned[key] = value
        return is_news

    def keep(self, now: int) -> None:
        for key, value in self._learned.items():
            facts.put(self._conn, key, value, now)


@dataclass(frozen=True, slots=True)
class Weighed:
    """All that waits on a subject, judged; the lead is what the decision is about."""

    found: list[Finding]
    lead: Finding
    notebook: Notebook

    @property
    def signal_ids(self) -> tuple[str, ...]:
        return tuple(f.signal.id for f in self.found)


def weigh(
    conn: Connection, subject: str, stance: Stance, now: int, only: tuple[str, ...] = ()
) -> Weighed | None:
    """Judge what waits on `subject` (or, of it, only these signals); None when nothing does."""
    waiting = [s for s in signals.pending_of(conn, subject) if not only or s.id in only]
    if not waiting:
        return None
    notebook = Notebook(conn)
    found = [_find(conn, s, stance, notebook, now) for s in waiting]
    lead = max(found, key=lambda f: (f.judgement.floor.rank, f.judgement.cap.rank))
    return Weighed(found, lead, notebook)


def _find(conn: Connection, signal: Signal, stance: Stance, notebook: Notebook, now: int) -> Finding:
    if signal.source is Source.TICK:
        return _tick(signal, notebook)
    known = Knowledge(
        own_echo=_is_own_echo(conn, signal),
        presence=stance.presence,
        pull=_learn_pull(signal, notebook),
        payload=lambda: signals.payload(conn, signal.id),
    )
    judgement = judge(signal, stance.rules, known)
    finding = Finding(signal, judgement)
    gone = incidents.ended_branch(signal)
    if gone is not None:
        notebook.put(gone, None)
    if incidents.follows(judgement):
        _advance_incident(finding, notebook, now)
    return finding


def _is_own_echo(conn: Connection, signal: Signal) -> bool:
    ids = signal.attrs.get("object_ids")
    if signal.source is not Source.GITHUB or not isinstance(ids, list) or not ids:
        return False
    return effects.is_own(conn, [str(i) for i in ids])


def _learn_pull(signal: Signal, notebook: Notebook) -> JSON:
    key = pulls.fact_key(signal)
    if key is None:
        checked = pulls.checked_pull(signal)
        if checked is None and incidents.check_of(signal) is not None:
            return pulls.of_check(notebook.starting_with(f"pr:{signal.repo}#"), signal)
        return notebook.get(checked) if checked else None
    value = pulls.learn(notebook.get(key), signal)
    notebook.put(key, value)
    return value


def _advance_incident(finding: Finding, notebook: Notebook, now: int) -> None:
    """Follow the branch's incident; its silence lowers, its recovery raises what the rule said."""
    check = incidents.check_of(finding.signal)
    if check is None:
        return
    held = notebook.get(check.fact_key)
    value, turn = incidents.advance(held, check, finding.signal.id, now)
    notebook.put(check.fact_key, value)
    told = value if turn is incidents.Turn.BROKE else held
    finding.check, finding.turn = check, turn
    finding.first_red = str(told.get("first", "")) if isinstance(told, dict) else ""
    finding.judgement = incidents.after(finding.judgement, turn)


def _tick(signal: Signal, notebook: Notebook) -> Finding:
    """Compare the probes' answers with the facts once more, and keep what is new."""
    changes = signal.attrs.get("changes")
    fresh = [
        dict(change)
        for change in (changes if isinstance(changes, list) else [])
        if isinstance(change, dict) and notebook.put(str(change["key"]), change.get("value"))
    ]
    if not fresh:
        quiet = Judgement(Verdict.IGNORE, Verdict.IGNORE, "probe:none", "no fact changed since the last tick")
        return Finding(signal, quiet)
    told = [c for c in fresh if c.get("tell")]
    titles = "; ".join(str(c.get("title", c["key"])) for c in told or fresh)
    floor = Verdict.NOTIFY if told else Verdict.RECORD
    cap = Verdict.ACT if any(c.get("judge") for c in told) else floor
    said = Judgement(
        floor, cap, "probe:changed", f"changed: {titles}"[:500], note_kind="fact", goal=titles[:500]
    )
    return Finding(signal, said, changes=fresh)
