"""Recorded answers of real services become the right blocks, usage or error, however the network cuts them up.

Expected here are shapes and numbers, not the texts: those are compared with what the vendor's own SDK makes of the same
bytes (Anthropic) or with the plain concatenation of the deltas.
"""

import json
from dataclasses import dataclass

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from tests.fakes.replay import Answer, Asked, Cut, pieces_of, replaying, whole
from tests.unit.providers.asking import RECORDINGS, Said, anthropic, ask, needs_recordings, ollama, openai

from nightclaw.core.ports import ModelCall, Usage
from nightclaw.core.types import JSONObject
from nightclaw.providers.blocks import table

pytestmark = [pytest.mark.anyio, needs_recordings]

# id.interaction -> (stop reason, input, output, cache read, cache write, blocks) or the kind of the error. A block is
# its type, a tool call `name(argument names)`. ~: the service sent no usage, so it is estimated.
EXPECTED: dict[str, tuple[str, int, int, int, int, str] | str] = {
    "w001.0": ("tool_use", 563, 37, 0, 0, "fixed_version()"),
    "w001.1": ("end_turn", 617, 41, 0, 0, "text"),
    "w003.0": ("tool_use", 543, 40, 0, 0, "pelican_name_generator()"),
    "w005.0": ("tool_use", 506, 153, 0, 0, "text get_weather(location,unit) get_time(timezone)"),
    "w007.0": ("end_turn", 34, 44, 0, 0, "text thinking text"),
    "w009.0": ("end_turn", 46, 133, 0, 0, "thinking text"),
    "w011.0": ("end_turn", 92, 189, 0, 0, "redacted_thinking redacted_thinking text"),
    "w014.0": ("stop_sequence", 16, 28, 0, 0, "text"),
    "w016.0": ("end_turn", 17, 12, 0, 0, "text"),
    "w019.0": ("end_turn", 4, 187, 0, 1163, "text"),
    "w019.1": ("end_turn", 4, 202, 1163, 0, "text"),
    "w021.0": ("end_turn", 3, 406, 1111, 0, "text"),
    "w021.1": ("end_turn", 3, 33, 1111, 418, "text"),
    "w024.0": ("tool_use", 628, 50, 0, 0, "text country_source()"),
    "w024.1": ("tool_use", 691, 53, 0, 0, "capital_lookup(country)"),
    "w024.2": ("end_turn", 757, 6, 0, 0, "text"),
    "w026.0": ("tool_use", 423, 202, 0, 0, "text" + " retrieve_entity_info(name)" * 4),
    "w026.1": ("end_turn", 771, 77, 0, 0, "text"),
    "w029.0": "request",
    "w032.0": "server",  # an answer of another route (token counting): no message
    "w032.1": ("tool_use", 671, 55, 0, 0, "final_result(city,country)"),
    "w034.0": ("end_turn", 10423, 341, 0, 0, "server_tool_use web_search_tool_result" + " text" * 10),
    "w037.0": ("end_turn", 68, 359, 0, 0, "text"),
    "w039.0": ("tool_use", 57, 17, 0, 0, "llm_version()"),
    "w039.1": ("end_turn", 107, 15, 0, 0, "text"),
    "w041.0": ("tool_use~", 0, 0, 0, 0, "get_current_weather(location) get_current_weather(location)"),
    "w041.1": ("tool_use~", 0, 0, 0, 0, "get_current_weather(location) get_current_weather(location)"),
    "w043.0": ("tool_use", 53, 15, 0, 0, "get_capital(country)"),
    "w043.1": ("end_turn", 78, 9, 0, 0, "text"),
    "w045.0": "request",  # the Responses protocol, which this kind does not speak
    "w045.1": "request",
    "w045.2": "request",
    "w048.0": "model",
    "w050.0": "request",
    "w052.0": ("tool_use", 51, 116, 512, 0, "thinking text load_capability(id)"),
    "w052.1": ("tool_use", 875, 79, 0, 0, "thinking text get_player_name() roll_dice()"),
    "w052.2": ("end_turn", 80, 61, 896, 0, "thinking text"),
    "w054.0": "request",
    "w054.1": "request",
    "w056.0": "cut",  # the model's call was refused by the service: worth another try
    "w056.1": ("tool_use", 301, 52, 0, 0, "thinking get_something_by_name(name)"),
    "w056.2": ("end_turn", 80, 96, 256, 0, "thinking text"),
    "w058.0": "cut",
    "w058.1": ("tool_use", 254, 174, 0, 0, "thinking final_result(response)"),
    "w060.0": "request",  # "Token limit reached", said inside a stream that began with 200
    "w062.0": ("tool_use", 134, 43, 0, 0, "divide(denominator,numerator,on_inf)"),
    "w064.0": ("end_turn", 17, 63, 0, 0, "text"),
    "w066.0": ("end_turn", 172, 88, 0, 0, "thinking text"),
    "w068.0": ("end_turn", 136, 15, 0, 0, "thinking text"),
    "w070.0": ("tool_use", 210, 15, 0, 0, "weather()"),
    "w072.0": ("tool_use", 295, 22, 0, 0, "weather(location)"),
    "w074.0": ("tool_use~", 0, 0, 0, 0, "text read_file(path)"),
    "w075.0": ("tool_use", 565, 48, 0, 0, "text updateIssueList()"),
    "w077.0": ("end_turn", 60997, 3341, 0, 0, "compaction text"),  # two rounds were billed
    "w079.0": ("end_turn", 6, 198, 6289, 3337, "server_tool_use bash_code_execution_tool_result " * 2 + "text"),
    "w081.0": ("tool_use", 17, 65, 0, 0, "thinking test-tool(value)"),  # the service began anew: the first half is void
    "w083.0": ("refusal", 28, 106, 0, 0, "thinking text"),
    "w085.0": ("end_turn", 31, 547, 0, 0, "text"),
    "w087.0": ("end_turn", 30, 8, 0, 0, "compaction text"),
    "w089.0": ("end_turn", 25, 8, 0, 0, "fallback text"),
    "w091.0": ("refusal", 20, 0, 0, 0, ""),
    "w094.0": ("end_turn", 222, 14, 0, 0, "text"),
    "w097.0": "rate",
    "w097.1": "rate",
    "w097.2": ("end_turn", 135, 10, 0, 0, "text"),
    "w098.0": ("end_turn", 406, 50, 0, 0, "text"),
    "w101.0": ("tool_use", 656, 74, 0, 0, "get_weather(location,units)"),
    "w101.1": ("end_turn", 760, 63, 0, 0, "text"),
    "w103.0": ("tool_use", 656, 74, 0, 0, "get_weather(location,units)"),
    "w103.1": ("end_turn", 770, 38, 0, 0, "text"),
    "w105.0": ("tool_use", 617, 995, 0, 0, "text submit_analysis(summary)"),
    "w105.1": ("end_turn", 324, 486, 0, 0, "text"),
    "w107.0": ("tool_use", 656, 74, 0, 0, "get_weather(location,units)"),
    "w107.1": ("end_turn", 770, 25, 0, 0, "text"),
    "w109.0": ("tool_use", 659, 74, 0, 0, "get_weather(location,units)"),
    "w109.1": "request",
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    id: str
    kind: str
    status: int
    headers: dict[str, str]
    body: bytes

    def answer(self, pieces: Cut = whole) -> Answer:
        return Answer(self.body, self.status, self.headers, pieces)


def recordings() -> list[Recording]:
    found: list[Recording] = []
    lines = (RECORDINGS / "manifest.jsonl").read_text().splitlines() if RECORDINGS.is_dir() else []
    for line in lines:
        entry = json.loads(line)
        told = json.loads((RECORDINGS / entry["file"]).read_text())
        for n, one in enumerate(told["interactions"]):
            url = one["request"]["url"] if one["request"] else ""
            kind = "ollama" if "/api/chat" in url else "openai"
            if "api.anthropic.com" in url or entry["bucket"] == "fixture-anthropic":
                kind = "anthropic"
            said = one["response"]
            found.append(
                Recording(f"{entry['id']}.{n}", kind, said["status"], said["headers"], said["body"].encode())
            )
    return found


ALL = recordings()


ABLE = Answer.json({"capabilities": ["completion", "tools"], "model_info": {"x.context_length": 32768}})


async def played(recording: Recording, pieces: Cut = whole) -> Said:
    return (await all_played([recording], pieces))[0]


async def all_played(these: list[Recording], pieces: Cut = whole) -> list[Said]:
    """Every recording asked for once, over the connections of one provider a kind."""

    def answer(asked: Asked) -> Answer:
        return ABLE if asked.path == "/api/show" else now.answer(pieces)

    said: list[Said] = []
    async with replaying(by=answer) as server:
        providers = {
            "anthropic": anthropic(server.url),
            "openai": openai(server.url),
            "ollama": ollama(server.url),
        }
        for now in these:
            said.append(await ask(providers[now.kind], close=False))
        for provider in providers.values():
            await provider.aclose()
    return said


def shape_of(said: Said) -> str:
    shown: list[str] = []
    for block in said.content:
        names = ",".join(sorted(table(block.get("input"))))
        shown.append(f"{block['name']}({names})" if block["type"] == "tool_use" else str(block["type"]))
    return " ".join(shown)


def summary(said: Said) -> tuple[str, int, int, int, int, str] | str:
    if said.error is not None:
        return said.error.kind
    assert said.reply is not None
    u = said.reply.usage
    counted = (u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_tokens)
    return (said.reply.stop_reason, *counted, shape_of(said))


async def test_every_recording_is_expected() -> None:
    assert sorted(r.id for r in ALL) == sorted(EXPECTED)


@pytest.mark.parametrize("recording", ALL, ids=lambda r: r.id)
async def test_a_recording_gives_what_was_said(recording: Recording) -> None:
    said = await played(recording)
    expected = EXPECTED[recording.id]
    if isinstance(expected, tuple) and expected[0].endswith("~"):
        assert said.reply is not None
        assert said.reply.usage.input_tokens > 0 and said.reply.usage.output_tokens > 0
        assert (said.reply.stop_reason, shape_of(said)) == (expected[0][:-1], expected[5])
    else:
        assert summary(said) == expected
    calls = said.reply.calls if said.reply else said.error.calls if said.error else ()
    assert len(calls) == 1 and isinstance(calls[0], ModelCall)
    assert calls[0].sent_bytes > 50 and calls[0].to.startswith("127.0.0.1:")


@pytest.mark.parametrize("size", [1, 7, 997])
async def test_pieces_make_no_difference(size: int) -> None:
    """Cut inside characters, lines and fields, the answer is the same."""
    these = [r for r in ALL if len(r.body) <= 3_000 * size]
    for recording, together, apart in zip(
        these, await all_played(these), await all_played(these, pieces_of(size)), strict=True
    ):
        assert summary(apart) == summary(together), recording.id
        assert (apart.reply and apart.reply.content) == (together.reply and together.reply.content), (
            recording.id
        )
        assert apart.text == together.text


STREAMED = [r for r in ALL if r.kind == "anthropic" and r.body.startswith(b"event:")]
OTHERS = (
    "w081.0",
    "w087.0",
    "w089.0",
    "w077.0",
    "w091.0",
)  # what the SDK has no words for, or sees differently


@pytest.mark.parametrize("recording", [r for r in STREAMED if r.id not in OTHERS], ids=lambda r: r.id)
async def test_blocks_are_those_of_the_vendors_own_sdk(recording: Recording) -> None:
    """Texts, thinking, signatures, citations and tool input to the last byte."""
    snapshot, buffers = None, {}
    for line in recording.body.decode().split("\n"):
        if line.startswith("data:") and '"ping"' not in line[:30]:
            snapshot = accumulate_event(
                event=json.loads(line[5:]), current_snapshot=snapshot, json_bufs=buffers
            )
    assert snapshot is not None
    said = await played(recording)
    theirs: list[JSONObject] = [block.model_dump(exclude_unset=True) for block in snapshot.content]
    assert [_plain(b) for b in said.content] == [_plain(b) for b in theirs]
    assert said.text == "".join(str(b["text"]) for b in theirs if b["type"] == "text")
    assert said.thinking == "".join(str(b["thinking"]) for b in theirs if b["type"] == "thinking")


def _plain(block: JSONObject) -> JSONObject:
    return {key: value for key, value in block.items() if value is not None and key != "parsed_output"}


async def test_deltas_of_a_completion_are_its_text() -> None:
    streamed = [
        r
        for r in ALL
        if r.kind == "openai" and r.body.startswith(b"data:") and isinstance(EXPECTED[r.id], tuple)
    ]
    assert len(streamed) >= 8
    for recording in streamed:
        said = await played(recording)
        text = ""
        for line in recording.body.decode().split("\n"):
            if line.startswith("data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content") or ""
        assert said.text == text == "".join(str(b.get("text", "")) for b in said.content)


async def test_a_stream_that_begins_anew_voids_what_was_seen() -> None:
    recording = next(r for r in ALL if r.id == "w081.0")
    said = await played(recording)
    assert len(said.restarts) == 1
    assert said.thinking == "Let me call the tool."
    assert [call["id"] for call in said.calls] == ["toolu_second"]


async def test_a_cost_that_a_service_reports_is_kept() -> None:
    said = await played(next(r for r in ALL if r.id == "w039.0"))
    assert said.reply is not None and said.reply.usage == Usage(57, 17, cost_usd=0.00007159)


async def test_overloads_quoted_in_issues_are_overloads() -> None:
    for line in (RECORDINGS / "overloaded-from-issues.jsonl").read_text().splitlines():
        told = json.loads(line)
        kind = "application/json" if "status" in told else "text/event-stream"
        answer = Answer(told["body"].encode(), told.get("status", 200), {"content-type": kind}, ends="reset")
        async with replaying(answer) as server:
            said = await ask(anthropic(server.url))
        assert said.error is not None and said.kind == "overloaded" and said.error.may_pass, told["id"]
