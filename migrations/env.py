"""Alembic's entry: brings the database named by the attribute `database` to the newest revision, in one transaction.

Run in a child process by the daemon at boot, after a copy of the database was made.
"""

from alembic import context
from sqlalchemy import URL, create_engine, pool


def run() -> None:
    database: str = context.config.attributes["database"]
    engine = create_engine(URL.create("sqlite", database=database), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        context.configure(connection=connection, transactional_ddl=True)
        context.run_migrations()
        connection.exec_driver_sql("COMMIT")
    engine.dispose()


run()
