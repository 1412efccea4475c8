"""Answers of a daemon, as the contract has them."""

STATUS: dict[str, object] = {
    "version": "9.9.9",
    "pid": 4711,
    "home": "/home/u/.nightclaw",
    "socket": "/home/u/.nightclaw/run/control.sock",
    "ingress": "127.0.0.1:8787",
    "uptime_s": 7500.0,
    "health": "ok",
    "problems": [],
    "paused": False,
    "last_tick_at": "2026-11-20T08:00:00.000Z",
    "last_tick_age_s": 3.0,
    "models": {"agent": ["offline/none"]},
    "sources": [
        {"name": "ticks", "kind": "tick", "state": "ok", "last_at": None, "detail": ""},
        {
            "name": "github",
            "kind": "github",
            "state": "problem",
            "last_at": None,
            "detail": "401 from the API",
        },
    ],
    "signals_pending": 2,
    "tasks": {"ready": 1, "running": 0, "parked": 3},
    "approvals_pending": 1,
    "sessions": 1,
    "today": {
        "model_calls": 3,
        "input_tokens": 12345,
        "output_tokens": 800,
        "cache_read_tokens": 0,
        "cost_usd": 0.125,
        "by_cause": {},
    },
    "budget": {"daily_usd": 5.0},
    "memory": {"active": 0, "candidates": 0, "last_dream_at": None},
    "event_head": 7,
}

SENT: dict[str, object] = {"signal": "sig_1", "session": "ses_1", "task": "tsk_1", "cursor": 0}

APPROVAL: dict[str, object] = {
    "id": "apr_1",
    "kind": "call",
    "task": "tsk_1",
    "tool": "Bash",
    "args": {"command": "git push"},
    "facts": {"hosts": ["github.com"]},
    "digest": "d1g35t",
    "state": "pending",
    "expires_at": "2026-11-21T08:00:00.000Z",
}
