"""Recall: the rows of memory that answer a question, best first, without a model.

The index proposes a few rows; they and the rows beside them are weighed here by bm25 over what was said around each of
them, so that an answer is found by the words of its question and a turn by those of the talk it stands in. Weighed too:
who said it, whether it asks or tells, how much it says, how new it is and how far it is trusted; the last two weakly.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from nightclaw.core.stems import stem, words
from nightclaw.core.trust import Trust
from nightclaw.memory.question import Group, groups
from nightclaw.store import search
from nightclaw.store.db import Connection
from nightclaw.store.search import Row, Scope
from nightclaw.store.terms import date_words

__all__ = ["Recalled", "Scope", "recall"]

HITS, BESIDE = 12, 3
PASSAGE = 1_200
# weight of a word by where it stands: rows before (1 = the one just before), rows after, the date
_BEFORE, _AFTER, _DATE, _ASKED = (0.5, 0.3, 0.2), (0.3, 0.2, 0.2), 0.6, 0.4
_K1, _B = 0.8, 0.65
_SPEAKER, _QUESTION, _LENGTH, _FULL = 0.3, 0.15, 0.2, 30
_DAY_MS = 86_400_000
_RECENT, _HALF_LIFE_MS = 0.02, 30 * _DAY_MS
_TRUST = {Trust.OWNER: 1.02, Trust.DAEMON: 1.0, Trust.REPO: 1.0, Trust.WORLD: 0.97}
_OWNER_WORDS = frozenset({"i", "my", "me", "mine", "owner", "user"})
_DATED = frozenset(
    [stem(w) for d in range(366) for w in words(date_words(d * _DAY_MS))]
    + [str(y) for y in range(1970, 2100)]
)


@dataclass(frozen=True, slots=True)
class Recalled:
    """One row that answers. id: of a memory, None for an observation. cursor: of the observation, or the newest source
    of the memory. source: who said it or made it. text: at most 1,200 characters, around what was asked."""

    id: str | None
    cursor: int
    text: str
    score: float
    trust: Trust
    observed_at: int
    topic: str | None
    source: str
    private: bool = False
    repo: str | None = None
    sources: tuple[int, ...] = ()


def recall(conn: Connection, query: str, limit: int, scope: Scope, now: int) -> list[Recalled]:
    """At most `limit` rows for a question in plain words, best first; none when nothing shares a word with it."""
    asked = groups(query)
    if not asked or limit < 1:
        return []
    found, rows = search.frequencies(conn, [g.match for g in asked])
    known = list(zip(asked, found, strict=True))
    got = _search(conn, known, rows, limit, scope)
    idf = [math.log(1 + (rows - min(n, rows) + 0.5) / (min(n, rows) + 0.5)) for n in found]
    weighed = _weigh(got.rows, asked, idf, frozenset(words(query)), now)
    return _chosen(weighed, limit, [form for g in asked for form in g.forms])


def _search(
    conn: Connection, known: list[tuple[Group, int]], rows: int, limit: int, scope: Scope
) -> search.Found:
    """What the rare words find; when that is too little, or hidden from this scope, what more words and rows find."""
    room, hits = search.budget(rows), max(HITS, limit)
    match = _bounded(known, room)
    got = search.search(conn, match, hits, BESIDE, scope)
    wider = _bounded([(g, n) for g, n in known if n <= search.COUNTED * room], 4 * room)
    if wider and wider != match and _shown(got) < limit:
        match = wider
        got = search.search(conn, match, hits, BESIDE, scope)
    while got.hidden and _shown(got) < limit and hits < 2_000:
        hits *= 5
        got = search.search(conn, match, hits, BESIDE, scope)
    return got


def _shown(got: search.Found) -> int:
    return sum(r.is_hit for r in got.rows)


def _bounded(known: list[tuple[Group, int]], room: int) -> str:
    """The rarest word, and more of them while all together stand in no more than `room` rows."""
    kept = list[str]()
    for group, count in sorted(known, key=lambda pair: pair[1]):
        room -= count
        if room < 0 and kept:
            break
        kept.append(group.match)
    return " OR ".join(kept)


def _weigh(
    rows: list[Row], asked: Sequence[Group], idf: Sequence[float], said: frozenset[str], now: int
) -> list[tuple[float, Row]]:
    """Every row with a score above 0, best first."""
    rows.sort(key=lambda r: (r.memory is not None, r.session or "", r.n))
    tokens = [words(r.text) for r in rows]
    runs = _runs(rows)
    frequency = _around(rows, _counts(rows, tokens, asked), runs)
    ends = [0, *accumulate(len(t) for t in tokens)]
    spans = [ends[b] - ends[a] for a, b in runs]
    mean = max(sum(spans) / max(len(spans), 1), 1.0)
    dated = [(g, group.stems) for g, group in enumerate(asked) if not group.stems.isdisjoint(_DATED)]
    out = list[tuple[float, Row]]()
    for i, row in enumerate(rows):
        mine = frequency[i]
        for g, stems in dated:
            if not stems.isdisjoint(_day(row.at // _DAY_MS)):
                mine[g] = mine.get(g, 0.0) + _DATE
        if mine:
            damp = _K1 * (1 - _B + _B * spans[i] / mean)
            score = sum([idf[g] * f / (f + damp) for g, f in mine.items()])
            out.append((score * _prior(row, tokens[i], said, now), row))
    out.sort(key=lambda scored: -scored[0])
    return out


def _counts(rows: list[Row], tokens: list[list[str]], asked: Sequence[Group]) -> list[dict[int, float]]:
    """For each row how often each group stands in it; the words around a memory count as a neighbour's."""
    which = {s: g for g, group in enumerate(asked) for s in group.stems}
    size = 3 if all(len(s) > 3 for s in which) else 2
    starts = {s[:size] for s in which}
    seen: dict[str, int | None] = {}

    def add(found: list[str], weight: float, into: dict[int, float]) -> None:
        for token in [t for t in found if t[:size] in starts]:
            if token not in seen:
                seen[token] = which.get(stem(token))
            g = seen[token]
            if g is not None:
                into[g] = into.get(g, 0.0) + weight

    out = list[dict[int, float]]()
    for row, found in zip(rows, tokens, strict=True):
        own: dict[int, float] = {}
        add(found, 1.0, own)
        if row.around:
            add(words(row.around), _BEFORE[0], own)
        out.append(own)
    return out


