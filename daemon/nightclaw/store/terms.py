"""Words of the full-text index: how a moment is written there, and which words of a question say nothing."""

import time

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def date_words(at: int) -> str:
    """A moment (ms, UTC) as a question may name it: `2023-05-08 8 may 2023 monday`."""
    t = time.gmtime(at / 1000)
    return (
        f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02} {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year}"
        f" {_DAYS[t.tm_wday]}"
    )
