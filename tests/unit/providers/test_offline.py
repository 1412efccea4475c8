"""Without a model a chat gets what the records have, or what the daemon is for, and how to add a model."""

import pytest

from nightclaw.core.ports import ModelRequest, Reply
from nightclaw.core.types import JSON
from nightclaw.providers import offline
from nightclaw.providers.offline import Glance

pytestmark = pytest.mark.anyio
FOUND = "20 Nov 08:00 octo/app#5 labeled by octocat (sig_1)"


async def _answer(question: str, found: list[str], *before: str) -> str:
    async def look(words: str) -> Glance:
        assert words == question
        return Glance(status=["up for 3 min; 0 signals wait"], recent=[], found=found)

    blocks: list[JSON] = [{"type": "text", "text": text} for text in (*before, question)]
    request = ModelRequest(model="offline", system="", messages=[{"role": "user", "content": blocks}])
    *_, last = [piece async for piece in offline.build({}, {"look": look}).stream(request)]
    assert isinstance(last, Reply)
    return str(last.content[0]["text"])


@pytest.mark.parametrize("question", ["what can you do?", "Help", "hello", " Who are you? "])
async def test_asked_what_it_is_it_says_what_it_does_and_how_to_add_a_model(question: str) -> None:
    said = await _answer(question, [FOUND])
    assert "`clawctl why ID`" in said and "`clawctl init`" in said and "nothing in memory" not in said


async def test_the_time_and_place_before_a_question_are_no_part_of_it() -> None:
    opening = "Now: Friday 2026-11-20 08:00 UTC.\nDirectory: /home/u (not a repository)."
    assert "`clawctl why ID`" in await _answer("what can you do?", [], opening)


async def test_any_other_question_is_looked_up() -> None:
    assert FOUND in await _answer("what about octo/app#5?", [FOUND])
    assert "nothing in memory" in await _answer("what can you do about issue 7?", [])


async def test_asked_to_forget_it_says_how() -> None:
    async def look(_: str) -> Glance:
        return Glance(status=[], recent=[], found=[], known=["The wheel is in the boot (mem_1)"])

    message: dict[str, JSON] = {"role": "user", "content": "Please forget where the wheel is"}
    request = ModelRequest(model="offline", system="", messages=[message])
    *_, last = [piece async for piece in offline.build({}, {"look": look}).stream(request)]
    assert isinstance(last, Reply)
    said = str(last.content[0]["text"])
    assert "The wheel is in the boot (mem_1)" in said and "`clawctl memory forget ID`" in said
