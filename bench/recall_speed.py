"""What a question costs in a store of 10 thousand, 100 thousand and a million rows: CPU of one recall.

    python bench/recall_speed.py [--quick] [rows …]

The rows are made up: sessions of twenty turns of 6 to 40 words whose frequencies fall as those of English do (Zipf).
Questions take six words of one row, as a person who remembers it would. `engine` is the work of the recall itself on
one connection; `read` is the same through the daemon's readers.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from house import is_quick, percentile, say
from nightclaw import boot
from nightclaw.core.trust import Trust
from nightclaw.memory.recall import Scope, recall
from nightclaw.store import events, observations
from nightclaw.store.db import Connection, Store, writer_engine

VOCABULARY, QUESTIONS, SESSION, CHUNK = 30_000, 200, 20, 5_000
START_MS, TURN_MS = 1_700_000_000_000, 60_000


class Talk:
    """Made-up words, the same every time."""

    def __init__(self) -> None:
        self._chance = random.Random(5)
        chance = random.Random(6)
        syllables = [a + b for a in "bcdfghklmnprstvw" for b in "aeiou"]
        ends = ["", "", "n", "s", "ing", "ed", "er"]
        made: dict[str, None] = {}
        while len(made) < VOCABULARY:
            made["".join(chance.choices(syllables, k=chance.choice([2, 3, 3, 4]))) + chance.choice(ends)] = (
                None
            )
        self._words = [*made]
        self._weights = [*accumulate(1 / (i + 2.7) for i in range(VOCABULARY))]

    def turn(self) -> str:
        return " ".join(
            self._chance.choices(self._words, cum_weights=self._weights, k=self._chance.randint(6, 40))
        )

    def question(self, text: str) -> str:
        words = [*dict.fromkeys(text.split())]
        return " ".join(self._chance.sample(words, min(6, len(words))))


def fill(conn: Connection, talk: Talk, first: int, count: int) -> float:
    """Add `count` turns; the CPU seconds it took beside making them up."""
    texts = [talk.turn() for _ in range(count)]
    began = time.process_time()
    for i, text in enumerate(texts, first):
        at, session = START_MS + i * TURN_MS, f"session {i // SESSION}"
        cursor = events.append(conn, "signal.received", at, {}, session=session)
        new = observations.NewObservation(cursor, at, "owner", "turn", text, Trust.OWNER, session=session)
        observations.add(conn, new)
    return time.process_time() - began


def chunks(path: Path, talk: Talk, rows: int) -> Iterator[float]:
    engine = writer_engine(path)
    with engine.connect() as conn:
        for first in range(0, rows, CHUNK):
            conn.exec_driver_sql("BEGIN IMMEDIATE")
            conn.info["head"] = 0
            yield fill(conn, talk, first, min(CHUNK, rows - first))
            conn.exec_driver_sql("COMMIT")
            conn.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    engine.dispose()


def sample(conn: Connection, talk: Talk, rows: int) -> list[str]:
    chance = random.Random(7)
    picked = [chance.randint(1, rows) for _ in range(2 * QUESTIONS)]
    return [talk.question(observations.get(conn, [n])[0].text) for n in picked]


def engine_cpu(path: Path, questions: list[str], now: int) -> list[float]:
    engine, took = writer_engine(path), list[float]()
    with engine.connect() as conn:
        for question in questions:
            began = time.process_time()
            recall(conn, question, 10, Scope(everything=True), now)
            took.append((time.process_time() - began) * 1000)
    engine.dispose()
    return took


async def read_cpu(path: Path, questions: list[str], now: int) -> list[float]:
    store, took = Store(path), list[float]()
    await store.open()
    for question in questions:
        began = time.process_time()
        await store.read(recall, question, 10, Scope(everything=True), now)
        took.append((time.process_time() - began) * 1000)
    await store.close()
    return took


def measure(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ncb") as room:
        path, talk = Path(room) / "nightclaw.db", Talk()
        boot.make_database(path)
        spent = sum(chunks(path, talk, rows))
        say(f"recall_speed.{rows}.capture", spent / rows * 1000, "ms/row")
        say(f"recall_speed.{rows}.disk", path.stat().st_size / rows, "B/row")
        engine = writer_engine(path)
        with engine.connect() as conn:
            questions = sample(conn, talk, rows)
        engine.dispose()
        now = START_MS + rows * TURN_MS
        took = engine_cpu(path, questions, now)
        say(f"recall_speed.{rows}.first", took[0], "ms")
        say(f"recall_speed.{rows}.engine_p50", percentile(took[QUESTIONS:], 0.5), "ms")
        say(f"recall_speed.{rows}.engine_p95", percentile(took[QUESTIONS:], 0.95), "ms")
        through = asyncio.run(read_cpu(path, questions, now))
        say(f"recall_speed.{rows}.read_p50", percentile(through[QUESTIONS:], 0.5), "ms")


def main() -> None:
    asked = [int(word) for word in sys.argv[1:] if word.isdigit()]
    for rows in asked or ([10_000] if is_quick() else [10_000, 100_000, 1_000_000]):
        measure(rows)


if __name__ == "__main__":
    main()
