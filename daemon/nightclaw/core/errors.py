"""The error tree of the daemon. Every error a caller may want to catch stands here.

NightclawError
├── ConfigError            the home or its config cannot be used; carries one Fault a line (exit 78)
├── HomeLocked             another daemon holds the home (exit 75)
├── HomeTooNew             the store was written by a newer program (exit 78)
├── StoreError             the store cannot serve
│   ├── StoreBusy          the write queue is full: try again (503)
│   ├── StoreUnavailable   disk full, I/O error, read-only or corrupt (503)
│   └── StoreClosed        the daemon is stopping
├── InvalidTransition      a guarded write asked for a move the table forbids
├── Refused                policy or state forbids it (409)
├── NotFound               no such row (404)
├── Invalid                the caller's input is wrong (400 or 422)
├── ProviderError          a model call failed
└── DeliveryError          a notifier could not deliver
"""

from dataclasses import dataclass


class NightclawError(Exception):
    """Root of the tree. `hint` is what the reader can do about it, one sentence or empty."""

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a config: where it stands, and what would be right."""

    file: str
    line: int
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        return f"{where}:{key} {self.problem}; {self.remedy}"


class ConfigError(NightclawError):
    code = "bad_config"

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(f) for f in faults))
        self.faults = faults


class HomeLocked(NightclawError):
    code = "home_locked"


class HomeTooNew(NightclawError):
    code = "home_too_new"


class StoreError(NightclawError):
    code = "store"


class StoreBusy(StoreError):
    code = "busy"


class StoreUnavailable(StoreError):
    code = "store_unavailable"


class StoreClosed(StoreError):
    code = "stopping"


class InvalidTransition(NightclawError):
    code = "invalid_transition"


class Refused(NightclawError):
    code = "conflict"


class NotFound(NightclawError):
    code = "not_found"


class Invalid(NightclawError):
    code = "invalid"


class ProviderError(NightclawError):
    """A model call that failed for good. kind: auth, quota, rate, overloaded, server, timeout, network, cut, request,
    context, model, refused. calls: every call made (core.ports.ModelCall), for the ledger. may_pass: it may work
    later without the owner doing anything; retry_after_s: what the service asked for."""

    code = "provider"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        kind: str = "server",
        may_pass: bool = False,
        retry_after_s: float | None = None,
        calls: tuple[object, ...] = (),
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.may_pass = may_pass
        self.retry_after_s = retry_after_s
        self.calls = calls


class DeliveryError(NightclawError):
    """`retry_after_s`: what the far side asked for; `permanent`: trying again cannot help;
    `uncertain`: it may have been delivered all the same, so it must not be sent again blindly."""

    code = "delivery"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        retry_after_s: float | None = None,
        permanent: bool = False,
        uncertain: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s
        self.permanent = permanent
        self.uncertain = uncertain
