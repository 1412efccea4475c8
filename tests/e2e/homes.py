"""Configs and clocks for test homes: quiet defaults, so that whatever comes in came from the test."""

import struct
from datetime import UTC, datetime
from pathlib import Path

HEAD = """
timezone = "{timezone}"
[ingress]
listen = ":0"
public_url = "http://localhost"
[tick]
{tick}
"""
GITHUB = """
[github]
owners = ["octocat"]
accounts = ["*"]
secret = { env = "HUB_SECRET" }
poll = "off"
"""
REPOS = """
[[github.repo]]
name = "*/*"
"""


def standard(
    notes: str | None = None,
    *,
    timezone: str = "UTC",
    tick: str = 'every = "12h"',
    github: str = GITHUB,
    repos: str = REPOS,
    notify: str = "per_hour = 1000",
    more: str = "",
) -> str:
    """A config that listens anywhere, ticks almost never and believes every repository."""
    urls = f'urls = ["{notes}"]' if notes else "urls = []"
    return HEAD.format(timezone=timezone, tick=tick) + github + repos + f"[notify]\n{urls}\n{notify}\n" + more


def zone_in_which_it_is(clock: str, folder: Path, name: str = "Claw/Soon") -> dict[str, str]:
    """Write a time zone where the wall clock shows `clock` (HH:MM:SS) now; the environment that knows it.

    Quiet hours and cron lines are said in minutes, and a test cannot wait for one.
    """
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    now = datetime.now(UTC)
    offset = (hours - now.hour) * 3600 + (minutes - now.minute) * 60 + seconds - now.second
    offset = (offset + 43200) % 86400 - 43200
    table = struct.pack(">6L", 0, 0, 0, 0, 1, 4) + struct.pack(">lBB", offset, 0, 0) + b"NOW\0"
    path = folder / "zones" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"TZif" + b"\0" * 16 + table)
    return {"PYTHONTZPATH": f"{folder / 'zones'}:/usr/share/zoneinfo"}
