"""Memory: observations, memories, topics, dreams, full-text."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
CREATE TABLE dream (
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    mode TEXT NOT NULL,
    signal_id TEXT,
    task_id TEXT,
    phases TEXT DEFAULT '[]' NOT NULL,
    from_cursor INTEGER NOT NULL,
    to_cursor INTEGER NOT NULL,
    counts TEXT DEFAULT '{}' NOT NULL,
    usage TEXT DEFAULT '{}' NOT NULL,
    diff BLOB,
    pre_image BLOB,
    undone_by TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(undone_by) REFERENCES dream (id)
)
    """,
    """
CREATE INDEX dream_created ON dream (created_at)
    """,
    """
CREATE TABLE memory (
    n INTEGER NOT NULL,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    state TEXT NOT NULL,
    trust TEXT NOT NULL,
    private BOOLEAN DEFAULT 0 NOT NULL,
    repo TEXT,
    origins TEXT DEFAULT '[]' NOT NULL,
    sources TEXT NOT NULL,
    made_by TEXT NOT NULL,
    applies TEXT,
    fact_key TEXT,
    fact_value TEXT,
    observed_at INTEGER NOT NULL,
    expires_at INTEGER,
    verified_by TEXT,
    verified_at INTEGER,
    doubted_at INTEGER,
    supersedes TEXT,
    superseded_by TEXT,
    used_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (n),
    UNIQUE (id)
)
    """,
    """
CREATE INDEX memory_key ON memory (fact_key) WHERE fact_key IS NOT NULL
    """,
    """
CREATE INDEX memory_state ON memory (state, n)
    """,
    """
CREATE INDEX memory_topic ON memory (topic, state)
    """,
    """
CREATE INDEX memory_expiry ON memory (expires_at) WHERE expires_at IS NOT NULL AND state IN ('candidate', 'active')
    """,
    """
CREATE INDEX memory_doubt ON memory (doubted_at) WHERE doubted_at IS NOT NULL AND state IN ('candidate', 'active')
    """,
    """
CREATE TABLE memory_sketch (
    hash INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (hash, n)
)
 WITHOUT ROWID
    """,
    """
CREATE INDEX memory_sketch_n ON memory_sketch (n)
    """,
    """
CREATE TABLE memory_source (
    memory_id TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (memory_id, cursor)
)
 WITHOUT ROWID
    """,
    """
CREATE INDEX memory_source_cursor ON memory_source (cursor)
    """,
    """
CREATE TABLE observation (
    cursor INTEGER NOT NULL,
    at INTEGER NOT NULL,
    session_id TEXT,
    task_id TEXT,
    role TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    trust TEXT NOT NULL,
    private BOOLEAN DEFAULT 0 NOT NULL,
    repo TEXT,
    origins TEXT DEFAULT '[]' NOT NULL,
    PRIMARY KEY (cursor)
)
    """,
    """
CREATE INDEX observation_session ON observation (session_id, cursor)
    """,
    """
CREATE TABLE tombstone (
    text_hash TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    fact_key TEXT,
    "by" TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (text_hash)
)
    """,
    """
CREATE INDEX tombstone_key ON tombstone (fact_key) WHERE fact_key IS NOT NULL
    """,
    """
CREATE TABLE topic (
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    hook TEXT DEFAULT '' NOT NULL,
    rendered_hash TEXT,
    rendered BLOB,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name)
)
    """,
    """
CREATE VIRTUAL TABLE observation_fts USING fts5(text, previous, next, date, tokenize = 'porter unicode61')
    """,
    """
CREATE VIRTUAL TABLE memory_fts USING fts5(text, previous, next, date, tokenize = 'porter unicode61')
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
