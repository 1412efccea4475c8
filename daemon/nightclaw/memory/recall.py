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

from nightclaw.core.stems import stem, words
from nightclaw.core.trust import Trust
from nightclaw.memory.question import Group, groups
from nightclaw.store import search
from nightclaw.store.db import Connection
from nightclaw.store.search import Row, Scope
from nightclaw.store.terms import date_words

__all__ = ["Recalled", "Scope", "recall"]

HITS, BESIDE = 16, 3
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
    known = [(g, n) for g, n in zip(asked, found, strict=True) if n]
    if not known:
        return []
    match = _bounded(known, rows)
    hits = max(HITS, limit)
    got = search.search(conn, match, hits, BESIDE, scope)
    while got.hidden and sum(r.is_hit for r in got.rows) < limit and hits < 2_000:
        hits *= 5
        got = search.search(conn, match, hits, BESIDE, scope)
    idf = [math.log(1 + (rows - min(n, rows) + 0.5) / (min(n, rows) + 0.5)) for _, n in known]
    weighed = _weigh(got.rows, [g for g, _ in known], idf, frozenset(words(query)), now)
    return _chosen(weighed, limit)


def _bounded(known: list[tuple[Group, int]], rows: int) -> str:
    """The rarest words first, the common ones only while all together stand in few enough rows."""
    left, kept = search.budget(rows), list[str]()
    for group, count in sorted(known, key=lambda pair: pair[1]):
        left -= count
        if left < 0 and kept:
            break
        kept.append(group.match)
    return " OR ".join(kept)


@dataclass(slots=True)
class _Weighed:
    row: Row
    score: float


def _weigh(
    rows: list[Row], asked: Sequence[Group], idf: Sequence[float], said: frozenset[str], now: int
) -> list[_Weighed]:
    """Every row with a score above 0, best first."""
    rows.sort(key=lambda r: (r.memory is not None, r.session or "", r.n))
    tokens = [words(r.text) for r in rows]
    counts = _counts(rows, tokens, asked)
    runs = [_run(rows, i) for i in range(len(rows))]
    spans = [sum(len(t) for t in tokens[a:b]) for a, b in runs]
    mean = max(sum(spans) / max(len(spans), 1), 1.0)
    dated = [(g, group.stems) for g, group in enumerate(asked) if not group.stems.isdisjoint(_DATED)]
    out = list[_Weighed]()
    for i, row in enumerate(rows):
        frequency = _around(rows, counts, i, runs[i])
        if dated:
            day = _day(row.at // _DAY_MS)
            for g, stems in dated:
                if not stems.isdisjoint(day):
                    frequency[g] = frequency.get(g, 0.0) + _DATE
        damp = _K1 * (1 - _B + _B * spans[i] / mean)
        score = sum(idf[g] * f * (_K1 + 1) / (f + damp) for g, f in frequency.items())
        if score > 0:
            out.append(_Weighed(row, score * _prior(row, tokens[i], said, now)))
    out.sort(key=lambda w: -w.score)
    return out


def _counts(rows: list[Row], tokens: list[list[str]], asked: Sequence[Group]) -> list[dict[int, float]]:
    """For each row how often each group stands in it; the words around a memory count as a neighbour's."""
    which = {s: g for g, group in enumerate(asked) for s in group.stems}
    size = 3 if all(len(s) > 3 for s in which) else 2
    starts = {s[:size] for s in which}
    seen: dict[str, int | None] = {}

    def add(found: list[str], weight: float, into: dict[int, float]) -> None:
        for token in found:
            if token[:size] in starts:
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


def _run(rows: list[Row], i: int) -> tuple[int, int]:
    """The rows said around row i without a gap: [start, end)."""
    start, end = i, i + 1
    while i - start < len(_BEFORE) and start > 0 and rows[start].before == rows[start - 1].n:
        start -= 1
    while end - i <= len(_AFTER) and end < len(rows) and rows[end].before == rows[end - 1].n:
        end += 1
    return start, end


def _around(
    rows: list[Row], counts: list[dict[int, float]], i: int, run: tuple[int, int]
) -> dict[int, float]:
    """How much of each group stands in row i and around it."""
    frequency = dict(counts[i])
    for at in range(run[0], run[1]):
        if at == i or not counts[at]:
            continue
        weight = _BEFORE[i - at - 1] if at < i else _AFTER[at - i - 1]
        if at == i - 1 and "?" in rows[at].text:
            weight += _ASKED  # an answer is found by its question
        for g, n in counts[at].items():
            frequency[g] = frequency.get(g, 0.0) + weight * n
    return frequency


@lru_cache(maxsize=4_096)
def _day(day: int) -> frozenset[str]:
    return frozenset(stem(w) for w in words(date_words(day * _DAY_MS)))


def _prior(row: Row, tokens: list[str], said: frozenset[str], now: int) -> float:
    """What speaks for a row whatever was asked, and for its speaker when the question names them."""
    colon = row.text.find(":", 0, 40)
    is_named = colon > 0 and bool(said.intersection(words(row.text[:colon])))
    is_own = row.role == "owner" and not said.isdisjoint(_OWNER_WORDS)
    speaker = 1 + _SPEAKER if is_named or is_own else 1.0
    asks = 1 - _QUESTION if row.text.rstrip().endswith("?") else 1.0
    length = 1 + _LENGTH * min(len(tokens), _FULL) / _FULL
    recent = 1 + _RECENT * 0.5 ** (max(now - row.at, 0) / _HALF_LIFE_MS)
    return speaker * asks * length * recent * _TRUST[row.trust]


def _chosen(weighed: list[_Weighed], limit: int) -> list[Recalled]:
    """The best, one for one wording: a memory stands for the words it was saved from."""
    out, taken = list[Recalled](), set[str]()
    wordings = {" ".join(w.row.text.casefold().split()) for w in weighed if w.row.memory is not None}
    for w in weighed:
        wording = " ".join(w.row.text.casefold().split())
        if wording in taken or (w.row.memory is None and wording in wordings):
            continue
        taken.add(wording)
        out.append(_recalled(w))
        if len(out) == limit:
            break
    return out


def _recalled(w: _Weighed) -> Recalled:
    row = w.row
    sources = tuple(json.loads(row.sources)) if row.sources else (row.n,)
    return Recalled(
        id=row.memory,
        cursor=max(sources, default=0),
        text=row.text,
        score=round(w.score, 4),
        trust=row.trust,
        observed_at=row.at,
        topic=row.topic,
        source=row.role,
        private=row.private,
        repo=row.repo,
        sources=sources,
    )
