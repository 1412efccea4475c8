"""A model service on loopback that speaks Anthropic Messages and OpenAI chat completions from scripts and policies.

It answers as the real services do, checks every request as strictly as they do and more, counts tokens, caches and
dollars, and fails on the wire in every way a script names. What was asked beyond the script is in `failures`, what
no request may be in `violations`; `check` raises on either. Lanes, turns and gates may be set from any thread.
"""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.fakes.model_server import anthropic_wire, openai_wire
from tests.fakes.model_server.asked import Asked, Call, read
from tests.fakes.model_server.checks import Checks, Rules, Violation
from tests.fakes.model_server.door import Answer, ClientLeft, Door, Request
from tests.fakes.model_server.lanes import Lane, Lanes, Policy, Unscripted
from tests.fakes.model_server.reporting import report
from tests.fakes.model_server.speaking import as_spoken, encoded, refuse, speak, with_ids
from tests.fakes.model_server.tokens import PromptCache, price_of, said_tokens, segments, tools_tokens
from tests.fakes.model_server.turns import Body, Refused, Spent, Turn

_MOST_BODY = 32 * 1024 * 1024
_LANE = re.compile(r"/lane/([\w.-]+)(/.*)")


class ModelServer:
    """Use as a context manager, or `open` and `close`. `calls`: every model call, in order."""

    def __init__(
        self,
        *,
        key: str | None = None,
        models: tuple[str, ...] = ("claude-sonnet-4-6", "claude-haiku-4-5", "gpt-4o-mini"),
        canaries: set[str] | None = None,
        context_tokens: int = 200_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """key: required of every request when given. now: seconds; the prompt caches age by it."""
        self.key = key
        self.models = list(models)
        self.context_tokens = context_tokens
        self.calls: list[Call] = []
        self.failures: list[str] = []
        self.violations: list[Violation] = []
        self.checks = Checks(canaries if canaries is not None else set())
        self._lanes = Lanes()
        self._cache = PromptCache(now)
        self._door = Door(self._handle)
        self._changed = threading.Condition()

    def __enter__(self) -> "ModelServer":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, port: int = 0) -> "ModelServer":
        self._door.open(port)
        return self

    def close(self) -> None:
        self._door.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._door.port}"

    def anthropic_url(self, lane: str | None = None) -> str:
        return self.url if lane is None else f"{self.url}/lane/{lane}"

    def openai_url(self, lane: str | None = None) -> str:
        return f"{self.anthropic_url(lane)}/v1"

    def env(self, lane: str | None = None) -> dict[str, str]:
        """What a child needs in its environment to talk to this server."""
        key = self.key or "test-key"
        return {
            "ANTHROPIC_API_KEY": key,
            "ANTHROPIC_BASE_URL": self.anthropic_url(lane),
            "OPENAI_API_KEY": key,
            "OPENAI_BASE_URL": self.openai_url(lane),
        }

    def lane(
        self, name: str = "default", *, when: str | None = None, model: str | None = None, **rules: Any
    ) -> Lane:
        """The lane of this name, made when new. when: a pattern that leads requests here. rules: fields of Rules."""
        lane = self._lanes.by_name.get(name) or self._lanes.add(Lane(name))
        lane.when = re.compile(when) if when is not None else lane.when
        lane.model = model if model is not None else lane.model
        if rules:
            lane.rules = Rules(**rules)
        return lane

    def script(self, *turns: Turn) -> Lane:
        return self.lane().script(*turns)

    def policy(self, answers: Policy) -> Lane:
        return self.lane().policy(answers)

    def check(self, *, unplayed: bool = False) -> None:
        """Raises AssertionError on failures, violations and, unless told, turns nobody asked for."""
        found = [f"failure: {one}" for one in self.failures]
        found += [f"violation [{v.rule}] call {v.call} in {v.lane}: {v.text}" for v in self.violations]
        if not unplayed:
            found += [f"unplayed: {n} turns of {lane}" for lane, n in self._lanes.unplayed().items()]
        if found:
            raise AssertionError("\n".join(found))

    def report(self) -> Body:
        """Sums of everything so far, over all and by lane; plain JSON."""
        with self._changed:
            return report(self.calls, self.failures, self.violations, self._lanes.unplayed())

    def wait_for(self, holds: Callable[["ModelServer"], object], timeout_s: float = 10.0) -> None:
        """Returns as soon as `holds(self)`; looked at after every call and its end."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self), timeout_s):
                raise TimeoutError(f"not so within {timeout_s} s; {len(self.calls)} calls came")

    def wait_for_calls(self, count: int, timeout_s: float = 10.0) -> None:
        self.wait_for(lambda server: len(server.calls) >= count, timeout_s)

    async def _handle(self, request: Request, answer: Answer) -> None:
        matched = _LANE.fullmatch(request.path)
        of_path, path = (matched[1], matched[2]) if matched else (None, request.path)
        spoken = "openai" if path == "/v1/chat/completions" else "anthropic"
        if path == "/v1/models" and "anthropic-version" not in request.headers:
            spoken = "openai"
        early = self._early(request, path)
        if early is not None:
            await refuse(answer, spoken, early, f"early {len(self.calls)}")
        elif path == "/report":
            await answer.whole(200, {"content-type": "application/json"}, encoded(self.report()))
        elif path == "/v1/models":
            wire = openai_wire if spoken == "openai" else anthropic_wire
            await answer.whole(200, {"content-type": "application/json"}, encoded(wire.models(self.models)))
        else:
            await self._model_call(request, answer, path, of_path)

    def _early(self, request: Request, path: str) -> Refused | None:
        """What is refused before anything is read as a model call."""
        posts = ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions")
        if path not in (*posts, "/v1/models", "/report") or (path in posts) != (request.method == "POST"):
            return Refused(404, "not_found_error", f"{request.method} {path} is not known here")
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix(
            "Bearer "
        )
        if self.key is not None and path != "/report" and given != self.key:
            return Refused(401, "authentication_error", "invalid x-api-key", code="invalid_api_key")
        if len(request.body) > _MOST_BODY:
            return Refused(413, "request_too_large", "Request exceeds the maximum size")
        return None

    async def _model_call(self, request: Request, answer: Answer, path: str, of_path: str | None) -> None:
        protocol = "openai" if path.endswith("completions") else "anthropic"
        number = len(self.calls) + 1
        seed = f"call {number}"
        try:
            asked = read(number, of_path or "default", protocol, path, request.headers, request.body)
        except ValueError as e:
            self._fail(f"call {number}: the body cannot be read: {e}")
            await refuse(answer, protocol, Refused(400, "invalid_request_error", f"invalid JSON: {e}"), seed)
            return
        lane = self._lanes.find(asked, of_path)
        asked = Asked(**{**vars(asked), "lane": lane.name})
        if path.endswith("count_tokens"):
            count = sum(part.tokens for part in segments(asked))
            await answer.whole(200, {"content-type": "application/json"}, encoded({"input_tokens": count}))
            return
        call = Call(asked, tools_tokens=tools_tokens(asked))
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
        try:
            await self._answer(call, lane, answer, seed)
        except ClientLeft:
            call.client_left = True
            call.sent_bytes = answer.sent
            raise
        finally:
            with self._changed:
                self._changed.notify_all()

    async def _answer(self, call: Call, lane: Lane, answer: Answer, seed: str) -> None:
        turn = self._turn(call, lane)
        refused = turn if isinstance(turn, Refused) else turn.fault
        if isinstance(turn, Turn):
            call.turn = turn
        if isinstance(refused, Refused):
            refused = as_spoken(refused, call.asked.protocol)
            call.status = refused.status
            await refuse(answer, call.asked.protocol, refused, seed)
            return
        assert isinstance(turn, Turn)
        call.blocks = with_ids(turn, call.asked, seed)
        call.usage = self._usage(call, turn)
        call.cost_usd = price_of(call.asked.model).of(call.usage)
        call.status = 200
        self.checks.said(call.asked, call.blocks, whole=False)
        await speak(answer, call, turn, seed, lambda: self.checks.said(call.asked, call.blocks, whole=True))

    def _turn(self, call: Call, lane: Lane) -> Turn | Refused:
        """The turn that answers, or why none does."""
        asked = call.asked
        found = self.checks.of(asked, lane.rules)
        known = {(v.lane, v.rule, v.text) for v in self.violations}
        self.violations += [v for v in found if (v.lane, v.rule, v.text) not in known]
        refused = next((v.text for v in found if v.refused), None)
        if refused is not None and lane.rules.refuses:
            return Refused(400, "invalid_request_error", refused)
        tokens = sum(part.tokens for part in segments(asked))
        if tokens > self.context_tokens:
            text = f"prompt is too long: {tokens} tokens > {self.context_tokens} maximum"
            return Refused(400, "invalid_request_error", text, code="context_length_exceeded")
        try:
            return lane.next(asked)
        except Unscripted as e:
            self._fail(f"lane {lane.name}, call {asked.n}: {e}")
            return Refused(400, "invalid_request_error", f"not in the script: {e}")
        except Exception as e:  # noqa: BLE001 - a policy is the test's own code; its fault is the test's failure
            self._fail(f"lane {lane.name}, call {asked.n}: the policy raised {e!r}")
            return Refused(400, "invalid_request_error", f"the policy raised {e!r}")

    def _usage(self, call: Call, turn: Turn) -> Spent:
        spent = self._cache.charge(call.asked, segments(call.asked))
        if turn.usage is not None:
            return turn.usage
        output, thinking = said_tokens(call.blocks)
        return Spent(spent.input, output, spent.cache_read, spent.cache_write, spent.cache_write_1h, thinking)

    def _fail(self, text: str) -> None:
        with self._changed:
            self.failures.append(text)
            self._changed.notify_all()


def provider_toml(name: str, kind: str, url: str, key_env: str) -> str:
    """The section of a config.toml that points a provider at a server."""
    return f'[providers.{name}]\nkind = "{kind}"\nbase_url = "{url}"\napi_key = {{ env = "{key_env}" }}\n'
