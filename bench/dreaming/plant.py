"""What is planted in a home before a dream, and what should be found after it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from bench.dreaming import words
from bench.dreaming.desk import DAY, NOW, Desk
from bench.dreaming.words import Kind

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust

TOPICS = ("infra", "people", "work", "house", "product")


@dataclass
class Told:
    """One thing told: its words, what it says, and the cursor it was told under (None: it was refused)."""

    text: str
    value: str
    at: int
    cursor: int | None = None


Tell = Callable[[str, str, int, str], Told]
"""(text, value, at, thing) → what is going to be told."""


@dataclass
class Planted:
    doubles: list[list[Told]] = field(default_factory=list)
    changed: list[tuple[list[Told], Told]] = field(default_factory=list)
    alone: list[Told] = field(default_factory=list)
    near: list[Told] = field(default_factory=list)
    stale: list[Told] = field(default_factory=list)
    dated: list[Told] = field(default_factory=list)
    junk: list[Told] = field(default_factory=list)


class Planter:
    """Draws names and values nobody has seen, and tells them in an order that is not the order of time."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._used: set[str] = set()
        self._topic: dict[str, str] = {}

    def name(self) -> str:
        while (made := words.made_up(self.rng)) in self._used:
            pass
        self._used.add(made)
        return self.rng.choice((made, f"{made}-{self.rng.choice(('api', 'web', 'sync', 'core'))}", made))

    def person(self) -> str:
        first = self.rng.choice(words.FIRST)
        return first if self.rng.random() < 0.4 else f"{first} {words.made_up(self.rng).title()}"

    def thing(self, kind: Kind) -> str:
        if kind.name == "home":
            return f"{self.rng.choice(words.FIRST)} {words.made_up(self.rng).title()}"
        if kind.name == "tool":
            free = [p for p in words.PURPOSES if p not in self._used]
            found = self.rng.choice(free) if free else f"{self.name()} {self.rng.choice(words.PURPOSES)}"
            self._used.add(found)
            return found
        return self.name()

    def value(self, kind: Kind, not_these: tuple[str, ...] = ()) -> str:
        rng = self.rng
        while True:
            made = {
                "port": lambda: str(rng.randint(1024, 65000)),
                "owner": self.person,
                "place": lambda: (
                    f"/{rng.choice(('etc', 'srv', 'opt'))}/{words.made_up(rng)}/{words.made_up(rng)}.toml"
                ),
                "version": lambda: f"{rng.randint(1, 20)}.{rng.randint(0, 30)}",
                "timeout": lambda: str(rng.randint(2, 600)),
                "meeting": lambda: f"{rng.randint(8, 17)}:{rng.choice(('00', '15', '30', '45'))}",
                "home": lambda: rng.choice(words.CITIES),
                "command": lambda: (
                    f"{rng.choice(('make', 'just', 'npm run', 'tox -e'))} {words.made_up(rng)}"
                ),
                "tool": lambda: words.made_up(rng).title(),
                "date": lambda: str(date(2027, 1, 1) + timedelta(days=rng.randint(0, 700))),
            }[kind.name]()
            if made not in not_these:
                return made

    def sentence(self, frame: str, **names: str) -> str:
        made = frame.format(**names)
        if self.rng.random() < 0.15:
            made += "."
        if self.rng.random() < 0.15 and not made[0].isupper():
            made = made[0].upper() + made[1:]
        return made

    def topic(self, thing: str) -> str:
        return self._topic.setdefault(thing, self.rng.choice(TOPICS))

    def day(self, ago: int) -> int:
        return NOW - ago * DAY - self.rng.randint(0, DAY - 1)


async def plant(desk: Desk, rng: random.Random) -> Planted:
    """Tell a home a mixture of all there is, half saved outright, some of it only said in a chat."""
    p, out, todo = Planter(rng), Planted(), list[tuple[Told, str]]()

    def tell(text: str, value: str, at: int, thing: str) -> Told:
        told = Told(text, value, at)
        todo.append((told, p.topic(thing)))
        return told

    for kind in words.KINDS:
        for _ in range(3):
            thing, value = p.thing(kind), p.value(kind)
            frames = rng.sample(kind.says, rng.randint(2, 4))
            at = rng.randint(20, 90)
            out.doubles.append(
                [
                    tell(p.sentence(f, e=thing, v=value), value, p.day(at - i), thing)
                    for i, f in enumerate(frames)
                ]
            )
        for _ in range(3):
            thing = p.thing(kind)
            old = p.value(kind)
            new = p.value(kind, (old,))
            before = [
                tell(p.sentence(f, e=thing, v=old), old, p.day(rng.randint(40, 90)), thing)
                for f in rng.sample(kind.says, rng.randint(1, 2))
            ]
            frame = rng.choice(kind.changes if rng.random() < 0.8 else kind.says)
            out.changed.append(
                (before, tell(p.sentence(frame, e=thing, v=new), new, p.day(rng.randint(1, 30)), thing))
            )
    for frames in words.SAME:
        names = _names(p)
        at = rng.randint(10, 60)
        chosen = rng.sample(frames, rng.randint(2, len(frames)))
        out.doubles.append(
            [tell(p.sentence(f, **names), "", p.day(at - i), names["s"]) for i, f in enumerate(chosen)]
        )
    for frame in words.ALONE:
        names = _names(p)
        out.alone.append(tell(p.sentence(frame, **names), "", p.day(rng.randint(1, 90)), names["s"]))
    _plant_near(p, out, tell)
    _plant_dated(p, out, tell)
    rng.shuffle(todo)
    for told, topic in todo:
        await _tell(desk, rng, told, topic)
    await _plant_junk(desk, p, out)
    return out


