"""From the table to the plan: what became of each piece, as changes of rows; and the diff an owner can read. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from nightclaw.core.states import MemoryState
from nightclaw.memory.dream.pieces import Piece, Table, sketches
from nightclaw.memory.gist import marks
from nightclaw.protocol.messages import iso
from nightclaw.store.dream_changes import Add, GiveWay, Plan, Retire, Settled
from nightclaw.store.dreams import headline
from nightclaw.store.memories import LIVE, NewMemory


def plan_of(table: Table) -> Plan:
    """The changes that make the table true. A row nothing happened to is in none of them."""
    plan = Plan(asks=list(table.asks))
    added = {p.id for p in table.pieces if p.row is None and _is_kept(p)}
    for p in table.pieces:
        if p.row is None:
            if p.id in added:
                _add(plan, p, added)
        else:
            _change(plan, p, added)
    _join(plan, table.pieces, added)
    _sketch(plan, table.pieces, added)
    _chain(plan, table.pieces, added)
    named = _named(plan)
    for p in table.pieces:
        if p.row is not None and p.id in named:
            plan.expects[p.id] = p.row.updated_at
    return plan


def _is_kept(p: Piece) -> bool:
    """A piece in the making becomes a row when it lives, or when it is a chapter of the history of its key."""
    return p.is_live or (p.state is MemoryState.SUPERSEDED and p.how in ("newer", "ended"))


def _heir(p: Piece, added: set[str]) -> Piece | None:
    """The row that stands for what a piece gave way to."""
    to, seen = p.gone_to, {p.id}
    while to is not None and to.id not in seen and to.row is None and to.id not in added:
        seen.add(to.id)
        to = to.gone_to
    return to if to is not None and to.id not in seen else None


def _add(plan: Plan, p: Piece, added: set[str]) -> None:
    state = p.state if p.state in LIVE else MemoryState.CANDIDATE
    new = NewMemory(
        text=p.text, kind=p.kind, topic=p.topic, trust=p.trust, sources=sorted(p.sources), made_by=p.made_by,
        observed_at=p.observed_at, private=p.private, repo=p.repo, origins=tuple(sorted(p.origins)), applies=p.applies,
        fact_key=_key(p)[0], fact_value=_key(p)[1], expires_at=p.expires_at, state=state,
    )  # fmt: skip
    plan.adds.append(Add(p.id, new))
    plan.topics.add(p.topic)
    heir = _heir(p, added)
    if not p.is_live and heir is not None:
        plan.ways.append(GiveWay(p.id, heir.id, p.how))


def _change(plan: Plan, p: Piece, added: set[str]) -> None:
    row = p.row
    if row is None:
        return
    if p.is_new or p.ended_by == "expiry":
        key, value = _key(p)
        if (key, value, p.expires_at) != (row.fact_key, row.fact_value, row.expires_at):
            plan.settled.append(Settled(p.id, key, value, p.expires_at))
    if p.state is row.state:
        return
    plan.topics.add(p.topic)
    if p.state is MemoryState.ACTIVE:
        plan.promoted.append(p.id)
    elif p.state is MemoryState.RETIRED:
        plan.retired.append(Retire(p.id, p.ended_by, p.why))
    elif p.state is MemoryState.SUPERSEDED:
        heir = _heir(p, added)
        if heir is not None:
            plan.ways.append(GiveWay(p.id, heir.id, p.how))


def _join(plan: Plan, pieces: Iterable[Piece], added: set[str]) -> None:
    """A merged double leaves its sources with its heir, when they are of the same trust or more."""
    for p in pieces:
        if p.how != "merged" or p.gone_to is None or (p.row is not None and p.row.state not in LIVE):
            continue
        heir = _heir(p, added)
        if heir is None or not p.trust.at_least(heir.trust):
            continue
        missing = p.sources - heir.sources - heir.joined
        if missing:
            heir.joined |= missing
            plan.joined.setdefault(heir.id, []).extend(sorted(missing))


def _sketch(plan: Plan, pieces: Iterable[Piece], added: set[str]) -> None:
    """By what it says, and what gave way by its words too: it is in no full-text index any more."""
    for p in pieces:
        is_gone = p.state is MemoryState.SUPERSEDED
        has_changed = p.is_new or (p.row is not None and p.row.state is not p.state)
        if has_changed and (p.row is not None or p.id in added) and p.state is not MemoryState.RETIRED:
            plan.sketches[p.id] = sketches(p) | (marks(p.gist, *p.scope) if is_gone else frozenset())


def _chain(plan: Plan, pieces: Iterable[Piece], added: set[str]) -> None:
    """`supersedes` and `superseded_by` in the order of observation, where they are not so already."""
    for p in pieces:
        to = p.after
        if to is None or not all(x.row is not None or x.id in added for x in (p, to)):
            continue
        is_version = to.before is p
        held = (p.row.superseded_by if p.row else None, to.row.supersedes if to.row else None)
        if p.row is None or held[0] != to.id or (is_version and held[1] != p.id):
            plan.chain.append((p.id, to.id, is_version))
            plan.topics.add(p.topic)


def _key(p: Piece) -> tuple[str | None, str | None]:
    if p.fact is None or p.fact.bare:
        return None, None
    return p.fact.key, p.fact.value if p.fact.holds else f"not {p.fact.value}"


def _named(plan: Plan) -> set[str]:
    return (
        {s.id for s in plan.settled} | set(plan.joined) | set(plan.promoted) | {r.id for r in plan.retired}
        | {i for w in plan.ways for i in (w.old, w.to)} | set(plan.checked) | {i for c in plan.chain for i in c[:2]}
    )  # fmt: skip


def diff_of(table: Table, plan: Plan, title: str, counts: dict[str, int]) -> str:
    """What a dream changes, a topic a section, `-` what goes and `+` what comes, each with its reason."""
    lines = [headline(title, counts)]
    by_topic: defaultdict[str, list[str]] = defaultdict(list)
    added = {a.ref for a in plan.adds}
    for p in table.pieces:
        heir = _heir(p, added)
        if p.row is not None and p.row.state in LIVE and not p.is_live:
            to = f" → ^{heir.id}" if heir is not None else ""
            by_topic[p.topic].append(f"- {p.text} ^{p.id}  ({p.why}{to})")
        elif p.id in added and p.is_live:
            by_topic[p.topic].append(f"+ {p.text} ^{p.id}  (seen {iso(p.observed_at)[:10]}, from {_from(p)})")
        elif p.id in plan.promoted:
            by_topic[p.topic].append(f"+ {p.text} ^{p.id}  (was a candidate)")
        elif p.id in plan.checked:
            check = plan.checked[p.id]
            by_topic[p.topic].append(f"  {p.text} ^{p.id}  ({f'verified: {check}' if check else 'in doubt'})")
    for topic in sorted(by_topic):
        lines += ["", f"## {topic}", *by_topic[topic]]
    for _, question, about in plan.asks:
        lines += ["", f"? {question} {' '.join(f'^{i}' for i in about)}".rstrip()]
    return "\n".join(lines)


def _from(p: Piece) -> str:
    shown = ", ".join(str(c) for c in sorted(p.sources)[:4])
    return f"event {shown}" + (" …" if len(p.sources) > 4 else "")
