"""Cron expressions are judged by the library that will compute their times; it is loaded only for them."""

from datetime import UTC, datetime

from nightclaw.config.values import Bad, shown


def check_cron(expression: str) -> None:
    """Raise Bad unless `expression` has five fields, is sound and can come due."""
    remedy = 'write five fields: minute hour day month weekday, like "0 8 * * 1-5"'
    if len(expression.split()) != 5:
        raise Bad(f"{shown(expression)} has {len(expression.split())} fields", remedy, ("cron",))
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise Bad(f"{shown(expression)} is not a cron expression ({error})", remedy, ("cron",)) from None
