"""One turn asked of a chain of models: the only retries there are.

At most TRIES calls a turn over the whole chain. What may pass is tried again after a pause with full jitter (or what
the service asks for, up to LONGEST_WAIT_S), and after AFTER failures the next model in the chain is asked; a key, a
quota or a model that is not there sends the turn on at once; a request that is at fault is not repeated. Followers get
a Restarted before anything is said twice. Every call, also of a turn that failed or was cancelled, is reported.
Source of the jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import (
    ModelCall,
    ModelRequest,
    Provider,
    Reply,
    Restarted,
    Usage,
)
from nightclaw.providers import prices
from nightclaw.providers.breaker import Breaker
from nightclaw.providers.faults import ELSEWHERE
from nightclaw.providers.wire import Parts

TRIES = 3
AFTER = 2
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 60.0

Sleep = Callable[[float], Awaitable[None]]
Jitter = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Link:
    """One model of a chain. is_local: it costs nothing and is on this machine."""

    provider: Provider
    name: str
    model: str
    breaker: Breaker
    is_local: bool = False

    @property
    def label(self) -> str:
        return f"{self.name}/{self.model}" if self.model else self.name


@dataclass(slots=True)
class _Turn:
    """How far one turn is. at: the link asked; here: its failures in this turn."""

    tries: int = 0
    at: int = 0
    here: int = 0
    streamed: int = 0
    last: ProviderError | None = None
    calls: list[ModelCall] = field(default_factory=list[ModelCall])


class Chain:
    """core.ports.Provider over several. `calls`: what the latest `stream` cost so far, also when it was cancelled."""

    def __init__(
        self, links: Sequence[Link], *, sleep: Sleep = asyncio.sleep, jitter: Jitter = random.uniform
    ) -> None:
        self.links = tuple(links)
        self.kind = self.links[0].provider.kind
        self.calls: list[ModelCall] = []
        self._sleep = sleep
        self._jitter = jitter

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(link.label for link in self.links)

    async def stream(self, request: ModelRequest) -> Parts:
        """Raises ProviderError with every call made and, if it may pass, when to try again."""
        turn = _Turn()
        self.calls = turn.calls
        while turn.tries < TRIES and turn.at < len(self.links):
            link = self.links[turn.at]
            wait_s = link.breaker.wait_s(link.model)
            if wait_s > 0:
                if turn.last is None or not turn.calls:
                    turn.last = link.breaker.refusal(link.model)
                turn.at, turn.here = turn.at + 1, 0
                continue
            turn.tries += 1
            reply: Reply | None = None
            try:
                async with aclosing(self._ask(link, request, turn)) as parts:
                    async for part in parts:
                        if isinstance(part, Reply):
                            reply = part
                        else:
                            yield part
            except ProviderError as error:
                pause_s = self._judge(turn, link, error)
                if pause_s is None:
                    break
                yield Restarted(_why(error, self.links[turn.at], link, pause_s))
                await self._sleep(pause_s)
            if reply is not None:
                yield replace(reply, calls=tuple(turn.calls))
                return
        raise self._failed(turn)

    async def _ask(self, link: Link, request: ModelRequest, turn: _Turn) -> Parts:
        """One call of one model, told to its breaker and priced."""
        own = replace(request, model=link.model, max_tokens=min(request.max_tokens, prices.MOST_OUTPUT))
        was_open = link.breaker.is_open
        link.breaker.begin()
        turn.streamed = 0
        parts = link.provider.stream(own)
        learned = False
        try:
            async for part in parts:
                if isinstance(part, Reply):
                    learned = True
                    link.breaker.answered(link.model)
                    turn.calls += [_priced(call, link) for call in part.calls]
                    yield replace(part, usage=_priced_usage(part.usage, link), model=link.label)
                    return
                if not isinstance(part, Restarted):
                    turn.streamed += len(part.text)
                yield part
            raise ProviderError(f"{link.label} broke off its answer", kind="cut", may_pass=True)
        except ProviderError as error:
            learned = True
            turn.calls += [_priced(call, link) for call in error.calls if isinstance(call, ModelCall)]
            link.breaker.failed(link.model, error)
            if was_open:
                turn.here = AFTER  # a probe is one call, not the beginning of a series
            raise
        finally:
            if not learned:
                link.breaker.left()
                if link.model:  # what answers without a model makes no call
                    turn.calls.append(_cancelled(link, own, turn.streamed))
            close = getattr(parts, "aclose", None)
            if close is not None:
                await close()

    def _judge(self, turn: _Turn, link: Link, error: ProviderError) -> float | None:
        """Seconds to wait before the next call, `turn` pointing at it; None: the turn has failed."""
        turn.last = error
        if error.kind in ELSEWHERE:
            turn.at, turn.here = turn.at + 1, 0
            return 0.0 if self._is_left(turn) else None
        if not error.may_pass:
            return None
        turn.here += 1
        asked_s = error.retry_after_s or 0.0
        has_next = turn.at + 1 < len(self.links)
        if asked_s > LONGEST_WAIT_S or turn.here > AFTER or (turn.here >= AFTER and has_next):
            turn.at, turn.here = turn.at + 1, 0
            return 0.0 if self._is_left(turn) else None
        if turn.tries >= TRIES:
            return None
        window_s = FIRST_WAIT_S * 2 ** (turn.here - 1)
        return asked_s + self._jitter(0.0, 1.0) if asked_s else self._jitter(0.0, window_s)

    def _is_left(self, turn: _Turn) -> bool:
        return turn.tries < TRIES and any(
            not link.breaker.wait_s(link.model) for link in self.links[turn.at :]
        )

    def _failed(self, turn: _Turn) -> ProviderError:
        last = turn.last or ProviderError("no model could be asked", kind="network", may_pass=True)
        error = ProviderError(
            last.message,
            last.hint,
            kind=last.kind,
            may_pass=last.may_pass,
            retry_after_s=self._again_in(last),
            calls=tuple(turn.calls),
        )
        return error

    def _again_in(self, last: ProviderError) -> float | None:
        """When the first of the chain may be asked again."""
        if not last.may_pass:
            return last.retry_after_s
        soonest = min(link.breaker.wait_s(link.model) for link in self.links)
        return max(soonest, 0.0) or last.retry_after_s


def _why(error: ProviderError, following: Link, link: Link, pause_s: float) -> str:
    if following is not link:
        return f"{error.message}; asking {following.label}"
    return f"{error.message}; trying again" + (f" in {pause_s:.0f} s" if pause_s >= 1 else "")


def _priced_usage(usage: Usage, link: Link) -> Usage:
    return replace(usage, cost_usd=prices.cost(link.label, usage, is_local=link.is_local))


def _priced(call: ModelCall, link: Link) -> ModelCall:
    return replace(call, usage=_priced_usage(call.usage, link))


def _cancelled(link: Link, request: ModelRequest, streamed: int) -> ModelCall:
    """A call nobody waited for: its prompt counts in full, its output as far as it was seen."""
    usage = Usage(prices.prompt_tokens(request), -(-streamed // 3))
    return ModelCall(link.label, _priced_usage(usage, link), "cancelled")
