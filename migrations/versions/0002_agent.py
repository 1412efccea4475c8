"""The agent: tool calls, grants, boundaries, reservations, and what a session and a task carry for them."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
ALTER TABLE "approval" ADD COLUMN options TEXT
    """,
    """
ALTER TABLE "approval" ADD COLUMN answer TEXT
    """,
    """
CREATE TABLE boundary (
    id TEXT NOT NULL,
    verb TEXT NOT NULL,
    rule TEXT NOT NULL,
    said TEXT NOT NULL,
    signal_id TEXT,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (id)
)
    """,
    """
CREATE TABLE grant (
    id TEXT NOT NULL,
    tool TEXT NOT NULL,
    matcher TEXT NOT NULL,
    scope TEXT NOT NULL,
    min_trust TEXT NOT NULL,
    approval_id TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (id)
)
    """,
    """
CREATE TABLE reservation (
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    day TEXT NOT NULL,
    cause TEXT NOT NULL,
    task_id TEXT,
    decision_id TEXT,
    model TEXT NOT NULL,
    bound_usd FLOAT NOT NULL,
    bound_tokens INTEGER NOT NULL,
    PRIMARY KEY (id)
)
    """,
    """
ALTER TABLE "session" ADD COLUMN trust TEXT DEFAULT 'OWNER' NOT NULL
    """,
    """
ALTER TABLE "session" ADD COLUMN private BOOLEAN DEFAULT 0 NOT NULL
    """,
    """
ALTER TABLE "session" ADD COLUMN origins TEXT DEFAULT '[]' NOT NULL
    """,
    """
ALTER TABLE "session" ADD COLUMN mode TEXT
    """,
    """
ALTER TABLE "session" ADD COLUMN model TEXT
    """,
    """
ALTER TABLE "session" ADD COLUMN cleared_at INTEGER
    """,
    """
ALTER TABLE "task" ADD COLUMN unattended TEXT
    """,
    """
ALTER TABLE "task" ADD COLUMN model TEXT
    """,
    """
ALTER TABLE "task" ADD COLUMN budget_usd FLOAT
    """,
    """
ALTER TABLE "task" ADD COLUMN wake_at INTEGER
    """,
    """
ALTER TABLE "task" ADD COLUMN workspace TEXT
    """,
    """
CREATE INDEX task_wake ON task (wake_at) WHERE state = 'parked' AND wake_at IS NOT NULL
    """,
    """
CREATE TABLE tool_call (
    id TEXT NOT NULL,
    step_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    use_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    args TEXT NOT NULL,
    digest TEXT DEFAULT '' NOT NULL,
    state TEXT NOT NULL,
    redo TEXT DEFAULT 'once' NOT NULL,
    level INTEGER,
    rule TEXT,
    matcher TEXT,
    approval_id TEXT,
    result BLOB,
    object_ids TEXT DEFAULT '[]' NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE (step_id, n),
    FOREIGN KEY(step_id) REFERENCES step (id)
)
    """,
    """
CREATE INDEX tool_call_open ON tool_call (task_id, state) WHERE state IN ('requested', 'waiting', 'approved', 'running')
    """,
    """
CREATE INDEX tool_call_task ON tool_call (task_id)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
