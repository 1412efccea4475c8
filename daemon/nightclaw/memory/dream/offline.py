"""Consolidation without a model: dates written out, doubles merged, the newer statement current, what is over ended.

Deterministic and careful: each step needs no more than the pieces on the table, and where it cannot be sure it leaves
both. What the owner edited by hand is never rewritten and never ended here.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory import dates
from nightclaw.memory.dream import currency
from nightclaw.memory.dream.clusters import alike, bind, follow, histories, weave, wording
from nightclaw.memory.dream.pieces import Piece, Table, key_in_scope
from nightclaw.memory.dream.refuse import refusal
from nightclaw.store import memories

BAR = Trust.REPO
"""Below it nothing is promoted: it stays a candidate, quoted when it is recalled."""


def consolidate(table: Table) -> None:
    """All steps, in order. Pieces must have been read (`Table.read`)."""
    _refuse(table)
    _write_dates_out(table)
    _adopt_topics(table)
    _end_what_is_over(table)
    settle(table)
    _stop_what_is_replaced(table)
    promote(table)


def settle(table: Table) -> None:
    """Merge doubles and find what is current, for everything that touches a new piece."""
    lasting = [p for p in table.pieces if p.state is not MemoryState.RETIRED and p.expires_at is None]
    dated = [p for p in table.pieces if p.is_live and p.expires_at is not None]
    for p in table.pieces:
        p.stands = None
    web = weave(lasting, follow(lasting, table.relations).links)
    bind(table.pieces, web)
    for history in histories(web):
        _link(currency.settle(history, table.now, table.ask, table.restate))
    lasting = [p for p in lasting if p.stands is None]
    for group in _groups(lasting, _about):
        _link(currency.settle(group, table.now, table.ask, table.restate))
    for group in _groups(lasting, wording):
        for same in (g for g in alike(group) if any(p.is_new for p in g)):
            _link(currency.settle(same, table.now, table.ask, table.restate))
    for group in _groups(
        dated, lambda p: (p.scope, key_in_scope(p) or wording(p), currency.says(p), p.expires_at)
    ):
        for same in alike(group) if group[0].fact is None else [group]:
            currency.settle(same, table.now, table.ask, table.restate)


def promote(table: Table) -> None:
    """Candidates this dream is about become active when they are sourced, trusted enough and not in question."""
    for p in table.pieces:
        if not p.is_new or p.state is not MemoryState.CANDIDATE or p.how == "held":
            continue
        is_doubted = p.row is not None and p.row.doubted_at is not None
        if p.sources and p.trust.at_least(BAR) and not is_doubted and refusal(p.text, p.trust) is None:
            p.state = MemoryState.ACTIVE


def _refuse(table: Table) -> None:
    for p in table.pieces:
        if not p.is_new or p.state is not MemoryState.CANDIDATE:
            continue
        why = refusal(p.text, p.trust)
        if why is not None and p.trust is not Trust.OWNER:
            p.end("dream", why)


def _write_dates_out(table: Table) -> None:
    for p in list(table.pieces):
        if not p.is_new or not p.is_live or p.is_edit or p.trust is Trust.WORLD:
            continue
        text = dates.absolute(p.text, p.observed_at, table.tz)
        if text == p.text or len(text) > memories.LONGEST:
            continue
        if p.row is None:
            p.text = text
            table.read(p)
        else:
            dated = table.derive(p, text)
            table.read(dated)
            p.give_way(dated, "dated", "its date is written out")


def _adopt_topics(table: Table) -> None:
    """What was only said goes where the rows about the same thing are."""
    homes: defaultdict[Hashable, set[str]] = defaultdict(set)
    for p in table.pieces:
        if p.row is not None and p.is_live:
            for sign in _signs(p):
                homes[sign].add(p.topic)
    for p in table.pieces:
        if p.row is None and p.gone_to is None and p.is_new:
            topics = next((homes[s] for s in _signs(p) if len(homes.get(s, ())) == 1), None)
            if topics is not None:
                p.topic = next(iter(topics))


def _signs(p: Piece) -> Iterable[Hashable]:
    if p.fact is not None:
        yield p.scope, p.fact.key
    elif p.like is not None:
        for sketch in sorted(p.like.sketches):
            yield p.scope, sketch


def _end_what_is_over(table: Table) -> None:
    for p in table.pieces:
        if p.is_live and not p.is_edit and p.expires_at is not None and p.expires_at <= table.now:
            p.end("expiry", "its time is over")
    for p in table.pieces:
        if p.how == "dated" and p.gone_to is not None and p.gone_to.ended_by == "expiry":
            p.gone_to, p.how = None, ""
            p.end("expiry", "its time is over")


def _stop_what_is_replaced(table: Table) -> None:
    """ "We no longer use X", "we switched from X": ends the use of X for whatever it was used."""
    for p in (p for p in table.pieces if p.is_live and p.fact is not None and p.fact.key == "use of us"):
        fact = p.fact
        value = fact.value if fact is not None and not fact.holds else fact.was if fact is not None else None
        for q in table.pieces:
            if (
                value is None
                or q is p
                or not q.is_live
                or q.is_edit
                or q.fact is None
                or not (p.is_new or q.is_new)
            ):
                continue
            is_use = q.fact.key.startswith("use of ") and q.fact.value == value and q.fact.holds
            if is_use and q.scope == p.scope and q.observed_at < p.observed_at and p.trust.at_least(q.trust):
                q.give_way(p, "ended", "said to hold no longer")


def _groups(pieces: Iterable[Piece], sign: Callable[[Piece], Hashable | None]) -> list[list[Piece]]:
    """Pieces that share a sign, where there are two and one of them is new."""
    found: defaultdict[Hashable, list[Piece]] = defaultdict(list)
    for p in pieces:
        key = sign(p)
        if key is not None:
            found[key].append(p)
    return [g for g in found.values() if len(g) > 1 and any(p.is_new for p in g)]


def _about(p: Piece) -> Hashable | None:
    key = key_in_scope(p)
    return None if key is None else (p.scope, key)


def _link(links: currency.Links) -> None:
    for older, newer in links.versions:
        newer.before = older
        older.after = newer
    for row, face in links.wordings:
        row.after = face
