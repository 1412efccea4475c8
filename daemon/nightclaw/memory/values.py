"""What a fact may say: values with a type (port, version, date, path, amount …), found and brought to one form. Pure.

Two wordings of one value have one form ("30 seconds", "30s"; "v2.1", "2.1"; "Thursdays", "thursday"), and two values
never share one.
"""

import re
from dataclasses import dataclass

from nightclaw.memory.dates import DAYS, MONTHS

_DAY = "|".join(DAYS)
_MONTH = "|".join(MONTHS) + "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
_UNITS = {
    "ms": "ms|msecs?|milliseconds?", "s": "s|secs?|seconds?", "min": "m|mins?|minutes?", "h": "h|hrs?|hours?",
    "day": "d|days?", "week": "w|weeks?", "month": "months?", "year": "y|yrs?|years?",
    "kb": "kb|kib|kilobytes?", "mb": "mb|mib|megabytes?", "gb": "gb|gib|gigs?|gigabytes?", "tb": "tb|tib|terabytes?",
    "%": "%|percent|per cent", "usd": "usd|dollars?|bucks", "eur": "eur|euros?|€", "gbp": "gbp|pounds?",
    "km": "km|kilometers?|kilometres?", "kg": "kg|kilos?|kilograms?", "rps": "rps|requests per second",
    "times": "times|x|retries|attempts", "replica": "replicas?", "worker": "workers?", "core": "cores?",
    "person": "people|persons?|seats?",
}  # fmt: skip
_UNIT_OF = {
    re.compile(pattern + r"\Z", re.I): unit for unit, pattern in ((u, f"(?:{p})") for u, p in _UNITS.items())
}
_SMALL = {
    w: str(n) for n, w in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
} | {"fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90",
     "hundred": "100"}  # fmt: skip
_AMOUNT = r"\d[\d,_']*(?:\.\d+)?k?"
_UNIT = "|".join(_UNITS.values())
_DATES = (
    r"(?:around )?\d{4}-\d\d-\d\d(?: \d\d:\d\d)?",
    rf"\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTH})(?:,? \d{{4}})?",
    rf"(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?",
    r"\d{4}-\d\d(?: \([a-z]+\))?|\d{4}-q[1-4]|(?:the )?week(?:end)? of \d{4}-\d\d-\d\d",
)
_WEEKLY = (
    rf"(?:every |each )?(?:{_DAY})s?(?: (?:mornings?|afternoons?|evenings?|nights?))?",
    rf"(?: (?:and|to|through) (?:{_DAY})s?)?(?: (?:at )?\d{{1,2}}(?::\d\d)?(?: ?[ap]\.?m\.?)?)?",
)
_TIMES = (
    r"(?:[01]?\d|2[0-3]):[0-5]\d(?: ?[ap]\.?m\.?)?(?: (?:utc|cet|cest|gmt|est|pst))?",
    r"\d{1,2} ?[ap]\.?m\.?|noon|midnight|\d{1,2} o'clock",
)
_SUFFIXES = "toml|ya?ml|json|ini|cfg|conf|md|txt|py|sh|rs|go|ts|js|log|csv|sql|env|xml|db"
_PATHS = (
    r"~?(?:\.{1,2})?/[\w.@+~{}/-]*[\w@+~}/-]",
    r"[\w.@+-]+/(?:[\w.@+-]+/)*[\w.@+-]*\.\w{1,6}",
    rf"[\w-]+(?:\.[\w-]+)*\.(?:{_SUFFIXES})",
)
_HOSTS = (
    r"[a-z0-9][\w-]*(?:\.[\w-]+){2,}",
    r"[a-z0-9][\w-]*\.(?:com|org|net|io|dev|local|lan|internal)(?::\d+)?",
)
_TYPES = tuple(
    (kind, re.compile(rf"(?i)(?:{pattern})"))
    for kind, pattern in {
        "literal": r"`[^`]+`",
        "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        "url": r"[a-z][a-z0-9+.-]*://[^\s,;]*[^\s,;.!?)]",
        "date": "|".join(_DATES),
        "day": "".join(_WEEKLY),
        "time": "|".join(_TIMES),
        "ip": r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?:/\d+)?",
        "port": r"port (?:number |no\.? )?:?\d{2,5}|:\d{2,5}(?![\d:])|tcp[/ ]\d{2,5}|udp[/ ]\d{2,5}",
        "phone": r"\+\d[\d ()-]{6,18}\d",
        "version": r"(?:versions? |release )v?\d[\w.+-]*|v\d+(?:[\w.+-]*\w)?|\d+\.\d+\.\d+(?:[\w.+-]*\w)?",
        "money": rf"[$€£] ?{_AMOUNT}|{_AMOUNT} ?(?:usd|eur|gbp|dollars?|euros?|€|bucks)",
        "amount": rf"{_AMOUNT} ?-?(?:{_UNIT})(?![\w])",
        "path": "|".join(_PATHS),
        "host": "|".join(_HOSTS),
        "number": rf"#?{_AMOUNT}(?![\w.-]*[a-z])",
    }.items()
)
"""Tried in this order; the first that fits takes the place."""
_ARTICLE = re.compile(r"(?i)^(?:the|an?|our|my|its|their|your|only|just|exactly|about|always)\s+")


