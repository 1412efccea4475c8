"""Streams over time: keys whose values change, come back and end; what recall finds by then; what size costs."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.dreaming import words
from bench.dreaming.desk import DAY, NOW, Desk, Make, desk
from bench.dreaming.plant import Planter, Told
from bench.dreaming.scores import After, share
from bench.dreaming.words import Kind

from nightclaw.core.states import MemoryState
from nightclaw.memory.likeness import hash_of
from nightclaw.memory.recall import Scope, recall
from nightclaw.store.db import Connection

ASKED = {
    "port": "Which port does {e} use?", "owner": "Who is the owner of {e}?", "place": "Where is the config of {e}?",
    "version": "Which version of {e} do we run?", "timeout": "What is the timeout of {e}?",
    "meeting": "When is the {e} meeting?", "home": "Where does {e} live?", "command": "How are the tests of {e} run?",
    "tool": "What do we use for {e}?", "date": "When is the {e} release?",
}  # fmt: skip


@dataclass
class Stream:
    """One thing over time: what was said of it, oldest first; now: the value that holds, None when none does."""

    kind: Kind
    thing: str
    said: list[Told] = field(default_factory=list)
    now: str | None = None


def stream(p: Planter, kind: Kind, thing: str) -> Stream:
    """Versions, then maybe an old value again, maybe its end."""
    rng, out = p.rng, Stream(kind, thing)
    values: list[str] = []
    for _ in range(rng.randint(2, 5)):
        values.append(p.value(kind, tuple(values)))
    order = list(values)
    if rng.random() < 0.4:
        order.append(rng.choice(values[:-1]))
    at = NOW - 200 * DAY
    for i, value in enumerate(order):
        at += rng.randint(1, 20) * DAY + rng.randint(1, 1000)
        frames = kind.says if i == 0 else (*kind.changes, *kind.changes, *kind.says)
        out.said.append(Told(p.sentence(rng.choice(frames), e=thing, v=value), value, at))
        if rng.random() < 0.3:  # said once more, some days later
            out.said.append(
                Told(
                    p.sentence(rng.choice(kind.says), e=thing, v=value),
                    value,
                    at + rng.randint(1, 20) * 3_600_000,
                )
            )
    out.now = order[-1]
    if rng.random() < 0.25:
        out.said.append(
            Told(p.sentence(rng.choice(kind.ends), e=thing, v=out.now), f"-{out.now}", at + 2 * DAY)
        )
        out.now = None
    return out


async def conflicts(
    rng: random.Random, path: Path, means: Make, wrong: dict[str, list[str]]
) -> dict[str, float]:
    """Streams told in any order over three nights: is the current value current, is every version in the history?"""
    p, streams = Planter(rng), list[Stream]()
    for kind in words.KINDS:
        for _ in range(3):
            streams.append(stream(p, kind, p.thing(kind)))
        like = streams[-1].thing
        near = {"home": f"{like} Senior", "tool": f"weekly {like}"}.get(
            kind.name, f"{like}-{rng.choice(('gateway', '2', 'old2'))}"
        )
        streams.append(stream(p, kind, near))
    todo = [(s, t) for s in streams for t in s.said]
    rng.shuffle(todo)
    async with desk(path, means) as home:
        third = len(todo) // 3 + 1
        for i in range(0, len(todo), third):
            for s, t in todo[i : i + third]:
                state = rng.choice((MemoryState.ACTIVE, MemoryState.CANDIDATE))
                t.cursor = await home.save(t.text, t.at, p.topic(s.thing), state=state)
            await home.dream()
        after = After(await home.rows())
    current = sum(_is_current(s, after, wrong) for s in streams)
    history = sum(_has_history(s, after, wrong) for s in streams)
    return {
        "conflict_current": share(current, len(streams)),
        "conflict_history": share(history, len(streams)),
    }


def _is_current(s: Stream, after: After, wrong: dict[str, list[str]]) -> bool:
    cursors = {t.cursor for t in s.said}
    standing = [m for m in after.active if cursors & set(m.sources)]
    is_right = len(standing) == 1 and _value(s, standing[0].sources) == (
        s.now if s.now is not None else s.said[-1].value
    )
    if not is_right:
        wrong.setdefault("current", []).append(
            f"{s.now}: {[t.text for t in s.said]} → {[m.text for m in standing]}"
        )
    return is_right


def _value(s: Stream, sources: Sequence[int]) -> str | None:
    return next((t.value for t in s.said if t.cursor in sources), None)


def _has_history(s: Stream, after: After, wrong: dict[str, list[str]]) -> bool:
    """From each thing said the way leads to the next version and so to the newest, never back in time."""
    for i, told in enumerate(s.said):
        row, met, at = after.own(told), [told.value], 0
        while row is not None and at < 50:
            at += 1
            value = _value(s, row.sources)
            if value is not None and value != met[-1]:
                met.append(value)
            row = after.by_id.get(row.superseded_by) if row.superseded_by else None
        wanted = [
            v for j, v in enumerate(t.value for t in s.said[i:]) if j == 0 or v != s.said[i + j - 1].value
        ]
        if met != wanted:
            wrong.setdefault("history", []).append(f"{told.text}: {met}, not {wanted}")
            return False
    return True


async def no_loss(rng: random.Random, path: Path, means: Make) -> float:
    """Points of evidence recall@10 that dreams cost."""
    p, asked = Planter(rng), list[tuple[str, int]]()
    async with desk(path, means) as home:
        for session in range(20):
            at = NOW - (40 - session) * DAY
            for _ in range(rng.randint(6, 12)):
                kind = rng.choice(words.KINDS)
                thing = p.thing(kind)
                at += 60_000
                text = p.sentence(rng.choice(kind.says), e=thing, v=p.value(kind))
                cursor = await home.say(text, at, f"s{session}")
                asked.append((ASKED[kind.name].format(e=thing), cursor))
                names = {"p": p.person(), "q": p.person(), "s": p.name(), "t": p.name()}
                await home.say(p.sentence(rng.choice(words.ALONE), **names), at + 1000, f"s{session}")
        before = await _found(home, asked)
        await home.dream()
        return round((before - await _found(home, asked)) * 100, 3)


async def _found(home: Desk, asked: Sequence[tuple[str, int]]) -> float:
    hits = 0
    for question, cursor in asked:
        rows = await home.store.read(recall, question, 10, Scope(everything=True), home.clock.now)
        hits += any(cursor == r.cursor or cursor in r.sources for r in rows)
    return share(hits, len(asked))


async def cost(rng: random.Random, room: Path, wrong: dict[str, list[str]]) -> float:
    """What a dream of 100 new rows costs in a home of 100,000, as a multiple of what it costs in one of 1,000."""
    p = Planter(rng)
    new = [(k, p.thing(k), p.value(k)) for k in (rng.choice(words.KINDS) for _ in range(100))]
    texts = [(p.sentence(rng.choice(k.says), e=t, v=v), p.day(3)) for k, t, v in new]
    spent: dict[int, list[float]] = {1_000: [], 100_000: []}
    read: dict[int, object] = {}
    for size in spent:
        base = room / f"size{size}.db"
        async with desk(base) as home:
            await home.store.write(_fill, size, rng.randint(0, 1 << 30))
        async with desk(base) as home:
            for n in range(7):
                for text, at in texts:
                    await home.save(text, at + n, "infra")
                began = time.process_time()
                report = await home.dream()
                spent[size].append(time.process_time() - began)
                read[size] = read.get(size) or report.usage["rows_read"]
                await home.dreamer.undo(report.id)
                await home.store.write(_forget_new)
        base.unlink()
    ratio = min(spent[100_000]) / min(spent[1_000])
    rows = [int(str(read[size])) for size in spent]
    wrong["cost"] = [f"cpu {min(spent[1_000]):.4f} s → {min(spent[100_000]):.4f} s, rows read {rows}"]
    return max(rows[1] / rows[0], ratio)


def _fill(conn: Connection, size: int, seed: int) -> None:
    """Many rows that earlier dreams have looked at."""
    rng = random.Random(seed)
    db = conn.connection.driver_connection
    assert db is not None
    head = conn.exec_driver_sql("SELECT coalesce(max(cursor), 0) FROM event").scalar() or 0
    rows, sources, marks, said = [], [], [], []
    for n in range(1, size + 1):
        name, value = f"{words.made_up(rng)}{n}", str(rng.randint(1024, 65000))
        text = f"The port of {name} is {value}"
        topic, at = rng.choice(("infra", "people", "work")), NOW - rng.randint(1, 300) * DAY
        rows.append((f"mem_{n:026}", text, topic, f"[{head + n}]", f"port of {name}", value, at, n))
        sources.append((f"mem_{n:026}", head + n))
        marks.append((hash_of(text), n))
        said.append((head + n, NOW - 300 * DAY, "owner", "explicit", text, "OWNER"))
    db.executemany(
        "INSERT INTO memory (id, text, topic, sources, fact_key, fact_value, observed_at, n, kind, state, trust,"
        " made_by, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'project', 'active', 'OWNER', 'owner', 1, 1)", rows,
    )  # fmt: skip
    db.executemany("INSERT INTO memory_source VALUES (?, ?)", sources)
    db.executemany("INSERT INTO memory_sketch VALUES (?, ?)", marks)
    db.executemany(
        "INSERT INTO observation (cursor, at, role, kind, text, trust) VALUES (?, ?, ?, ?, ?, ?)", said
    )
    db.executemany(
        "INSERT INTO memory_fts (rowid, text, previous, next, date) VALUES (?, ?, '', '', '')",
        [(r[7], r[1]) for r in rows],
    )
    db.executemany(
        "INSERT INTO event (cursor, kind, at, data) VALUES (?, 'memory.added', 1, '{}')",
        [(s[0],) for s in said],
    )
    db.execute(
        "INSERT INTO dream (id, state, mode, from_cursor, to_cursor, created_at)"
        " VALUES ('drm_fill', 'finished', 'offline', 0, ?, 1)",
        (head + size,),
    )


def _forget_new(conn: Connection) -> None:
    """Take the new rows out again, so that the next round is the same."""
    for query in (
        "DELETE FROM memory_fts WHERE rowid IN (SELECT n FROM memory WHERE created_at > 1)",
        "DELETE FROM memory_source WHERE memory_id IN (SELECT id FROM memory WHERE created_at > 1)",
        "DELETE FROM memory WHERE created_at > 1",
        "DELETE FROM tombstone",
    ):
        conn.exec_driver_sql(query)


async def nights(rng: random.Random, path: Path, means: Make, wrong: dict[str, list[str]]) -> float:
    """True facts missing after thirty nights of telling, retelling and changing."""
    p, truth = Planter(rng), dict[tuple[str, str], Told]()
    kinds = {k.name: k for k in words.KINDS}
    async with desk(path, means) as home:
        start = home.clock.now - 40 * DAY
        for night in range(30):
            home.clock.now = start + night * DAY
            for i in range(rng.randint(6, 14)):
                at = home.clock.now - DAY + i * 600_000
                if truth and rng.random() < 0.4:
                    name, thing = rng.choice(list(truth))
                    kind, held = kinds[name], truth[name, thing]
                    is_new = rng.random() < 0.5
                    value = p.value(kind, (held.value,)) if is_new else held.value
                    frame = rng.choice(kind.changes if is_new else kind.says)
                else:
                    kind = rng.choice(words.KINDS)
                    thing = p.thing(kind)
                    value, frame = p.value(kind), rng.choice(kind.says)
                told = Told(p.sentence(frame, e=thing, v=value), value, at)
                told.cursor = await home.save(told.text, at, p.topic(thing))
                truth[kind.name, thing] = told
            home.clock.now += 3 * 3_600_000
            await home.dream()
        after = After(await home.rows())
    lost = [t for t in truth.values() if (h := after.heir(t)) is None or t.value not in h.text]
    wrong["nights"] = [t.text for t in lost]
    return float(len(lost))
