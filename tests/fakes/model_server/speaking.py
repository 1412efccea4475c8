"""One reply on its way out: what a turn says becomes events, and its fault, pace and gates happen to them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fakes.model_server import anthropic_wire, openai_wire
from tests.fakes.model_server.asked import Asked, Call
from tests.fakes.model_server.door import Answer
from tests.fakes.model_server.events import Event, made_up
from tests.fakes.model_server.turns import (
    Block,
    Body,
    Cut,
    ErrorEvent,
    Garbled,
    Redacted,
    Refused,
    Silence,
    Thinking,
    ToolUse,
    Turn,
)

_LAST = {"message_stop", "finish"}  # with this event a reader has all of a reply


class Ended(Exception):
    """The reply is over before its end, as planned."""


def with_ids(turn: Turn, asked: Asked, seed: str) -> tuple[Block, ...]:
    """The blocks as they are spoken: ids and signatures filled in, the same in every run."""
    prefix, size = ("toolu_01", 22) if asked.protocol == "anthropic" else ("call_", 24)
    named: list[Block] = []
    for n, block in enumerate(turn.blocks):
        match block:
            case ToolUse(id=""):
                named.append(replace(block, id=prefix + made_up(f"tool {seed}/{n}", size)))
            case Thinking(text, ""):
                named.append(Thinking(text, f"Ev{made_up(f'signature {seed}/{n} {text}', 90)}GAE="))
            case Redacted(""):
                named.append(Redacted(made_up(f"redacted {seed}/{n}", 120)))
            case _:
                named.append(block)
    return tuple(named)


def as_spoken(refused: Refused, protocol: str) -> Refused:
    """The two services give some refusals different numbers."""
    if protocol == "openai" and refused.body is None:
        if refused.code == "insufficient_quota":
            return replace(refused, status=429)
        if refused.status == 529:
            return replace(refused, status=503)
    return refused


async def refuse(answer: Answer, asked_as: str, refused: Refused, seed: str) -> None:
    """asked_as: the protocol; an error comes before anything was read as a turn too."""
    if refused.body is not None:
        await answer.whole(refused.status, {"content-type": refused.content_type}, refused.body)
        return
    of_anthropic = asked_as == "anthropic"
    wire = anthropic_wire.headers if of_anthropic else openai_wire.headers
    body = anthropic_wire.error(refused, seed) if of_anthropic else openai_wire.error(refused)
    headers = {**wire(seed, refused.status), **refused.headers}
    await answer.whole(refused.status, {"content-type": "application/json", **headers}, encoded(body))


async def speak(
    answer: Answer, call: Call, turn: Turn, seed: str, on_whole: Callable[[], None] = lambda: None
) -> None:
    """Sets `call.is_whole` when all that a reader needs to act on leaves, and is sound; then, just before the bytes
    do, `on_whole` is called: what a reader does next must find it done."""

    def enough() -> None:
        if _is_sound(turn):
            call.is_whole = True
            on_whole()

    asked = call.asked
    wire = anthropic_wire if asked.protocol == "anthropic" else openai_wire
    headers = dict(wire.headers(seed, 200))
    if isinstance(turn.fault, Cut):
        headers["connection"] = "close"  # or a client would take the connection for its next request
    out = _Out(answer, turn, enough)
    try:
        if isinstance(turn.fault, Silence) and turn.fault.after == "request":
            await answer.during(turn.fault.gate.wait())
        if asked.stream:
            await _stream(answer, out, call, turn, seed, headers)
        else:
            await _whole(answer, out, call, turn, seed, headers)
    except Ended:
        pass
    finally:
        call.sent_bytes = answer.sent


async def _stream(
    answer: Answer, out: "_Out", call: Call, turn: Turn, seed: str, headers: dict[str, str]
) -> None:
    await answer.start(200, {"content-type": "text/event-stream; charset=utf-8", **headers})
    if isinstance(turn.fault, Silence) and turn.fault.after == "headers":
        await answer.during(turn.fault.gate.wait())
    for n, event in enumerate(_events(call, turn, seed)):
        await out.before(n)
        if isinstance(turn.fault, ErrorEvent) and n == turn.fault.after:
            await out.write(_error_event(call.asked, turn.fault, seed))
            break
        await out.write(turn.insert.get(n, b"") + _garbled(event, n, turn), ends=event.name in _LAST)
    await out.close()
    await answer.end()


async def _whole(
    answer: Answer, out: "_Out", call: Call, turn: Turn, seed: str, headers: dict[str, str]
) -> None:
    asked = call.asked
    wire = anthropic_wire if asked.protocol == "anthropic" else openai_wire
    data = encoded(wire.reply(turn, call.blocks, call.usage, asked.model, seed))
    if isinstance(turn.fault, Garbled):
        data = turn.fault.data
    await answer.start(200, {"content-type": "application/json", **headers, "content-length": str(len(data))})
    await out.before(0)
    if isinstance(turn.fault, Silence) and turn.fault.after != "request":
        await answer.during(turn.fault.gate.wait())
    await out.write(data, ends=True)
    await out.close()


def encoded(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def whole_stream(call: Call, turn: Turn, seed: str) -> bytes:
    """All bytes of a streamed reply, for tests that cut it everywhere."""
    return b"".join(event.wire for event in _events(call, turn, seed))


def _events(call: Call, turn: Turn, seed: str) -> Iterator[Event]:
    asked = call.asked
    if asked.protocol == "anthropic":
        found = anthropic_wire.events(turn, call.blocks, call.usage, asked.model, seed)
    else:
        options = asked.body.get("stream_options")
        with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        found = openai_wire.events(turn, call.blocks, call.usage, asked.model, seed, with_usage)
    return (event for event in found if event.name not in turn.drop)


def _error_event(asked: Asked, fault: ErrorEvent, seed: str) -> bytes:
    wire = anthropic_wire if asked.protocol == "anthropic" else openai_wire
    return wire.error_event(fault, seed)


def _garbled(event: Event, n: int, turn: Turn) -> bytes:
    if not isinstance(turn.fault, Garbled) or n != turn.fault.event:
        return event.wire
    head, _, _ = event.wire.partition(b"data: ")
    return head + b"data: " + turn.fault.data + b"\n\n"


def _is_sound(turn: Turn) -> bool:
    """Whether a reader may act on what it read to the end."""
    needed = {"message_start", "content_block_start", "content_block_stop", "message_delta"}
    return not isinstance(turn.fault, Garbled | ErrorEvent) and not turn.drop & needed


class _Out:
    """Puts events on the wire in writes of the planned sizes, and ends where the fault says."""

    def __init__(self, answer: Answer, turn: Turn, enough: Callable[[], None]) -> None:
        self._answer = answer
        self._turn = turn
        self._when_enough = enough
        self._held = b""
        self._writes = 0
        self._planned = 0
        self._enough: int | None = None

    async def before(self, n: int) -> None:
        gate = self._turn.pace.gates.get(n)
        fault = self._turn.fault
        if isinstance(fault, Silence) and fault.after == n:
            gate = fault.gate
        if gate is not None:
            await self.flush()
            await self._answer.during(gate.wait())

    async def write(self, data: bytes, ends: bool = False) -> None:
        """ends: with these bytes a reader has the whole reply."""
        self._planned += len(data)
        if ends:
            self._enough = self._planned
        sizes = self._turn.pace.writes
        if not sizes:
            await self._send(data)
            return
        self._held += data
        while len(self._held) >= (size := max(sizes[self._writes % len(sizes)], 1)):
            self._writes += 1
            piece, self._held = self._held[:size], self._held[size:]
            await self._send(piece)

    async def flush(self) -> None:
        held, self._held = self._held, b""
        await self._send(held)

    async def close(self) -> None:
        """A cut beyond the end takes the end of the body alone."""
        await self.flush()
        if isinstance(self._turn.fault, Cut):
            await self._cut(self._turn.fault)

    async def _send(self, data: bytes) -> None:
        fault = self._turn.fault
        if isinstance(fault, Cut) and self._answer.sent + len(data) > fault.at:
            await self._write(data[: fault.at - self._answer.sent])
            await self._cut(fault)
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        if self._enough is not None and self._answer.sent + len(data) >= self._enough:
            self._enough = None
            self._when_enough()
        await self._answer.write(data)

    async def _cut(self, fault: Cut) -> None:
        if fault.manner == "clean":
            await self._answer.end()
        await self._answer.cut(reset=fault.manner == "reset")
        raise Ended
