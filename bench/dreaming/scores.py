"""What a dream made of what was planted, as shares."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.dreaming import words
from bench.dreaming.plant import Planted, Told

from nightclaw.core.states import MemoryState
from nightclaw.store.memories import Memory

_RELATIVE = re.compile(words.RELATIVE_WORDS, re.I)
_VALUE = re.compile(r"\d[\d:./-]*\d|\d|(?<!^)(?<![.!?] )\b[A-Z][a-z]{2,}\b")


@dataclass
class After:
    """The rows after a dream."""

    rows: Sequence[Memory]

    def __post_init__(self) -> None:
        self.active = [m for m in self.rows if m.state is MemoryState.ACTIVE]
        self.by_id = {m.id: m for m in self.rows}

    def own(self, told: Told) -> Memory | None:
        """The row the words were saved as."""
        said = [m for m in self.rows if told.cursor in m.sources and m.made_by != "dream"]
        return next((m for m in said if m.observed_at == told.at), said[0] if said else None)

    def standing(self, told: Told) -> list[Memory]:
        """Active rows that rest on it."""
        return [m for m in self.active if told.cursor in m.sources]

    def heir(self, told: Told) -> Memory | None:
        """The active row its words or their wording ended up in."""
        found = self.standing(told)
        if found:
            return found[0]
        row, seen = self.own(told), set[str]()
        while row is not None and row.superseded_by and row.id not in seen:
            seen.add(row.id)
            row = self.by_id.get(row.superseded_by)
        return row if row is not None and row.state is MemoryState.ACTIVE else None


def share(good: int, of: int) -> float:
    return 1.0 if of == 0 else good / of


def scores(planted: Planted, rows: Sequence[Memory], wrong: dict[str, list[str]]) -> dict[str, float]:
    after = After(rows)
    merged = of = 0
    for group in planted.doubles:
        left = {h.id for t in group if (h := after.heir(t)) is not None} or {""}
        of += len(group) - 1
        merged += len(group) - len(left)
        if len(left) > 1:
            wrong.setdefault("doubles", []).append(" | ".join(t.text for t in group))
    resolved = 0
    for before, new in planted.changed:
        ends = [after.standing(t) for t in before]
        heir = after.heir(new)
        is_new = heir is not None and new.value in heir.text
        if is_new and all(new.value in m.text for e in ends for m in e):
            resolved += 1
        else:
            wrong.setdefault("changed", []).append(f"{[t.text for t in before]} → {new.text}")
    stale = [t for t in planted.stale if after.heir(t) is not None]
    wrong["stale"] = [t.text for t in stale]
    truths = [
        *planted.alone,
        *planted.near,
        *(new for _, new in planted.changed),
        *(g[-1] for g in planted.doubles),
    ]
    lost = [t for t in truths if (h := after.heir(t)) is None or t.value not in h.text]
    wrong["lost"] = [t.text for t in lost]
    false = [t for t in [*planted.near, *planted.alone] if not after.standing(t)]
    wrong["false"] = [t.text for t in false]
    dated = [
        t
        for t in planted.dated
        if (h := after.heir(t)) is not None and t.value in h.text and not _RELATIVE.search(h.text)
    ]
    wrong["dated"] = [f"{t.text} ({t.value})" for t in planted.dated if t not in dated]
    junk = [
        t for t in planted.junk if t.cursor is not None and any(t.cursor in m.sources for m in after.active)
    ]
    wrong["junk"] = [t.text for t in junk]
    return {
        "duplicates_merged": share(merged, of),
        "contradictions_resolved": share(resolved, len(planted.changed)),
        "stale_retired": 1 - share(len(stale), len(planted.stale)) if planted.stale else 1.0,
        "facts_lost": len(lost) / len(truths),
        "dates_absolute": share(len(dated), len(planted.dated)),
        "false_merges": len(false),
        "junk_promoted": len(junk),
    }


def provenance(
    rows: Sequence[Memory], texts: dict[int, str], due: dict[int, str], wrong: dict[str, list[str]]
) -> tuple[float, float]:
    """(derived rows with live sources, their values that stand in the sources). due: dates meant by relative ones."""
    made = [m for m in rows if m.made_by == "dream"]
    live = [m for m in made if m.sources and all(c in texts for c in m.sources)]
    found = of = 0
    for m in made:
        held = " ".join([texts.get(c, "") + " " + due.get(c, "") for c in m.sources])
        for value in _VALUE.findall(m.text):
            of += 1
            found += value.casefold() in held.casefold()
            if value.casefold() not in held.casefold():
                wrong.setdefault("value", []).append(f"{value} in {m.text}: {held}")
    return share(len(live), len(made)), share(found, of)
