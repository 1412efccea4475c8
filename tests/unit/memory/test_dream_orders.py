"""What holds after all has been told depends on when it was seen to hold: not on what arrived first, nor on where the
nights fell. Nothing distinct is lost on the way, and a night with nothing new changes nothing."""

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.memory.nights import TZ, Night, ms, night

from nightclaw.memory import capture, dates
from nightclaw.memory.offer import Wanted
from nightclaw.store.db import Connection

pytestmark = pytest.mark.anyio
HOUR = 3_600_000
CASES = [json.loads(line) for line in (Path(__file__).parent / "wordings.jsonl").read_text().splitlines()]
PAIRS = [c for c in CASES if c["kind"] in ("supersede", "retract", "distinct", "near")]
WORDS = [set(re.findall(r"[a-z]{4,}", f"{c['first']} {c['then']}".lower())) for c in PAIRS]
Told = Sequence[tuple[str, int]]


def dated(said: Sequence[str]) -> list[tuple[str, int]]:
    return [(text, ms("2026-05-01") + i * HOUR) for i, text in enumerate(said)]


def statements(seed: int) -> list[str]:
    """Things said by people who speak of nearly the same, each before it is said anew, taken back or told apart."""
    rng = random.Random(seed)
    like = rng.randrange(len(PAIRS))
    near = sorted(range(len(PAIRS)), key=lambda i: (-len(WORDS[like] & WORDS[i]), i))[:12]
    chosen = [PAIRS[i] for i in rng.sample(near, 7)]
    return [c["first"] for c in chosen] + [c["then"] for c in chosen]


async def tell(home: Night, told: Told) -> None:
    def keep(conn: Connection) -> None:
        for text, at in told:
            capture.owner_adds(conn, Wanted(text, observed_at=at), home.clock.now_ms(), TZ)

    await home.store.write(keep)


async def held(path: Path, told: Told, nights: Sequence[int] = ()) -> list[str]:
    """What is live after all was told, in this order, with a dream after these numbers of them and one at the end."""
    async with night(path) as home:
        begun = 0
        for end in sorted({*nights, len(told)}):
            await tell(home, told[begun:end])
            await home.dream()
            begun = end
        before = await home.picture()
        await home.dream()
        assert await home.picture() == before, "a night with nothing new"
        return sorted(m.text.rstrip(" .") for m in await home.rows("active", "candidate"))


@pytest.mark.parametrize("seed", range(24))
async def test_neither_the_order_of_arrival_nor_the_nights_matter(tmp_path: Path, seed: int) -> None:
    told, rng = dated(statements(seed)), random.Random(seed)
    wanted = await held(tmp_path / "told.db", told)
    for n in range(3):
        order = rng.sample(told, len(told))
        nights = rng.sample(range(1, len(told)), rng.randint(0, 3))
        found = await held(tmp_path / f"{n}.db", order, nights)
        assert found == wanted, f"{[text for text, _ in order]} with nights after {sorted(nights)}"


LINES = {
    "an end of what was said without its key": [
        "Sessions are stored in Redis.",
        "We no longer use Redis for sessions.",
    ],
    "an end of what gave way long ago": [
        "For time tracking we use Toggl",
        "We rely on Clockify for time tracking",
        "We do not use Clockify for time tracking any more",
    ],
    "a version that only an older one knows": [
        "We upgraded Staging db to Postgres 16.",
        "The staging database runs PostgreSQL 16.",
        "Staging db runs Postgres 17.",
    ],
    "words that stand in what gave way alone": [
        "We get our feature flags from Unleash now instead of LaunchDarkly.",
        "Feature flags come from LaunchDarkly.",
        "Unleash is our choice for feature flags now.",
    ],
    "one that ends two at once": [
        "We release from the branch develop.",
        "We cut releases from main.",
        "Releases are cut from main nowadays, not from develop.",
    ],
    "an end and a beginning in one": [
        "Answer me in English.",
        "Always answer me in German.",
        "From now on answer me in English, please, no more German.",
    ],
}


@pytest.mark.parametrize("name", LINES)
async def test_the_last_word_holds_in_whatever_order_the_words_came(tmp_path: Path, name: str) -> None:
    told = dated(LINES[name])
    orders = [told, told[::-1], [told[-1], *told[:-1]], [*told[1:], told[0]]]
    for n, order in enumerate(orders):
        for nights in ((), (1,), range(1, len(told))):
            found = await held(tmp_path / f"{n}-{len(nights)}.db", order, nights)
            assert found == [LINES[name][-1].rstrip(" .")], [text for text, _ in order]


async def test_what_only_looks_alike_is_all_there_after_many_nights(tmp_path: Path) -> None:
    apart = [c for c in CASES if c["kind"] == "distinct"]
    rng = random.Random(7)
    for n in range(20):
        like = rng.choice(apart)
        mates = [c for c in apart if c["first"].split()[0] != like["first"].split()[0]]
        pair = [like["first"], like["then"]]
        others = [t for c in rng.sample(mates, 3) for t in (c["first"], c["then"])]
        told = dated(rng.sample(pair + others, 8))
        found = await held(tmp_path / f"{n}.db", told, (2, 5))
        assert {dates.absolute(t, at, TZ).rstrip(" .") for t, at in told if t in pair} <= set(found)
