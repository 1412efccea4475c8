"""How well memory finds what a question rests on: LoCoMo's conversations, questions and evidence.

    python bench/recall.py --data locomo.json [--out predictions.jsonl] [--top 20]

Every conversation is told to a store of its own, turn by turn as a chat would be, and every question is asked word for
word. Its category and its answer are not read. The data is not part of the product; it is named on the command line.
"""

import argparse
import asyncio
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from house import percentile, say
from nightclaw import boot
from nightclaw.core.trust import Trust
from nightclaw.memory.recall import Scope, recall
from nightclaw.store import events, observations
from nightclaw.store.db import Connection, Store

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Turn:
    id: str
    session: str
    at: int
    text: str


@dataclass(frozen=True)
class Question:
    id: str
    text: str
    evidence: frozenset[str]


def turns_of(sample: dict[str, Any]) -> Iterator[Turn]:
    talk = sample["conversation"]
    numbers = sorted(int(k.split("_")[1]) for k in talk if re.fullmatch(r"session_\d+", k) and talk[k])
    for number in numbers:
        began = moment(talk.get(f"session_{number}_date_time", ""))
        for i, turn in enumerate(talk[f"session_{number}"]):
            photo = f" [shares a photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            text = f"{turn['speaker']}: {turn['text']}{photo}"
            yield Turn(turn["dia_id"], f"session {number}", began + i * MINUTE_MS, text)


def moment(said: str) -> int:
    """`1:56 pm on 8 May, 2023` in milliseconds."""
    try:
        at = datetime.strptime(said.strip(), "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
    except ValueError:
        at = datetime(2023, 1, 1, tzinfo=UTC)
    return int(at.timestamp() * 1000)


def questions_of(sample: dict[str, Any], known: set[str]) -> Iterator[Question]:
    for i, asked in enumerate(sample["qa"]):
        named = re.findall(r"D:?(\d+):(\d+)", " ".join(asked.get("evidence") or []))
        evidence = frozenset(f"D{int(a)}:{int(b)}" for a, b in named) & known
        yield Question(f"{sample['sample_id']}#{i}", asked["question"], evidence)


def tell(conn: Connection, turns: list[Turn]) -> dict[int, str]:
    """Write the turns as a chat leaves them; which turn each event is."""
    told: dict[int, str] = {}
    for turn in turns:
        cursor = events.append(conn, "signal.received", turn.at, {"turn": turn.id}, session=turn.session)
        observations.add(
            conn,
            observations.NewObservation(
                cursor, turn.at, "world", "turn", turn.text, Trust.WORLD, session=turn.session
            ),
        )
        told[cursor] = turn.id
    return told


@dataclass
class Score:
    found: dict[int, list[float]]
    hits: list[float]
    ranks: list[float]
    cpu: list[float]

    def add(self, ranked: list[str], evidence: frozenset[str]) -> None:
        for k, shares in self.found.items():
            shares.append(len(evidence.intersection(ranked[:k])) / len(evidence))
        self.hits.append(float(not evidence.isdisjoint(ranked[:10])))
        self.ranks.append(next((1 / (i + 1) for i, r in enumerate(ranked) if r in evidence), 0.0))


async def ask_all(sample: dict[str, Any], room: Path, top: int, score: Score, out: list[str]) -> float:
    """Ask every question of one conversation; its recall@10."""
    path = room / f"{sample['sample_id']}.db"
    boot.make_database(path)
    store = Store(path)
    await store.open()
    try:
        turns = list(turns_of(sample))
        told = await store.write(tell, turns)
        now = turns[-1].at
        first = len(score.found[10])
        for question in questions_of(sample, {t.id for t in turns}):
            began = time.process_time()
            found = await store.read(recall, question.text, top, Scope(everything=True), now)
            score.cpu.append((time.process_time() - began) * 1000)
            ranked = [told[r.cursor] for r in found]
            out.append(json.dumps({"question_id": question.id, "ranked": ranked}))
            if question.evidence:
                score.add(ranked, question.evidence)
        mine = score.found[10][first:]
        return sum(mine) / max(len(mine), 1)
    finally:
        await store.close()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True)
    words.add_argument("--out", type=Path)
    words.add_argument("--top", type=int, default=20)
    args = words.parse_args()
    samples = json.loads(args.data.read_text(encoding="utf-8"))
    score, out = Score({5: [], 10: [], 20: []}, [], [], []), list[str]()
    with tempfile.TemporaryDirectory(prefix="ncb") as room:
        for sample in samples:
            share = asyncio.run(ask_all(sample, Path(room), args.top, score, out))
            say(f"recall.{sample['sample_id']}.at10", share, "share")
    for k, shares in score.found.items():
        say(f"recall.at{k}", sum(shares) / max(len(shares), 1), "share")
    say("recall.hit10", sum(score.hits) / max(len(score.hits), 1), "share")
    say("recall.mrr", sum(score.ranks) / max(len(score.ranks), 1), "share")
    say("recall.cpu_p50", percentile(score.cpu, 0.5), "ms")
    say("recall.questions", len(score.hits), "")
    if args.out:
        args.out.write_text("".join(line + "\n" for line in out), encoding="utf-8")


if __name__ == "__main__":
    main()