def _runs(rows: list[Row]) -> list[tuple[int, int]]:
    """For each row those said around it without a gap, itself among them: [start, end)."""
    if not rows:
        return []
    breaks = [i for i, row in enumerate(rows) if i == 0 or row.before != rows[i - 1].n or row.before is None]
    out = list[tuple[int, int]]()
    for low, high in zip(breaks, [*breaks[1:], len(rows)], strict=True):
        out += [(max(low, i - len(_BEFORE)), min(high, i + len(_AFTER) + 1)) for i in range(low, high)]
    return out


def _around(
    rows: list[Row], counts: list[dict[int, float]], runs: list[tuple[int, int]]
) -> list[dict[int, float]]:
    """For each row how much of each group stands in it and around it."""
    out = [dict(own) for own in counts]
    for at, own in enumerate(counts):
        if not own:
            continue
        low, high = runs[at]
        asks = _ASKED if "?" in rows[at].text else 0.0  # an answer is found by its question
        for i in range(low, high):
            if i == at:
                continue
            weight = _AFTER[at - i - 1] if i < at else _BEFORE[i - at - 1] + (asks if i == at + 1 else 0.0)
            mine = out[i]
            for g, n in own.items():
                mine[g] = mine.get(g, 0.0) + weight * n
    return out


@lru_cache(maxsize=4_096)
def _day(day: int) -> frozenset[str]:
    return frozenset(stem(w) for w in words(date_words(day * _DAY_MS)))


def _prior(row: Row, tokens: list[str], said: frozenset[str], now: int) -> float:
    """What speaks for a row whatever was asked, and for its speaker when the question names them."""
    prior = _TRUST[row.trust] * (1 + _LENGTH * min(len(tokens), _FULL) / _FULL)
    colon = row.text.find(":", 0, 40)
    is_named = colon > 0 and not said.isdisjoint(words(row.text[:colon]))
    if is_named or (row.role == "owner" and not said.isdisjoint(_OWNER_WORDS)):
        prior *= 1 + _SPEAKER
    if row.text.endswith("?"):
        prior *= 1 - _QUESTION
    return prior * (1 + _RECENT * 0.5 ** (max(now - row.at, 0) / _HALF_LIFE_MS))


def _chosen(weighed: list[tuple[float, Row]], limit: int, forms: list[str]) -> list[Recalled]:
    """The best, one for one wording: a memory stands for the words it was saved from."""
    out, taken = list[Recalled](), set[str]()
    saved = {c for _, row in weighed[: 2 * limit] if row.memory for c in json.loads(row.sources)}
    wordings = {_wording(row) for _, row in weighed[: 2 * limit] if row.memory} if saved else set()
    for score, row in weighed:
        wording = _wording(row)
        if wording in taken or (row.memory is None and row.n in saved and wording in wordings):
            continue
        taken.add(wording)
        out.append(_recalled(score, row, forms))
        if len(out) == limit:
            break
    return out


def _wording(row: Row) -> str:
    return " ".join(row.text.casefold().split())


def _recalled(score: float, row: Row, forms: list[str]) -> Recalled:
    sources = tuple(json.loads(row.sources)) if row.memory else (row.n,)
    return Recalled(
        id=row.memory,
        cursor=max(sources, default=0),
        text=_passage(row.text, forms),
        score=round(score, 4),
        trust=row.trust,
        observed_at=row.at,
        topic=row.topic,
        source=row.role,
        private=bool(row.is_private),
        repo=row.repo,
        sources=sources,
    )


def _passage(text: str, forms: list[str]) -> str:
    """Of a long text the part that begins shortly before the first word asked for."""
    if len(text) <= PASSAGE:
        return text
    small = text.lower()
    places = [at for form in forms if (at := small.find(form[: max(3, len(form) - 3)])) >= 0]
    start = max(0, min(min(places, default=0) - 200, len(text) - PASSAGE))
    cut = text[start : start + PASSAGE]
    return ("… " if start else "") + cut + (" …" if start + PASSAGE < len(text) else "")
