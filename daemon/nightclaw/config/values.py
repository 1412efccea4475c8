"""The small written forms of the config and what they mean: durations, addresses, hours, globs, verdicts.

Every parser takes what TOML gave and returns the value, or raises `Bad` with the problem and what would be right.
"""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from nightclaw.core.types import Verdict

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31_536_000.0}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w|y)")
_HOURS = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)$")
_TOOL_RULE = re.compile(r"^[A-Za-z_*][\w*-]*(?:\(.+\))?$", re.DOTALL)


class Bad(ValueError):
    """A value that cannot be used. `at`: where below the validated value it stands, for the line number."""

    def __init__(self, problem: str, remedy: str, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.at = at


def nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known word that `word` most likely meant, if any is near."""
    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(word.lower(), list(by_lower), 1, cutoff)
    return by_lower[found[0]] if found else None


def shown(value: object) -> str:
    """A value as a reader of TOML would write it, clipped."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"'
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def duration(value: object) -> float:
    """Seconds of `"1.5s"`, `"5m"`, `"1h30m"`, `"90d"`, `"1y"` (365 days)."""
    remedy = 'write a number and a unit, like "90s", "5m", "1h30m", "7d" or "1y"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Bad(f"{shown(value)} has no unit", f'{remedy}; did you mean "{value:g}s"?')
    if not isinstance(value, str):
        raise Bad(f"{shown(value)} is not a duration", remedy)
    text = value.strip().lower()
    if not text or _PIECE.sub("", text).strip():
        raise Bad(f"{shown(value)} is not a duration", remedy)
    return sum(float(n) * UNITS[unit] for n, unit in _PIECE.findall(text))


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a listener binds. `port` 0: any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback


def listen(value: object) -> Listen | None:
    """The address of `"127.0.0.1:8787"`, `"[::1]:8787"` or `":0"` (loopback); None for `"off"`."""
    remedy = 'write "127.0.0.1:8787", "[::1]:8787", ":0" for a free port, or "off"'
    if value is None or isinstance(value, Listen):
        return value
    if not isinstance(value, str):
        raise Bad(f"{shown(value)} is not an address to listen on", remedy)
    text = value.strip()
    if text == "off":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise Bad(f"{shown(value)} has no port", remedy)
    if int(port) > 65535:
        raise Bad(f"port {port} is over 65535", remedy)
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    host = host or "127.0.0.1"
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise Bad(f'"{host}" is not an IP address of this machine', remedy) from None
    return Listen(host, int(port))


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Minutes after local midnight; `start` > `end` runs over midnight. `end` itself is no longer quiet."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        """True when the local minute of the day `minute` (0 to 1439) is quiet."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def quiet_hours(value: object) -> QuietHours | None:
    if value is None or isinstance(value, QuietHours):
        return value
    found = _HOURS.match(value.strip()) if isinstance(value, str) else None
    if value in ("", "off"):
        return None
    if found is None or (found[3] == "24" and found[4] != "00"):
        raise Bad(f"{shown(value)} is not a span of hours", 'write it like "22:00-08:00", or "off"')
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise Bad(f"{shown(value)} is empty", 'begin and end must differ, like "22:00-08:00"; "off" for none')
    return QuietHours(start, end)


def verdict(value: object) -> Verdict:
    if isinstance(value, Verdict):
        return value
    known = [str(v) for v in Verdict]
    if not isinstance(value, str) or value not in known:
        near = nearest(value, known) if isinstance(value, str) else None
        hint = f'did you mean "{near}"? ' if near else ""
        raise Bad(f"{shown(value)} is not a verdict", f"{hint}it is one of {', '.join(known)}")
    return Verdict(value)


def glob(value: object) -> str:
    """A path or name pattern that can match something."""
    if not isinstance(value, str) or not value.strip():
        raise Bad(f"{shown(value)} is not a pattern", 'write one like "*.py" or "src/**"')
    if "\0" in value or "\n" in value:
        raise Bad("the pattern holds a control character", 'write one like "*.py" or "src/**"')
    if "***" in value:
        raise Bad(f"{shown(value)} can match nothing", 'use "*" within a name, "**" across folders')
    depth = 0
    for char in value.replace("\\[", "").replace("\\]", ""):
        depth += (char == "[" and depth == 0) - (char == "]" and depth > 0)
    if depth:
        raise Bad(
            f'{shown(value)} opens a "[" and never closes it', 'close it, or write "\\\\[" for the character'
        )
    return value


def repository(value: object) -> str:
    """`owner/name`, globs allowed in both halves."""
    text = glob(value)
    owner, _, name = text.partition("/")
    if not owner or not name or "/" in name or " " in text:
        raise Bad(
            f"{shown(value)} is not a repository", 'write "owner/name", or "owner/*" for all of an owner'
        )
    return text


def web_address(value: object) -> str:
    text = value.strip().rstrip("/") if isinstance(value, str) else ""
    if not re.match(r"^https?://[^/\s?#@]+(?:/[^\s?#]*)?$", text):
        raise Bad(f"{shown(value)} is not a web address", 'write it like "https://claw.example.org"')
    return text


def tool_rule(value: object) -> str:
    if not isinstance(value, str) or not _TOOL_RULE.match(value):
        raise Bad(
            f"{shown(value)} is not a tool rule", 'write "Tool" or "Tool(specifier)", like "Bash(pytest *)"'
        )
    return value
