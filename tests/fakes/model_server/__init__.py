"""A scripted model service for tests, benchmarks and the demonstration; needs nothing but the standard library.

with ModelServer(canaries={"c4n4ry"}) as server:
    server.lane("triage", model="claude-haiku-4-5").policy(lambda asked: say('{"verdict": "act"}'))
    server.script(call("Read", {"file_path": "a.py"}, think="look first"), say("Done.", expect="def a"))
    …  # point a client at server.anthropic_url() or server.openai_url()
    server.check()
"""

from tests.fakes.model_server.asked import Asked, Call, Made
from tests.fakes.model_server.checks import Rules, Violation
from tests.fakes.model_server.gate import Gate
from tests.fakes.model_server.lanes import Lane, Policy
from tests.fakes.model_server.server import ModelServer, provider_toml
from tests.fakes.model_server.turns import (
    Block,
    Cut,
    ErrorEvent,
    Garbled,
    Pace,
    Redacted,
    Refused,
    Silence,
    Spent,
    Text,
    Thinking,
    ToolUse,
    Turn,
    bad_gateway,
    call,
    calls,
    context_overflow,
    fails,
    huge,
    out_of_money,
    overloaded,
    rate_limited,
    refuses,
    repeated,
    say,
    server_error,
    too_large,
    truncated,
    unauthorized,
    unknown_model,
)

__all__ = [
    "Asked",
    "Block",
    "Call",
    "Cut",
    "ErrorEvent",
    "Garbled",
    "Gate",
    "Lane",
    "Made",
    "ModelServer",
    "Pace",
    "Policy",
    "Redacted",
    "Refused",
    "Rules",
    "Silence",
    "Spent",
    "Text",
    "Thinking",
    "ToolUse",
    "Turn",
    "Violation",
    "bad_gateway",
    "call",
    "calls",
    "context_overflow",
    "fails",
    "huge",
    "out_of_money",
    "overloaded",
    "provider_toml",
    "rate_limited",
    "refuses",
    "repeated",
    "say",
    "server_error",
    "too_large",
    "truncated",
    "unauthorized",
    "unknown_model",
]