async def _tell(desk: Desk, rng: random.Random, told: Told, topic: str) -> None:
    way = rng.random()
    if way < 0.7:
        told.cursor = await desk.save(told.text, told.at, topic)
    else:
        told.cursor = await desk.save(told.text, told.at, topic, Trust.OWNER, MemoryState.CANDIDATE)


def _names(p: Planter) -> dict[str, str]:
    return {
        "p": p.person(), "q": p.person(), "s": p.name(), "t": p.name(), "f": p.rng.choice(words.FOODS),
        "h": p.rng.choice(words.HOBBIES), "c": p.rng.choice(words.CITIES), "v": str(p.rng.randint(1000, 9999)),
    }  # fmt: skip


def _plant_near(p: Planter, out: Planted, tell: Tell) -> None:
    """Things that look alike and are two: none of them may give way to another."""
    for kind in words.KINDS:
        base = p.name() if kind.name not in ("home", "tool") else p.thing(kind)
        others = {
            "home": f"{base} Junior", "tool": f"internal {base}",
        }.get(kind.name, p.rng.choice((f"{base}-gateway", f"{base}-2", f"{base}x", f"{base} staging")))  # fmt: skip
        value = p.value(kind)
        other = value if p.rng.random() < 0.5 else p.value(kind, (value,))
        frame = p.rng.choice(kind.says)
        for thing, v in ((base, value), (others, other)):
            out.near.append(tell(p.sentence(frame, e=thing, v=v), v, p.day(p.rng.randint(1, 90)), base))
    for frames in words.SAME:
        names = _names(p)
        for changes in ({}, {"s": p.name(), "p": p.person()}):
            made = names | changes
            out.near.append(
                tell(p.sentence(p.rng.choice(frames), **made), "", p.day(p.rng.randint(1, 90)), names["s"])
            )


def _plant_dated(p: Planter, out: Planted, tell: Tell) -> None:
    rng = p.rng
    for frame in words.STALE:
        names = _names(p)
        past = datetime.fromtimestamp(NOW / 1000, UTC).date() - timedelta(days=rng.randint(2, 30))
        said = p.day(rng.randint(35, 60))
        shown = rng.choice((past.isoformat(), f"{past.day} {past:%B %Y}", f"{past.day} {past:%B}"))
        out.stale.append(tell(p.sentence(frame, **names, past=shown), "", said, names["s"]))
    for frame in words.STALE_SAID:
        names = _names(p)
        out.stale.append(tell(p.sentence(frame, **names), "", p.day(rng.randint(20, 60)), names["s"]))
    for frame, days in words.RELATIVE:
        names, at = _names(p), p.day(rng.randint(1, 60))
        due = datetime.fromtimestamp(at / 1000, UTC).date() + timedelta(days=days)
        out.dated.append(tell(p.sentence(frame, **names), due.isoformat(), at, names["s"]))
    for frame, way in words.WEEKDAYS:
        names, at = _names(p), p.day(rng.randint(1, 60))
        said = datetime.fromtimestamp(at / 1000, UTC).date()
        due = said + timedelta(days=way * rng.randint(1, 7))
        out.dated.append(tell(p.sentence(frame, **names, d=f"{due:%A}"), due.isoformat(), at, names["s"]))


async def _plant_junk(desk: Desk, p: Planter, out: Planted) -> None:
    for texts, trust in (
        (words.JUNK, Trust.REPO),
        (words.SECRETS, Trust.REPO),
        (words.INJECTED, Trust.WORLD),
    ):
        for text in texts:
            told = Told(p.sentence(text, **_names(p)), "", p.day(3))
            told.cursor = await desk.save(told.text, told.at, "junk", trust, MemoryState.CANDIDATE)
            heard = Told(told.text, "", told.at)
            role = "world" if trust is Trust.WORLD else "owner"
            heard.cursor = await desk.say(
                told.text if role == "world" else f"Look:\n{told.text}", told.at, "junk", role,
                trust if role == "world" else Trust.OWNER, "signal" if role == "world" else "turn",
            )  # fmt: skip
            out.junk += [told, heard]
