"""The first schema: signals, decisions, tasks, notes, events and what serves them."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
CREATE TABLE approval (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    task_id TEXT,
    call_id TEXT,
    tool TEXT,
    args TEXT,
    facts TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    resolved_by TEXT,
    resolved_at INTEGER,
    note TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
)
    """,
    """
CREATE INDEX approval_open ON approval (expires_at) WHERE state = 'pending'
    """,
    """
CREATE TABLE cost (
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    day TEXT NOT NULL,
    cause TEXT NOT NULL,
    task_id TEXT,
    decision_id TEXT,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_usd FLOAT NOT NULL,
    PRIMARY KEY (id)
)
    """,
    """
CREATE INDEX cost_day ON cost (day)
    """,
    """
CREATE TABLE decision (
    id TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT NOT NULL,
    floor TEXT NOT NULL,
    cap TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    presence TEXT NOT NULL,
    facts TEXT DEFAULT '[]' NOT NULL,
    usage TEXT DEFAULT '{}' NOT NULL,
    shadow BOOLEAN DEFAULT 0 NOT NULL,
    task_id TEXT,
    notification_id TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
)
    """,
    """
CREATE INDEX decision_created ON decision (created_at)
    """,
    """
CREATE TABLE delivery (
    hook TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    signal_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (hook, delivery_id),
    UNIQUE (hook, body_hash)
)
 WITHOUT ROWID
    """,
    """
CREATE TABLE effect (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    idem_key TEXT NOT NULL,
    class TEXT NOT NULL,
    state TEXT NOT NULL,
    object_id TEXT,
    task_id TEXT,
    bytes INTEGER DEFAULT 0 NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE (idem_key)
)
    """,
    """
CREATE INDEX effect_created ON effect (created_at)
    """,
    """
CREATE INDEX effect_object ON effect (object_id) WHERE object_id IS NOT NULL
    """,
    """
CREATE INDEX effect_open ON effect (state) WHERE state IN ('prepared', 'unknown')
    """,
    """
CREATE TABLE event (
    cursor INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    task_id TEXT,
    session_id TEXT,
    data TEXT NOT NULL
)
    """,
    """
CREATE INDEX event_session ON event (session_id, cursor) WHERE session_id IS NOT NULL
    """,
    """
CREATE TABLE fact (
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY ("key")
)
    """,
    """
CREATE TABLE meta (
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY ("key")
)
    """,
    """
CREATE TABLE mute (
    what TEXT NOT NULL,
    until_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (what)
)
    """,
    """
CREATE TABLE notification (
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    urgent BOOLEAN DEFAULT 0 NOT NULL,
    private BOOLEAN DEFAULT 0 NOT NULL,
    reason TEXT,
    decision_id TEXT,
    attempts INTEGER DEFAULT 0 NOT NULL,
    due_at INTEGER NOT NULL,
    error TEXT,
    folded_into TEXT,
    useful BOOLEAN,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE (dedupe_key)
)
    """,
    """
CREATE INDEX notification_created ON notification (created_at)
    """,
    """
CREATE INDEX notification_due ON notification (due_at) WHERE state = 'queued'
    """,
    """
CREATE INDEX notification_held ON notification (state) WHERE state IN ('held', 'unknown')
    """,
    """
CREATE TABLE schedule (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    spec TEXT NOT NULL,
    enabled BOOLEAN DEFAULT 1 NOT NULL,
    next_at INTEGER,
    last_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
)
    """,
    """
CREATE INDEX schedule_due ON schedule (next_at) WHERE enabled = 1 AND next_at IS NOT NULL
    """,
    """
CREATE TABLE session (
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
)
    """,
    """
CREATE TABLE signal (
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    title TEXT NOT NULL,
    trust TEXT NOT NULL,
    private BOOLEAN DEFAULT 0 NOT NULL,
    actor TEXT,
    repo TEXT,
    session_id TEXT,
    caused_by TEXT,
    attrs TEXT NOT NULL,
    payload BLOB,
    created_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    decision_id TEXT,
    PRIMARY KEY (id),
    UNIQUE (source, dedupe_key)
)
    """,
    """
CREATE INDEX signal_created ON signal (created_at)
    """,
    """
CREATE INDEX signal_decision ON signal (decision_id) WHERE decision_id IS NOT NULL
    """,
    """
CREATE INDEX signal_pending ON signal (subject, ready_at) WHERE decision_id IS NULL
    """,
    """
CREATE TABLE source_state (
    "key" TEXT NOT NULL,
    value BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY ("key")
)
    """,
    """
CREATE TABLE watch (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    spec TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
)
    """,
    """
CREATE TABLE task (
    id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    goal TEXT NOT NULL,
    session_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    trust TEXT NOT NULL,
    private BOOLEAN DEFAULT 0 NOT NULL,
    repo TEXT,
    parked_on TEXT,
    attempts INTEGER DEFAULT 0 NOT NULL,
    decision_id TEXT,
    parent_id TEXT,
    cancel_at INTEGER,
    worktree TEXT,
    branch TEXT,
    verified BOOLEAN,
    result TEXT,
    usage TEXT DEFAULT '{}' NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE ("key"),
    FOREIGN KEY(session_id) REFERENCES session (id)
)
    """,
    """
CREATE UNIQUE INDEX task_active_subject ON task (subject)
    WHERE state IN ('ready', 'running', 'parked') AND kind != 'chat'
    """,
    """
CREATE INDEX task_session ON task (session_id)
    """,
    """
CREATE INDEX task_state ON task (state, priority, created_at)
    """,
    """
CREATE TABLE inbox (
    task_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    content TEXT NOT NULL,
    from_signal TEXT,
    created_at INTEGER NOT NULL,
    read_at INTEGER,
    PRIMARY KEY (task_id, seq),
    FOREIGN KEY(task_id) REFERENCES task (id)
)
    """,
    """
CREATE TABLE run (
    id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL,
    model TEXT NOT NULL,
    stop_reason TEXT,
    usage TEXT DEFAULT '{}' NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(task_id) REFERENCES task (id)
)
    """,
    """
CREATE INDEX run_open ON run (state) WHERE state = 'running'
    """,
    """
CREATE INDEX run_task ON run (task_id)
    """,
    """
CREATE TABLE step (
    id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    n INTEGER NOT NULL,
    request_digest TEXT NOT NULL,
    input BLOB,
    response BLOB,
    usage TEXT DEFAULT '{}' NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (run_id, n),
    FOREIGN KEY(run_id) REFERENCES run (id)
)
    """,
    """
CREATE INDEX step_session ON step (session_id, created_at)
    """,
    """
CREATE INDEX step_task ON step (task_id)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
