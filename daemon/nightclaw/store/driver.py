"""The driver's own connection under SQLAlchemy's, for the few statements every webhook runs."""

import sqlite3
from typing import cast

from sqlalchemy import Connection


def driver(conn: Connection) -> sqlite3.Connection:
    """The sqlite3 connection of a writer's `conn`, in the same transaction."""
    return cast(sqlite3.Connection, conn.connection.driver_connection)