@dataclass(frozen=True, slots=True)
class Value:
    """kind: the type, `name` for plain words. form: the one form of it. start, end: where it stands."""

    kind: str
    form: str
    start: int
    end: int


def typed(text: str) -> list[Value]:
    """Every value with a type in `text`, leftmost and longest first, none overlapping."""
    found = list[Value]()
    for kind, pattern in _TYPES:
        for m in pattern.finditer(text):
            before, after = text[m.start() - 1 : m.start()], text[m.end() : m.end() + 1]
            if (
                before.isalnum()
                or before in ("_", "-", "/", ".")
                or (after.isalnum() and m[0][-1:].isalnum())
            ):
                continue
            if not any(v.start < m.end() and m.start() < v.end for v in found):
                found.append(Value(kind, _form(kind, m[0]), m.start(), m.end()))
    return sorted(found, key=lambda v: v.start)


def whole(text: str) -> Value:
    """`text` as one value: of a type when that is all it holds, else a name of its words."""
    words = text.strip().strip("\"'“”").rstrip(".,;!")
    while (shorter := _ARTICLE.sub("", words)) != words:
        words = shorter
    spelled = None if re.match(r"(?i)(?:the|an?) ", text.strip()) else _SMALL.get(words.lower().split(" ")[0])
    if spelled is not None:
        words = spelled + words[len(words.split(" ")[0]) :]
    for v in typed(words):
        if (v.start, v.end) == (0, len(words)):
            return Value(v.kind, v.form, 0, len(text))
    return Value("name", " ".join(words.casefold().split()), 0, len(text))


def _form(kind: str, words: str) -> str:
    words = " ".join(words.casefold().split())
    if kind == "literal":
        return words.strip("`").strip()
    if kind == "port":
        return re.sub(r"\D", "", words)
    if kind == "version":
        return re.sub(r"^(?:versions?|release)\s+", "", words).lstrip("v")
    if kind in ("money", "amount", "number"):
        return _amount(words)
    if kind == "time":
        return _time(words)
    if kind == "day":
        days = re.sub(rf"\b({_DAY})s\b", r"\1", re.sub(r"^(?:every|each) ", "", words))
        at = re.search(r" (?:at )?(\d{1,2}(?::\d\d)?(?: ?[ap]\.?m\.?)?)$", days)
        return f"{days[: at.start()]} {_time(at[1])}" if at else days
    if kind == "date":
        return _date(words)
    return words.rstrip("/") or words if kind in ("url", "path") else words


def _amount(words: str) -> str:
    sign = {"$": "usd", "€": "eur", "£": "gbp"}.get(words[0], "")
    m = re.match(r"[$€£#]? ?(\d[\d,_']*(?:\.\d+)?)(k(?![a-z]))?\s*-?(.*)", words)
    if m is None:
        return words
    number = re.sub(r"[,_']", "", m[1])
    if "." in number and not m[2] and not m[3] and not sign:
        return number  # 4.30 may be a version
    number = f"{float(number) * (1000 if m[2] else 1):g}" if len(number) < 7 or m[2] else number
    unit = next((u for p, u in _UNIT_OF.items() if m[3] and p.match(m[3])), m[3]) or sign
    return f"{number} {unit}".strip()


def _time(words: str) -> str:
    if words in ("noon", "midnight"):
        return "12:00" if words == "noon" else "00:00"
    m = re.match(r"(\d{1,2})(?::(\d\d))?(?: o'clock)? ?([ap])?\.?(?:m\.?)?(?: (\w+))?", words)
    if m is None:
        return words
    hour = int(m[1]) % 12 + (12 if m[3] == "p" else 0) if m[3] else int(m[1])
    return f"{hour:02}:{m[2] or '00'}" + (f" {m[4]}" if m[4] else "")


def _date(words: str) -> str:
    m = re.match(rf"(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTH})(?:,? (\d{{4}}))?\Z", words)
    if m is None:
        m2 = re.match(rf"({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\Z", words)
        parts = (m2[2], m2[1], m2[3]) if m2 else None
    else:
        parts = (m[1], m[2], m[3])
    if parts is None:
        return words.removeprefix("the ")
    month = next(i for i, name in enumerate(MONTHS, 1) if name.startswith(parts[1][:3]))
    return f"{parts[2] or '*'}-{month:02}-{int(parts[0]):02}"
