"""Every table of the store. A fresh database is made from this page; an older one is brought here by migrations.

Times are INTEGER milliseconds since 1970 UTC. JSON columns hold text. `payload` columns hold zlib-compressed
JSON and become NULL when retention prunes them. A test proves that the migrations end in this schema.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from nightclaw.store.schema_memory import (
    FTS,
    dream,
    memory,
    memory_source,
    observation,
    tombstone,
    topic,
)
from nightclaw.store.schema_work import (
    approval,
    boundary,
    cost,
    grant,
    inbox,
    reservation,
    run,
    session,
    step,
    task,
    tool_call,
)
from nightclaw.store.tables import id_column as _id
from nightclaw.store.tables import metadata

SCHEMA_VERSION = "0003"
"""The newest migration's revision: what a fresh database is stamped with."""

__all__ = [
    "FTS",
    "SCHEMA_VERSION",
    "approval",
    "boundary",
    "cost",
    "decision",
    "delivery",
    "dream",
    "effect",
    "event",
    "fact",
    "grant",
    "inbox",
    "memory",
    "memory_source",
    "meta",
    "metadata",
    "mute",
    "notification",
    "observation",
    "reservation",
    "run",
    "schedule",
    "session",
    "signal",
    "source_state",
    "step",
    "task",
    "tombstone",
    "tool_call",
    "topic",
    "watch",
]

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
    UniqueConstraint("hook", "body_hash"),
    sqlite_with_rowid=False,
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
