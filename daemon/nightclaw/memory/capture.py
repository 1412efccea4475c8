"""How words become memory: kept as they were said, in the transaction of the event that carried them.

What the owner plainly wants kept, and what they correct, becomes an active memory at once, so that the next session
knows it; the older value of the same fact gives way in the same breath. What a model asks to keep is a candidate with
the label of its session. Capture never fails a chat: what cannot be kept stays out, and its secrets are cut out.
"""

import re
from datetime import tzinfo

from nightclaw.core.errors import Invalid, NightclawError, Refused
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Label, Trust
from nightclaw.memory import dates, keys, kinds
from nightclaw.memory.corrections import Learned, learned_of
from nightclaw.memory.offer import OwnerTurn, Wanted
from nightclaw.memory.refusals import secret_of, why_not
from nightclaw.memory.succession import is_near, take_place
from nightclaw.store import confirming, memories, observations, sessions
from nightclaw.store.db import Connection
from nightclaw.store.memories import Memory, NewMemory, Said
from nightclaw.store.observations import NewObservation

APPLIES = 200
_FORGET = re.compile(r"(?i)(?:please )?(?:forget|scratch|disregard|never mind)\b(?! to\b)")


def owner_said(conn: Connection, turn: OwnerTurn, now: int, tz: tzinfo) -> list[str]:
    """Keep the message, and what it asks to remember or corrects; the ids of the memories made."""
    if not turn.cursor or not turn.text.strip() or observations.get(conn, [turn.cursor]):
        return []
    earlier = observations.of_session(conn, turn.session, turn.cursor, 2)
    before = next((o.text for o in reversed(earlier) if o.role == "assistant"), "")
    learned = learned_of(turn.text, before)
    kind = next((one.kind for one in learned if one.kind == "correction"), "turn")
    scope = turn.scope
    observations.add(
        conn,
        NewObservation(
            turn.cursor, now, "owner", kind, turn.text, Trust.OWNER, scope.private, scope.repo,
            session=turn.session, task=turn.task,
        ),
    )  # fmt: skip
    made = list[str]()
    for one in learned:
        try:
            made += _learn(conn, turn, one, now, tz)
        except NightclawError:  # it holds a secret, say: the conversation goes on, the row is not made
            continue
    return made


def owner_adds(conn: Connection, wanted: Wanted, now: int, tz: tzinfo, *, by: str = "owner") -> str:
    """Keep what the owner adds outright; the memory's id, of the row that says it already when one does. by: owner or
    import. Raises Invalid and Refused."""
    return owner_keeps(conn, wanted, now, tz, by=by)[0]


def owner_keeps(
    conn: Connection, wanted: Wanted, now: int, tz: tzinfo, *, by: str = "owner"
) -> tuple[str, bool]:
    """As `owner_adds`: the memory's id, and whether it is new. What was said before is only seen again."""
    secret = secret_of(wanted.text)
    if secret is not None:
        raise Refused(
            f"not kept: it holds {secret}", "memory is no place for secrets; say where it is kept instead"
        )
    new = _owners(wanted, (), now, tz, by)
    held = _known(conn, new)
    if held is None:
        return take_place(conn, new, memories.save(conn, new, Said("owner"), now), now), True
    is_dated = by == "owner" or wanted.observed_at is not None  # an undated file says nothing about when
    if is_dated and new.observed_at > held.observed_at:
        confirming.say_again(conn, held.id, new.text, Said("owner"), new.observed_at, now)
    return held.id, False


def remember(
    conn: Connection, wanted: Wanted, label: Label, session: str, task: str, now: int, tz: tzinfo
) -> str:
    """Keep what a model asks to keep, as a candidate; the memory's id, of the row that says it already when one does.
    Raises Refused for secrets, output of commands, and instructions that nobody vouches for."""
    refusal = why_not(wanted.text, label.trust) or (wanted.applies and why_not(wanted.applies, label.trust))
    if refusal:
        raise Refused(f"not remembered: {refusal}")
    home = observations.home_of(label, wanted.scope.repo)
    new = _made(wanted, (), now, tz, "remember", label, home)
    held = _same(conn, new)
    if held is not None:
        return held.id
    return memories.save(conn, new, Said("assistant", session=session, task=task), now)


def _learn(conn: Connection, turn: OwnerTurn, one: Learned, now: int, tz: tzinfo) -> list[str]:
    """The memory made of it, none when it was known, or when it repeats words of a session that strangers reached."""
    if why_not(one.text, Trust.OWNER) is not None or _FORGET.match(one.text):
        return []
    if one.is_borrowed and sessions.label_of(conn, turn.session).trust is not Trust.OWNER:
        return []
    new = _owners(Wanted(one.text, scope=turn.scope), (turn.cursor,), now, tz, "owner")
    held = _known(conn, new)
    if held is None:
        return [take_place(conn, new, memories.add(conn, new, now), now)]
    confirming.confirm(conn, held.id, turn.cursor, now, now)
    return []


def _owners(wanted: Wanted, sources: tuple[int, ...], now: int, tz: tzinfo, by: str) -> NewMemory:
    """A memory of the owner's; away from a private repository it is of everywhere, whatever they were working on."""
    repo = wanted.scope.repo if wanted.scope.private else None
    return _made(wanted, sources, now, tz, by, Label(Trust.OWNER, wanted.scope.private), repo)


def _known(conn: Connection, new: NewMemory) -> Memory | None:
    held = _same(conn, new)
    return held if held and held.trust is Trust.OWNER and held.state is MemoryState.ACTIVE else None


def _made(
    wanted: Wanted, sources: tuple[int, ...], now: int, tz: tzinfo, by: str, label: Label, repo: str | None
) -> NewMemory:
    at = wanted.observed_at if wanted.observed_at is not None else now
    if at > now + 86_400_000:
        raise Invalid("observed_at lies in the future")
    text = dates.absolute(" ".join(wanted.text.split()), at, tz)
    topic = kinds.slug(wanted.topic) if wanted.topic else ""
    kind = wanted.kind or kinds.kind_of(text, topic)
    fact = keys.fact_of(text)
    has_key = fact is not None and not fact.bare
    return NewMemory(
        text=text,
        kind=kind,
        topic=topic or kinds.topic_for(kind),
        trust=label.trust,
        sources=sources,
        made_by=by,
        observed_at=at,
        private=label.private,
        repo=repo,
        origins=tuple(sorted(label.origins)),
        applies=" ".join(wanted.applies.split())[:APPLIES] if wanted.applies else None,
        fact_key=fact.key if fact is not None and has_key else None,
        fact_value=(fact.value if fact.holds else f"not {fact.value}")
        if fact is not None and has_key
        else None,
        expires_at=dates.expiry(text, at, tz),
        state=MemoryState.ACTIVE if by != "remember" else MemoryState.CANDIDATE,
    )


def _same(conn: Connection, new: NewMemory) -> Memory | None:
    """The live row of the same scope that says the same words."""
    wording = memories.text_hash(new.text)
    near = (
        memories.by_key(conn, new.fact_key)
        if new.fact_key
        else memories.as_long_as(conn, new.topic, new.text)
    )
    return next((m for m in near if memories.text_hash(m.text) == wording and is_near(m, new)), None)
