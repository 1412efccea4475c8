"""Alembic's entry: brings the database named by `sqlalchemy.url` to the newest revision, one transaction in all.

Run in a child process by the daemon at boot, after a copy of the database was made.
"""

from alembic import context
from sqlalchemy import create_engine, pool


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise SystemExit("migrations: no database was named")
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        context.configure(connection=connection, transactional_ddl=True)
        context.run_migrations()
        connection.exec_driver_sql("COMMIT")
    engine.dispose()


run()
