"""What a model proposes, judged: each operation is checked against the rows it was shown, or refused and counted.

A model may say that rows belong together; it may not decide which is current, invent a value, end what the owner said
or reach a row it was not shown. Pure.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON
from nightclaw.memory import dates, kinds, values, words
from nightclaw.memory.alignment import could_be_newer, could_be_same, relation
from nightclaw.memory.dream.pieces import Piece, Table
from nightclaw.memory.dream.prune import GROWTH
from nightclaw.memory.dream.refuse import refusal
from nightclaw.memory.gist import Gist, gist
from nightclaw.memory.keys import fact_of
from nightclaw.memory.likeness import content, depends_on_context, likeness
from nightclaw.store.memories import KINDS

MOST = 60
ASKS = 3
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w-]+|\b\w+[-_.@/]\w[\w./@-]*|\b\w*\d\w*\b")
_CLOSE = 0.34


@dataclass(slots=True)
class Judged:
    """How many operations took effect, and why the others did not."""

    applied: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])


def read_operations(text: str) -> list[Mapping[str, JSON]] | str:
    """The operations of an answer, or what is wrong with it. One JSON object `{"operations": […]}` and nothing else."""
    try:
        found = json.loads(text.strip())
    except (ValueError, RecursionError):
        return "the answer is no JSON"
    ops = found.get("operations") if isinstance(found, dict) else None
    if not isinstance(ops, list) or not all(isinstance(o, dict) for o in ops):
        return "the answer has no list of operations"
    if len(ops) > MOST:
        return "the answer has too many operations"
    return ops


class Judge:
    """Judges the operations of one answer. rows: what the model was shown, by the names it was shown under."""

    def __init__(self, table: Table, rows: Mapping[str, Piece], said: Mapping[str, Piece]) -> None:
        self._table = table
        self._rows = rows  # memories
        self._said = said  # what was said and is no memory yet: a source, never a row to change
        self._seen: set[str] = set()
        self._asked = 0
        self.judged = Judged()

    def take(self, ops: Iterable[Mapping[str, JSON]]) -> None:
        for op in ops:
            name = op.get("op")
            form = json.dumps(op, sort_keys=True, default=str)
            if form in self._seen:
                self.judged.refused["the same twice"] += 1
                continue
            self._seen.add(form)
            act = {
                "add": self._add, "merge": self._merge, "supersede": self._supersede, "retire": self._retire,
                "ask": self._ask,
            }.get(name if isinstance(name, str) else "")  # fmt: skip
            why = act(op) if act is not None else "no such operation"
            if why is None:
                self.judged.applied[str(name)] += 1
            else:
                self.judged.refused[why] += 1

    def _add(self, op: Mapping[str, JSON]) -> str | None:
        sources, text = _names(op.get("sources")), op.get("text")
        if not sources:
            return "without sources"
        found = [self._said.get(s) or self._rows.get(s) for s in sources]
        if not isinstance(text, str) or not text.strip() or len(text) > 400:
            return "without words"
        pieces = [p for p in found if p is not None]
        if len(pieces) < len(found):
            return "unknown rows"
        first = pieces[0]
        if any((p.scope, p.trust) != (first.scope, first.trust) for p in pieces):
            return "sources of two kinds"
        text = dates.absolute(" ".join(text.split()), max(p.observed_at for p in pieces), self._table.tz)
        if refusal(text, first.trust) is not None or depends_on_context(text):
            return "not fit to be a memory"
        if not _is_drawn_from(text, [self._absolute(p) for p in pieces]):
            return "says what its sources do not"
        if sum(p.row is None for p in self._table.pieces) >= GROWTH:
            return "more than one dream may add"
        made = self._table.make(
            pieces, text, _kind(op, text), _topic(op, text), {c for p in pieces for c in p.sources}
        )
        self._table.read(made)
        if self._is_known(made):
            self._table.pieces.remove(made)
            return "changes nothing"
        return None

    def _is_known(self, made: Piece) -> bool:
        for p in self._table.pieces:
            if p is made or p.scope != made.scope or not p.is_live:
                continue
            if p.fact is not None and made.fact is not None:
                if (p.fact.key, p.fact.value, p.fact.holds) == (
                    made.fact.key,
                    made.fact.value,
                    made.fact.holds,
                ):
                    return True
            elif p.like is not None and made.like is not None and p.like.equals(made.like):
                return True
        return False

    def _merge(self, op: Mapping[str, JSON]) -> str | None:
        names = _names(op.get("rows"))
        found = self._memories(names)
        if isinstance(found, str):
            return found
        if len(found) < 2:
            return "changes nothing"
        face = max(found, key=lambda p: (p.is_edit, p.trust.rank, p.observed_at, p.order))
        for p in found:
            why = None if p is face else self._why_two(p, face)
            if why is not None:
                return why
        for p in found:
            if p is not face:
                p.give_way(face, "merged", "says the same")
        return None

    def _why_two(self, p: Piece, face: Piece) -> str | None:
        """Why these are two facts, not one."""
        if p.is_edit or p.trust is not face.trust:
            return "not the model's to change"
        if (
            p.fact is not None
            and face.fact is not None
            and (p.fact.key, p.fact.value) != (face.fact.key, face.fact.value)
        ):
            return "two facts, not one"
        a, b = self._absolute(p), self._absolute(face)
        if _marks(a) != _marks(b) or _is_negated(a) != _is_negated(b) or p.expires_at != face.expires_at:
            return "two facts, not one"
        is_one = _overlap(a, b) >= 0.5 and _could_be(a, b, could_be_same)
        return None if is_one else "two facts, not one"

    def _supersede(self, op: Mapping[str, JSON]) -> str | None:
        found = self._memories(_names([op.get("old"), op.get("new")]))
        if isinstance(found, str):
            return found
        if len(found) != 2:
            return "changes nothing"
        old, new = sorted(found, key=lambda p: p.observed_at)  # which is current is not the model's to say
        if old.observed_at == new.observed_at:
            return "no telling which is newer"
        if not new.trust.at_least(old.trust) or (old.is_edit and not new.is_authored):
            return "not the model's to change"
        if old.expires_at != new.expires_at or (
            old.fact is not None and new.fact is not None and old.fact.key != new.fact.key
        ):
            return "two facts, not one"
        a, b = self._absolute(old), self._absolute(new)
        if _overlap(a, b) < _CLOSE or not _same_subject(a, b) or not _could_be(a, b, could_be_newer):
            return "two facts, not one"
        old.give_way(new, "newer", "a newer statement")
        new.before = old
        return None

    def _retire(self, op: Mapping[str, JSON]) -> str | None:
        found = self._memories(_names([op.get("row")]))
        if isinstance(found, str):
            return found
        row = found[0]
        if row.trust is Trust.OWNER or row.is_authored:
            return "not the model's to change"
        why = refusal(row.text, row.trust)
        if why is None and (row.row is None or row.row.doubted_at is None):
            return "no reason that shows"
        row.end("dream", why or "the world says otherwise")
        return None

    def _ask(self, op: Mapping[str, JSON]) -> str | None:
        found = self._memories(_names(op.get("rows")))
        question = op.get("question")
        if isinstance(found, str):
            return found
        if not isinstance(question, str) or not 5 <= len(question) <= 200:
            return "without words"
        if any(p.private or p.trust is Trust.WORLD for p in found):
            return "not to be asked about"
        if self._asked >= ASKS:
            return "too many questions"
        self._asked += 1
        self._table.ask("ask:" + ":".join(sorted(p.id for p in found)), question, found)
        return None

    def _memories(self, names: Sequence[str]) -> list[Piece] | str:
        """Live rows of one scope by their names; or why not."""
        if not names:
            return "unknown rows"
        found = [self._rows.get(n) for n in names]
        rows = list(dict.fromkeys(p for p in found if p is not None))
        if None in found:
            return "unknown rows"
        if any(not p.is_live for p in rows):
            return "changes nothing"
        if len({p.scope for p in rows}) > 1:
            return "sources of two kinds"
        return rows

    def _absolute(self, p: Piece) -> str:
        return dates.absolute(p.text, p.observed_at, self._table.tz)


def _could_be(old: str, new: str, how: Callable[[Gist, Gist], bool]) -> bool:
    a, b = gist(old), gist(new)
    return a is not None and b is not None and (relation(a, b) is not None or how(a, b))


def _names(value: JSON) -> list[str]:
    return (
        [v for v in value if isinstance(v, str)]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else []
    )


def _kind(op: Mapping[str, JSON], text: str) -> str:
    kind = op.get("kind")
    return kind if isinstance(kind, str) and kind in KINDS else kinds.kind_of(text, "")


def _topic(op: Mapping[str, JSON], text: str) -> str:
    topic = op.get("topic")
    return (
        kinds.slug(topic)
        if isinstance(topic, str) and topic.strip()
        else kinds.topic_for(kinds.kind_of(text, ""))
    )


def _is_drawn_from(text: str, sources: Sequence[str]) -> bool:
    """Every value and name of a text stands in its sources, and so does most of what it says."""
    whole = "\n".join(sources)
    held = {v.form for s in sources for v in values.typed(s)} | set(words.tokens(whole))
    if any(v.form not in held and v.form not in whole.casefold() for v in values.typed(text)):
        return False
    if any(n.casefold() not in whole.casefold() for n in _NAME.findall(text)):
        return False
    said, known = content(text), content(whole)
    is_same_way = any(_is_negated(s) for s in sources) == _is_negated(text)
    return is_same_way and len(said & known) >= 0.6 * len(said)


def _marks(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The values and names of a text: what may not differ between two wordings of one fact."""
    return frozenset(v.form for v in values.typed(text)), frozenset(n.casefold() for n in _NAME.findall(text))


def _is_negated(text: str) -> bool:
    found = likeness(text)
    return found.is_negated if found is not None else any(t in words.NEGATIONS for t in words.tokens(text))


def _overlap(a: str, b: str) -> float:
    x, y = content(a), content(b)
    return len(x & y) / max(1, min(len(x), len(y)))


def _same_subject(a: str, b: str) -> bool:
    """False when each names something the other does not, before its value: `api` and `api-gateway`."""
    fa, fb = fact_of(a), fact_of(b)
    if fa is not None and fb is not None:
        return fa.key == fb.key
    first = [
        next((w for w in words.tokens(t) if w not in words.SOFT and w not in words.ARTICLES), "")
        for t in (a, b)
    ]
    return words.stem(first[0]) == words.stem(first[1]) or bool(_names_in(a) & _names_in(b))


def _names_in(text: str) -> set[str]:
    return {n.casefold() for n in re.findall(r"\b[A-Z][\w-]+|\b\w+[-_]\w+", text)}
