"""A home of any earlier version opens in this one, whole or untouched; a newer one is refused untouched."""

import contextlib
import importlib
import re
import sqlite3
from pathlib import Path

import pytest

from nightclaw import boot
from nightclaw.core.errors import HomeTooNew
from nightclaw.store.schema import SCHEMA_VERSION

VERSIONS = sorted(p.stem for p in (Path(__file__).parents[3] / "migrations" / "versions").glob("0*.py"))


def as_of(path: Path, version: str) -> None:
    """A database as the program of that version left it."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        for name in VERSIONS:
            module = importlib.import_module(f"nightclaw.migrations.versions.{name}")
            for statement in module.STATEMENTS:
                db.execute(statement)
            if module.revision == version:
                break
        db.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        db.execute("INSERT INTO session (id, title, created_at, updated_at) VALUES ('main', 'kept', 1, 1)")
        db.commit()


def shape(path: Path) -> dict[str, object]:
    """Tables with their columns, and indexes, whatever order they were made in."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        found: dict[str, object] = {
            t: sorted((r[1], r[2], r[3], r[4], r[5]) for r in db.execute(f'PRAGMA table_info("{t}")'))
            for t in tables
        }
        for name, sql in db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql > ''"
        ):
            found[name] = re.sub(r'[\s"]+', "", sql)
        return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Its path holds what SQLite, SQLAlchemy and alembic each read as more than a letter."""
    home = tmp_path / "50%20 of a house? mode=rw & #1 %(here)s"
    boot.make_home(home)
    return home


@pytest.mark.parametrize("version", [v[:4] for v in VERSIONS])
def test_every_earlier_home_becomes_a_fresh_one_with_its_rows(home: Path, version: str) -> None:
    fresh = home / "fresh.db"
    boot.make_database(fresh)
    path = home / "nightclaw.db"
    as_of(path, version)
    boot.ensure_schema(path)
    assert shape(path) == shape(fresh)
    assert boot.version_of(path) == SCHEMA_VERSION
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT title FROM session").fetchall() == [("kept",)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copies = list((home / "backups").glob("before-*.db"))
    assert len(copies) == (version != SCHEMA_VERSION)
    for copy in copies:
        assert boot.version_of(copy) == version


def test_a_newer_home_is_left_alone(home: Path) -> None:
    path = home / "nightclaw.db"
    boot.make_database(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.commit()
    before = path.read_bytes()
    with pytest.raises(HomeTooNew):
        boot.ensure_schema(path)
    assert path.read_bytes() == before
