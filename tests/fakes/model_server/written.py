"""Scripts as JSON files, for a model server in a process of its own.

{"canaries": ["…"], "lanes": {
    "triage": {"model": "claude-haiku-4-5", "always": {"text": "{\\"verdict\\": \\"act\\"}"}},
    "default": {"turns": [
        {"think": "…", "text": "…", "tools": [{"name": "Read", "input": {"file_path": "a"}}], "expect": "pattern"},
        {"fault": "rate_limited", "retry_after": 1}, {"fault": "cut", "at": 100}, {"text": "Done."}]},
    "work": {"when": "octo/app#5", "engineer": {"path": "…", "old": "…", "new": "…", "check": "…", "message": "…",
        "summary": "…"}}}}
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.model_server.asked import Asked
from tests.fakes.model_server.gate import Gate
from tests.fakes.model_server.lanes import Policy
from tests.fakes.model_server.policies import Engineer, Obedient
from tests.fakes.model_server.server import ModelServer
from tests.fakes.model_server.turns import (
    Cut,
    ErrorEvent,
    Fault,
    Garbled,
    Pace,
    Silence,
    Spent,
    Text,
    Thinking,
    ToolUse,
    Turn,
    bad_gateway,
    context_overflow,
    out_of_money,
    overloaded,
    rate_limited,
    server_error,
    too_large,
    unauthorized,
)

Written = Mapping[str, Any]
_REFUSALS: dict[str, Callable[[], Turn]] = {
    "bad_gateway": bad_gateway,
    "context_overflow": context_overflow,
    "out_of_money": out_of_money,
    "overloaded": overloaded,
    "server_error": server_error,
    "too_large": too_large,
    "unauthorized": unauthorized,
}


def load(server: ModelServer, script: Written) -> None:
    """Sets up lanes and canaries. Raises ValueError on what it does not know."""
    server.checks.canaries |= set(script.get("canaries", ()))
    for name, written in script.get("lanes", {}).items():
        known = {"when", "model", "rules", "turns", "always", "engineer", "obedient"}
        if unknown := set(written) - known:
            raise ValueError(f"lane {name}: unknown {sorted(unknown)}")
        lane = server.lane(
            name, when=written.get("when"), model=written.get("model"), **written.get("rules", {})
        )
        lane.script(*(turn_of(row) for row in written.get("turns", ())))
        policy = _policy(written)
        if policy is not None:
            lane.policy(policy)


def _policy(written: Written) -> Policy | None:
    if "always" in written:
        turn = turn_of(written["always"])

        def always(asked: Asked) -> Turn:
            return turn

        return always
    if "engineer" in written:
        return Engineer(**written["engineer"])
    if "obedient" in written:
        return Obedient(**written["obedient"])
    return None


def turn_of(row: Written) -> Turn:
    known = {"think", "text", "tools", "expect", "fault", "stop_reason", "usage", "writes"} | _FAULT_FIELDS
    if unknown := set(row) - known:
        raise ValueError(f"unknown in a turn: {sorted(unknown)}")
    fault = row.get("fault")
    if fault in _REFUSALS:
        return _REFUSALS[fault]()
    if fault == "rate_limited":
        return rate_limited(row.get("retry_after"))
    said = [Thinking(row["think"])] if row.get("think") else []
    spoken = [Text(row["text"])] if row.get("text") else []
    uses = [
        ToolUse(use["name"], use.get("input", {}), use.get("id", ""), use.get("raw"))
        for use in row.get("tools", ())
    ]
    return Turn(
        (*said, *spoken, *uses),
        row.get("expect"),
        _fault(fault, row),
        row.get("stop_reason"),
        Spent(**row["usage"]) if "usage" in row else None,
        Pace(writes=tuple(row.get("writes", ()))),
    )


_FAULT_FIELDS = {"retry_after", "at", "manner", "after", "event"}


def _fault(kind: str | None, row: Written) -> Fault | None:
    match kind:
        case None:
            return None
        case "cut":
            return Cut(row["at"], row.get("manner", "close"))
        case "silence":
            return Silence(Gate(), row.get("after", "request"))
        case "error_event":
            return ErrorEvent(row.get("after", 2))
        case "garbled":
            return Garbled(row.get("event", 3))
        case _:
            raise ValueError(f"unknown fault {kind!r}")
