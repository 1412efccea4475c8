"""Every table of the store. A fresh database is made from this page; an older one is brought here by migrations.

Times are INTEGER milliseconds since 1970 UTC. JSON columns hold text. `payload` columns hold zlib-compressed
JSON and become NULL when retention prunes them. A test proves that the migrations end in this schema.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = "0002"
"""The newest migration's revision: what a fresh database is stamped with."""

metadata = MetaData()


def _id() -> Column[str]:
    return Column("id", Text, primary_key=True)


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("cursor", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("task_id", Text),
    Column("session_id", Text),
    Column("data", Text, nullable=False),
    Index("event_session", "session_id", "cursor", sqlite_where=text("session_id IS NOT NULL")),
    sqlite_autoincrement=True,
)

signal = Table(
    "signal",
    metadata,
    _id(),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("private", Boolean, nullable=False, server_default=text("0")),
    Column("actor", Text),
    Column("repo", Text),
    Column("session_id", Text),
    Column("caused_by", Text),
    Column("attrs", Text, nullable=False),
    Column("payload", LargeBinary),
    Column("created_at", Integer, nullable=False),
    Column("ready_at", Integer, nullable=False),
    Column("decision_id", Text),
    UniqueConstraint("source", "dedupe_key"),
    Index("signal_pending", "subject", "ready_at", sqlite_where=text("decision_id IS NULL")),
    Index("signal_created", "created_at"),
    Index("signal_decision", "decision_id", sqlite_where=text("decision_id IS NOT NULL")),
)

