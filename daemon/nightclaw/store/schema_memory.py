"""The tables of memory: raw observations, memories made of them, tombstones, dreams; and their full-text indexes.

Raw rows are append-only. `memory_fts` and `observation_fts` hold a row's text beside its neighbours' and its date, so
that a question finds the turn before the answer too; their rowids are `memory.n` and `observation.cursor`.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from nightclaw.store.tables import id_column as _id
from nightclaw.store.tables import metadata

observation = Table(
    "observation",
    metadata,
    Column("cursor", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("session_id", Text),
    Column("task_id", Text),
    Column("role", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("private", Boolean, nullable=False, server_default=text("0")),
    Column("repo", Text),
    Column("origins", Text, nullable=False, server_default="[]"),
    Index("observation_session", "session_id", "cursor"),
)

memory = Table(
    "memory",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("private", Boolean, nullable=False, server_default=text("0")),
    Column("repo", Text),
    Column("origins", Text, nullable=False, server_default="[]"),
    Column("sources", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("applies", Text),
    Column("fact_key", Text),
    Column("fact_value", Text),
    Column("observed_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("verified_by", Text),
    Column("verified_at", Integer),
    Column("doubted_at", Integer),
    Column("supersedes", Text),
    Column("superseded_by", Text),
    Column("used_at", Integer),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Index("memory_topic", "topic", "state"),
    Index("memory_key", "fact_key", sqlite_where=text("fact_key IS NOT NULL")),
    Index("memory_state", "state", "n"),
    Index(
        "memory_expiry",
        "expires_at",
        sqlite_where=text("expires_at IS NOT NULL AND state IN ('candidate', 'active')"),
    ),
    Index(
        "memory_doubt",
        "doubted_at",
        sqlite_where=text("doubted_at IS NOT NULL AND state IN ('candidate', 'active')"),
    ),
)

memory_source = Table(
    "memory_source",
    metadata,
    Column("memory_id", Text, primary_key=True),
    Column("cursor", Integer, primary_key=True),
    Index("memory_source_cursor", "cursor"),
    sqlite_with_rowid=False,
)

memory_sketch = Table(
    "memory_sketch",
    metadata,
    Column("hash", Integer, primary_key=True),
    Column("n", Integer, primary_key=True),
    Index("memory_sketch_n", "n"),
    sqlite_with_rowid=False,
)
"""What a row says, as hashes: rows that may say the same are found by one look, however many there are."""

tombstone = Table(
    "tombstone",
    metadata,
    Column("text_hash", Text, primary_key=True),
    Column("memory_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("fact_key", Text),
    Column("by", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Index("tombstone_key", "fact_key", sqlite_where=text("fact_key IS NOT NULL")),
)

topic = Table(
    "topic",
    metadata,
    Column("name", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("hook", Text, nullable=False, server_default=""),
    Column("rendered_hash", Text),
    Column("rendered", LargeBinary),
    Column("updated_at", Integer, nullable=False),
)

dream = Table(
    "dream",
    metadata,
    _id(),
    Column("state", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("signal_id", Text),
    Column("task_id", Text),
    Column("phases", Text, nullable=False, server_default="[]"),
    Column("from_cursor", Integer, nullable=False),
    Column("to_cursor", Integer, nullable=False),
    Column("counts", Text, nullable=False, server_default="{}"),
    Column("usage", Text, nullable=False, server_default="{}"),
    Column("diff", LargeBinary),
    Column("pre_image", LargeBinary),
    Column("undone_by", Text, ForeignKey("dream.id")),
    Column("created_at", Integer, nullable=False),
    Column("finished_at", Integer),
    Index("dream_created", "created_at"),
)

FTS = (
    "CREATE VIRTUAL TABLE observation_fts USING fts5(text, previous, next, date, tokenize = 'porter unicode61')",
    "CREATE VIRTUAL TABLE memory_fts USING fts5(text, previous, next, date, tokenize = 'porter unicode61')",
)
"""Made beside the tables: SQLAlchemy does not know virtual tables."""
