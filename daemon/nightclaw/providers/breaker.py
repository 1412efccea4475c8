"""When a service is down it is left alone: asked less and less often, by one call at a time, and said so once.

After FAILURES failed calls in a row, or one refusal of its key, a service is asked again after a pause that doubles
up to LONGEST_S; in six hours that is under 40 calls, whoever asks. What it asked for itself (retry-after) is kept too,
and a model it does not serve is not asked for again at once, both for that model only. The first answer closes the
matter.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import Clock, Problems
from nightclaw.providers.faults import ELSEWHERE, PASSING

FAILURES = 3
FIRST_S = 60.0
LONGEST_S = 900.0
NO_MODEL_S = 60.0


@dataclass(slots=True)
class Breaker:
    """One a provider. Times are wall clock: a machine that slept through the pause asks at once."""

    name: str
    clock: Clock
    problems: Problems
    failures: int = 0
    since: int | None = None
    again_at: int = 0
    last: ProviderError | None = None
    _pause_s: float = 0.0
    _is_probing: bool = False
    _held: dict[str, tuple[int, ProviderError]] = field(default_factory=dict[str, tuple[int, ProviderError]])

    @property
    def is_open(self) -> bool:
        return self.since is not None

    def wait_s(self, model: str) -> float:
        """Seconds until this model may be asked; 0: now."""
        now = self.clock.now_ms()
        until = self._held[model][0] if model in self._held else 0
        if self.since is not None and now >= self.since:
            until = max(until, self.again_at)
            if self._is_probing:
                until = max(until, now + round(FIRST_S * 1000))
        return max(until - now, 0) / 1000

    def begin(self) -> None:
        """A call starts; an open breaker lets one through at a time."""
        self._is_probing = self.is_open

    def left(self) -> None:
        """The call was cancelled: nothing was learned."""
        self._is_probing = False

    def answered(self, model: str) -> None:
        self.failures, self.since, self.last, self._pause_s = 0, None, None, 0.0
        self._is_probing = False
        self._held.pop(model, None)
        self.problems.set(self._part, None)
        self.problems.set(f"model {self.name}/{model}", None)

    def failed(self, model: str, error: ProviderError) -> None:
        """Count a failed call. One that says the request was at fault shows that the service lives."""
        self._is_probing = False
        now = self.clock.now_ms()
        if error.kind == "model":  # says nothing about the service itself
            self._held[model] = (now + round(NO_MODEL_S * 1000), error)
            self.problems.set(f"model {self.name}/{model}", error.message, error.hint)
            return
        if error.kind not in PASSING and error.kind not in ELSEWHERE:
            self.answered(model)
            return
        if error.retry_after_s:
            self._held[model] = (now + round(min(error.retry_after_s, 86400) * 1000), error)
        self.failures += 1
        self.last = error
        if self.is_open or error.kind in ELSEWHERE or self.failures >= FAILURES:
            self._open(now, error)

    def _open(self, now: int, error: ProviderError) -> None:
        self._pause_s = min(self._pause_s * 2, LONGEST_S) if self._pause_s else FIRST_S
        self.again_at = now + round(self._pause_s * 1000)
        if self.since is None:
            self.since = now
        if error.kind in ELSEWHERE:
            self.problems.set(self._part, error.message, error.hint)
        else:
            began = datetime.fromtimestamp(self.since / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
            state = "asks to slow down" if error.kind == "rate" else "is down"
            self.problems.set(self._part, f"{self.name} {state} since {began}; work waits", error.message)

    @property
    def _part(self) -> str:
        return f"provider {self.name}"

    def refusal(self, model: str) -> ProviderError:
        """What to say instead of asking."""
        wait_s = self.wait_s(model)
        why = self._held[model][1] if model in self._held and not self.is_open else self.last
        if why is not None and why.kind not in PASSING:
            return ProviderError(why.message, why.hint, kind=why.kind, retry_after_s=wait_s)
        kind = why.kind if why is not None else "overloaded"
        state = "asks to slow down" if kind == "rate" else "is down"
        text = f"{self.name} {state}; it is asked again in {wait_s:.0f} s"
        return ProviderError(text, "work waits by itself", kind=kind, may_pass=True, retry_after_s=wait_s)