delivery = Table(
    "delivery",
    metadata,
    Column("hook", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("signal_id", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Index("delivery_body", "hook", "body_hash"),
    Index("delivery_at", "at"),
)

decision = Table(
    "decision",
    metadata,
    _id(),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("floor", Text, nullable=False),
    Column("cap", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("presence", Text, nullable=False),
    Column("facts", Text, nullable=False, server_default="[]"),
    Column("usage", Text, nullable=False, server_default="{}"),
    Column("shadow", Boolean, nullable=False, server_default=text("0")),
    Column("task_id", Text),
    Column("notification_id", Text),
    Column("created_at", Integer, nullable=False),
    Index("decision_created", "created_at"),
)

session = Table(
    "session",
    metadata,
    _id(),
    Column("title", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("trust", Text, nullable=False, server_default="OWNER"),
    Column("private", Boolean, nullable=False, server_default=text("0")),
    Column("origins", Text, nullable=False, server_default="[]"),
    Column("mode", Text),
    Column("model", Text),
    Column("cleared_at", Integer),
)

task = Table(
    "task",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("goal", Text, nullable=False),
    Column("session_id", Text, ForeignKey("session.id"), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("private", Boolean, nullable=False, server_default=text("0")),
    Column("repo", Text),
    Column("parked_on", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("decision_id", Text),
    Column("parent_id", Text),
    Column("cancel_at", Integer),
    Column("worktree", Text),
    Column("branch", Text),
    Column("verified", Boolean),
    Column("result", Text),
    Column("usage", Text, nullable=False, server_default="{}"),
    Column("created_at", Integer, nullable=False),
    Column("finished_at", Integer),
    Column("unattended", Text),
    Column("model", Text),
    Column("budget_usd", Float),
    Column("wake_at", Integer),
    Column("workspace", Text),
    Index("task_wake", "wake_at", sqlite_where=text("state = 'parked' AND wake_at IS NOT NULL")),
    Index(
        "task_active_subject",
        "subject",
        unique=True,
        sqlite_where=text("state IN ('ready', 'running', 'parked') AND kind != 'chat'"),
    ),
    Index("task_state", "state", "priority", "created_at"),
    Index("task_session", "session_id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("task_id", Text, ForeignKey("task.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("content", Text, nullable=False),
    Column("from_signal", Text),
    Column("created_at", Integer, nullable=False),
    Column("read_at", Integer),
)

run = Table(
    "run",
    metadata,
    _id(),
    Column("task_id", Text, ForeignKey("task.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stop_reason", Text),
    Column("usage", Text, nullable=False, server_default="{}"),
    Column("started_at", Integer, nullable=False),
    Column("ended_at", Integer),
    Index("run_task", "task_id"),
    Index("run_open", "state", sqlite_where=text("state = 'running'")),
)

step = Table(
    "step",
    metadata,
    _id(),
    Column("run_id", Text, ForeignKey("run.id"), nullable=False),
    Column("task_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("request_digest", Text, nullable=False),
    Column("input", LargeBinary),
    Column("response", LargeBinary),
    Column("usage", Text, nullable=False, server_default="{}"),
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("run_id", "n"),
    Index("step_session", "session_id", "created_at"),
    Index("step_task", "task_id"),
)

tool_call = Table(
    "tool_call",
    metadata,
    _id(),
    Column("step_id", Text, ForeignKey("step.id"), nullable=False),
    Column("task_id", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("use_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("digest", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("redo", Text, nullable=False, server_default="once"),
    Column("level", Integer),
    Column("rule", Text),
    Column("approval_id", Text),
    Column("result", LargeBinary),
    Column("object_ids", Text, nullable=False, server_default="[]"),
    Column("started_at", Integer),
    Column("ended_at", Integer),
    UniqueConstraint("step_id", "n"),
    Index("tool_call_task", "task_id"),
    Index(
        "tool_call_open", "task_id", "state", sqlite_where=text("state IN ('requested', 'waiting', 'approved', 'running')")
    ),
)

grant = Table(
    "grant",
    metadata,
    _id(),
    Column("tool", Text, nullable=False),
    Column("matcher", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("min_trust", Text, nullable=False),
    Column("approval_id", Text),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("revoked_at", Integer),
)

boundary = Table(
    "boundary",
    metadata,
    _id(),
    Column("verb", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("signal_id", Text),
    Column("created_at", Integer, nullable=False),
    Column("revoked_at", Integer),
)

reservation = Table(
    "reservation",
    metadata,
    _id(),
    Column("at", Integer, nullable=False),
    Column("day", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("task_id", Text),
    Column("decision_id", Text),
    Column("model", Text, nullable=False),
    Column("bound_usd", Float, nullable=False),
    Column("bound_tokens", Integer, nullable=False),
)

approval = Table(
    "approval",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("task_id", Text),
    Column("call_id", Text),
    Column("tool", Text),
    Column("args", Text),
    Column("facts", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("resolved_by", Text),
    Column("resolved_at", Integer),
    Column("note", Text),
    Column("created_at", Integer, nullable=False),
    Column("options", Text),
    Column("answer", Text),
    Index("approval_open", "expires_at", sqlite_where=text("state = 'pending'")),
)

fact = Table(
    "fact",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("since", Integer, nullable=False),
)

effect = Table(
    "effect",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("idem_key", Text, nullable=False, unique=True),
    Column("class", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("object_id", Text),
    Column("task_id", Text),
    Column("bytes", Integer, nullable=False, server_default=text("0")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
    Column("created_at", Integer, nullable=False),
    Column("settled_at", Integer),
    Index("effect_open", "state", sqlite_where=text("state IN ('prepared', 'unknown')")),
    Index("effect_object", "object_id", sqlite_where=text("object_id IS NOT NULL")),
    Index("effect_created", "created_at"),
)

notification = Table(
    "notification",
    metadata,
    _id(),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("urgent", Boolean, nullable=False, server_default=text("0")),
    Column("private", Boolean, nullable=False, server_default=text("0")),
    Column("reason", Text),
    Column("decision_id", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due_at", Integer, nullable=False),
    Column("error", Text),
    Column("folded_into", Text),
    Column("useful", Boolean),
    Column("created_at", Integer, nullable=False),
    Column("sent_at", Integer),
    Index("notification_due", "due_at", sqlite_where=text("state = 'queued'")),
    Index("notification_held", "state", sqlite_where=text("state IN ('held', 'unknown')")),
    Index("notification_created", "created_at"),
)

mute = Table(
    "mute",
    metadata,
    Column("what", Text, primary_key=True),
    Column("until_at", Integer, nullable=False),
    Column("created_at", Integer, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("1")),
    Column("next_at", Integer),
    Column("last_at", Integer),
    Column("created_at", Integer, nullable=False),
    Index("schedule_due", "next_at", sqlite_where=text("enabled = 1 AND next_at IS NOT NULL")),
)

watch = Table(
    "watch",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
)

source_state = Table(
    "source_state",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("at", Integer, nullable=False),
)

cost = Table(
    "cost",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Integer, nullable=False),
    Column("day", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("task_id", Text),
    Column("decision_id", Text),
    Column("model", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cache_read_tokens", Integer, nullable=False),
    Column("cache_write_tokens", Integer, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Index("cost_day", "day"),
)
