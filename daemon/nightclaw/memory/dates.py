"""Relative dates made absolute, and how long a dated fact holds. Pure; from the moment the words were said, never now.

"next Friday" is the first Friday after that day, "last Friday" the last one before it. A month becomes `2026-10
(October)`, a week `the week of 2026-11-16` (its Monday). What recurs ("on Fridays", "every March", a birthday) and what
stands in back quotes stays as it is.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_NUMBERS = {w: n for n, w in enumerate(_WORDS)} | {
    "a": 1, "an": 1, "couple": 2, "a couple": 2, "a couple of": 2, "couple of": 2, "few": 3, "a few": 3, "several": 3,
    "thirty": 30, "sixty": 60, "ninety": 90,
}  # fmt: skip
_N = r"(?:\d{1,3}|a couple of|a couple|couple of|a few|few|several|an?|" + "|".join(
    w for w in _NUMBERS if " " not in w and w not in ("a", "an", "couple", "few", "several", "zero")
) + ")"  # fmt: skip
_DAY = "|".join(DAYS) + "|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun"
_MONTH = "|".join(MONTHS) + "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
_RECURS = re.compile(
    r"(?i)\b(?:every|each|weekly|daily|monthly|yearly|annual(?:ly)?|usually|normally|always|never|whenever|birthdays?"
    r"|anniversar(?:y|ies)|regular(?:ly)?|recurring|born)\b"
    r"|\b[a-z]+s (?:happen|go out|run|are|take place|start|end|ship)\b"
)
_PAST = re.compile(
    r"(?i)\b(?:was|were|did|had|went|met|got|made|said|told|began|ran|broke|came|left|sent|took|saw|found|lost|won"
    r"|gave|wrote|spent|bought|built|fell|(?<!be )(?<!to )(?<!is )(?<!are )[a-z]{2,}ed)\b"
)
_KEEP = re.compile(r"`[^`]*`")
_PREPOSITION = re.compile(
    r"(?i)(?:\b(?:in|on|by|until|till|through|during|for|since|from|before|after|over|within|of|to|only|as of|starting"
    r"|effective|q[1-4])|[(\"'])\s*(?:the\s+)?$"
)
_ISO = r"\d{4}-\d\d-\d\d"
_PERIOD = (
    rf"(?:the )?(?:(?:week|weekend) of )?(?P<iso>{_ISO})|(?P<month>\d{{4}}-\d\d)(?!-\d)|(?P<quarter>\d{{4}}-Q[1-4])"
    rf"|(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m>{_MONTH}),? (?P<y>\d{{4}})"
    rf"|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})"
)
_UNTIL = re.compile(
    rf"(?i)\b(?P<how>until|till|through|thru|up to|up until|by|before|no later than|not after|valid to)"
    rf"(?: and including)?(?: (?:the )?(?:end|close) of)? (?P<what>{_PERIOD})"
)
_ONLY = re.compile(rf"(?i)(?:\b(?:only|just)(?: (?:for|in|on|during))? (?P<what>{_PERIOD}))")
_ONLY_AFTER = re.compile(rf"(?i)(?P<what>{_PERIOD})(?: \([a-z]+\))?,? (?:only|alone)\b")
_FOR = re.compile(
    rf"(?i)(?<!scheduled )(?<!planned )(?<!set )(?<!due )(?<!booked )\b(?:for|during) (?P<what>{_PERIOD})(?! (?:release|version|budget))"
)
_AWAY = re.compile(
    rf"(?i)\b(?:away|out|off|leave|vacation|holiday|closed|frozen|freeze|unavailable|down|paused|travell?ing)\b"
    rf".{{0,40}}?\bfor (?:the next )?(?P<n>{_N}) (?P<unit>day|week|month)s?\b"
)


def absolute(text: str, at: int, tz: tzinfo) -> str:
    """`text`, said at `at` (ms), with its relative dates written out."""
    moment = datetime.fromtimestamp(at / 1000, tz)
    said = _Said(moment, _RECURS.search(text) is not None, _PAST.search(text) is not None)
    for pattern, write in _RULES:
        out, end = list[str](), 0
        kept = [m.span() for m in _KEEP.finditer(text)]
        for m in pattern.finditer(text):
            written = None if any(a <= m.start() < b for a, b in kept) else write(said, m)
            if written is not None:
                out += [text[end : m.start()], written]
                end = m.end()
        text = "".join([*out, text[end:]])
    return text


def expiry(text: str, at: int, tz: tzinfo) -> int | None:
    """When the fact of an absolute text stops to hold (ms), by its own words; None when they set no end."""
    found: list[date] = []
    for pattern in (_UNTIL, _ONLY, _ONLY_AFTER, _FOR):
        for m in pattern.finditer(text):
            end = _end_of(m)
            if end is not None:
                is_before = pattern is _UNTIL and m["how"].lower() == "before"
                found.append(_start_of(m, end) if is_before else end + timedelta(days=1))
    away = _AWAY.search(text)
    if away is not None and not found:
        said = datetime.fromtimestamp(at / 1000, tz).date()
        found.append(_shift(said, _number(away["n"]), away["unit"].lower()) + timedelta(days=1))
    ends = [round(datetime.combine(d, time(), tz).timestamp() * 1000) for d in found]
    ends = [e for e in ends if e > at]
    return min(ends) if ends else None


def _end_of(m: re.Match[str]) -> date | None:
    try:
        if m["iso"]:
            day = date.fromisoformat(m["iso"])
            words = m["what"].lower()
            return day + timedelta(days=6 if "week of" in words else 1 if "weekend of" in words else 0)
        if m["month"]:
            year, month = (int(x) for x in m["month"].split("-"))
            return date(year, month, monthrange(year, month)[1])
        if m["quarter"]:
            year, month = int(m["quarter"][:4]), 3 * int(m["quarter"][-1])
            return date(year, month, monthrange(year, month)[1])
        name, day_n, year = (m["m"], m["d"], m["y"]) if m["m"] else (m["m2"], m["d2"], m["y2"])
        return date(int(year), _month(name), int(day_n))
    except ValueError:
        return None


def _start_of(m: re.Match[str], end: date) -> date:
    return date.fromisoformat(m["iso"]) if m["iso"] else end.replace(day=1) if m["month"] else end


Make = Callable[["_Said", re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class _Said:
    """The moment words were said, and what their dates mean from there. Each method writes one phrase out."""

    moment: datetime
    recurs: bool
    is_past: bool

    @property
    def day(self) -> date:
        return self.moment.date()

    @property
    def monday(self) -> date:
        return self.day - timedelta(days=self.day.weekday())

    def near(self, m: re.Match[str]) -> str:
        words = m[0].lower()
        after, before = "after" in words, "before" in words
        n = 2 if after else -2 if before else 1 if "tomorrow" in words else -1 if "yesterday" in words else 0
        return f"{_on(m)}{(self.day + timedelta(days=n)).isoformat()}"

    def part(self, m: re.Match[str]) -> str:
        words = m[0].lower()
        n = 1 if "tomorrow" in words else -1 if re.match("(on )?yesterday|last", words) else 0
        found = next(
            (p for p in ("morning", "afternoon", "evening", "night") if re.search(rf"\b{p}", words)),
            "evening",
        )
        return f"{_on(m)}{(self.day + timedelta(days=n)).isoformat()} in the {found}"

    def ago(self, m: re.Match[str]) -> str:
        return self._moved(m, -_number(m["n"]))

    def ahead(self, m: re.Match[str]) -> str | None:
        return None if _DURATION.search(m.string[: m.start()]) else self._moved(m, _number(m["n"]))

    def _moved(self, m: re.Match[str], n: int) -> str:
        unit = m["unit"].lower()
        about = "around " if re.search(r"(?i)few|several", m["n"]) else ""
        if unit in ("minute", "hour"):
            moment = self.moment + timedelta(**{unit + "s": n})
            return f"{_on(m)}{about}{moment:%Y-%m-%d %H:%M}"
        day = self.day + timedelta(days="tomorrow" in m[0].lower())
        return f"{_on(m)}{about}{_shift(day, n, unit).isoformat()}"

    def since(self, m: re.Match[str]) -> str:
        begun = _shift(self.day, -_number(m["n"] or "1"), m["unit"].lower())
        return _cased(m, f"since {begun.isoformat()}")

    def until(self, m: re.Match[str]) -> str:
        end = _shift(self.day, _number(m["n"] or "1"), m["unit"].lower())
        return _cased(m, f"until {end.isoformat()}")

    def span(self, m: re.Match[str]) -> str:
        """A week, weekend, month, quarter or year."""
        n, what, day = _WAYS.get(m["way"].lower().split()[-1], -1), m["what"].lower(), self.day
        if what == "week":
            words = f"the week of {(self.monday + timedelta(weeks=n)).isoformat()}"
        elif what == "weekend":
            words = f"the weekend of {(self.monday + timedelta(days=5, weeks=n)).isoformat()}"
        elif what == "month":
            first = _shift(day.replace(day=1), n, "month")
            words = f"{first:%Y-%m} ({MONTHS[first.month - 1].title()})"
        elif what == "quarter":
            year, q = divmod(day.year * 4 + (day.month - 1) // 3 + n, 4)
            words = f"{year}-Q{q + 1}"
        else:
            words = str(day.year + n)
        if m["s"]:
            return _cased(m, words if words.startswith("the ") else f"the {words}")
        return f"{_in(m)}{words}"

    def weekday(self, m: re.Match[str]) -> str | None:
        n, way = _weekday(m["day"]), m["way"].lower().split()[-1]
        if way in ("last", "past", "previous"):
            if re.match(r"(?i)\s+(?:of|in)\s+(?:the|each|every)\b", m.string[m.end() :]):
                return None
            return f"{_on(m)}{self._last(n).isoformat()}"
        if way == "this" and n == self.day.weekday():
            return f"{_on(m)}{self.day.isoformat()}"
        return f"{_on(m)}{self._next(n).isoformat()}"

    def bare_day(self, m: re.Match[str]) -> str | None:
        if self.recurs:
            return None
        n, how = _weekday(m["day"]), m["how"].lower()
        looks_back = how == "since" or (self.is_past and how in ("on", "before", "after", "from", "through"))
        return f"{m['how']} {(self._last(n) if looks_back else self._next(n)).isoformat()}"

    def moved_to(self, m: re.Match[str]) -> str:
        return f"{m['before']}{self._next(_weekday(m['day'])).isoformat()}"

    def _last(self, n: int) -> date:
        return self.day - timedelta(days=(self.day.weekday() - n) % 7 or 7)

    def _next(self, n: int) -> date:
        return self.day + timedelta(days=(n - self.day.weekday()) % 7 or 7)

    def edge(self, m: re.Match[str]) -> str:
        n, what = _WAYS.get((m["way"] or "this").lower().split()[-1], 0), m["what"].lower()
        is_end, day = m["edge"].lower() in ("end", "close"), self.day
        if what == "day":
            return day.isoformat()
        if what == "week":
            return (self.monday + timedelta(weeks=n, days=4 if is_end else 0)).isoformat()
        months = {"month": 1, "quarter": 3, "year": 12}[what]
        first = _shift(date(day.year, (day.month - 1) // months * months + 1, 1), n * months, "month")
        return (_shift(first, months, "month") - timedelta(days=1) if is_end else first).isoformat()

    def day_of_month(self, m: re.Match[str]) -> str | None:
        """ "the first of next month", "the last day of this month", "the 15th of last month"."""
        first = _shift(self.day.replace(day=1), _WAYS.get(m["way"].lower(), 0), "month")
        longest, nth = monthrange(first.year, first.month)[1], m["nth"].lower()
        n = longest if nth == "last" else 1 if nth == "first" else int(re.sub(r"\D", "", nth))
        return f"{_on(m)}{first.replace(day=n).isoformat()}" if 1 <= n <= longest else None

    def day_of_week(self, m: re.Match[str]) -> str:
        """ "Friday of next week"."""
        monday = self.monday + timedelta(weeks=_WAYS.get(m["way"].lower(), 0))
        return f"{_on(m)}{(monday + timedelta(days=_weekday(m['day']))).isoformat()}"

    def dated(self, m: re.Match[str]) -> str | None:
        """A day and month get the year that is meant."""
        if self.recurs:
            return None
        name, n = (m["m"], m["d"]) if m["m"] else (m["m2"], m["d2"])
        try:
            found = [date(self.day.year + y, _month(name), int(n)) for y in (-1, 0, 1)]
        except ValueError:
            return None
        if self.is_past and not _AHEAD.search(m.string[: m.start()]):
            return f"{m[0]} {max((d for d in found if d <= self.day), default=found[0]).year}"
        return f"{m[0]} {min((d for d in found if d >= self.day), default=found[2]).year}"


def _rx(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)(?<![\w`/-])(?:{pattern})(?![\w/-])")


_WAYS = {
    "next": 1,
    "coming": 1,
    "following": 1,
    "this": 0,
    "current": 0,
    "last": -1,
    "past": -1,
    "previous": -1,
}
_DURATION = re.compile(r"(?i)\b(?:finish\w*|complet\w*|respond\w*|return\w*|done|runs?|takes?|built)\s*$")
_AHEAD = re.compile(r"(?i)\b(?:by|until|till|before|through|due|due on|no later than)\s+(?:the )?$")
_UNIT = r"(?P<unit>day|week|fortnight|month|year)s?"
_WAY = r"(?P<way>next|this|last|the current|the coming|the following|the previous)"
_RULES: tuple[tuple[re.Pattern[str], Make], ...] = (
    (_rx(r"(?:the )?day after tomorrow|(?:the )?day before yesterday"), _Said.near),
    (
        _rx(r"(?:on )?(?:yesterday|tomorrow) (?:morning|afternoon|evening|night)|last (?:night|evening)|tonight"
            r"|(?:earlier |later )?this (?:morning|afternoon|evening)"),
        _Said.part,
    ),
    (_rx(rf"(?:on )?(?:the )?(?P<nth>first|last|\d{{1,2}}(?:st|nd|rd|th)?)(?: day)? of {_WAY} month"), _Said.day_of_month),
    (_rx(rf"(?:on )?(?P<day>{_DAY}) (?:of )?{_WAY} week"), _Said.day_of_week),
    (_rx(rf"(?P<n>{_N}) (?P<unit>minute|hour|day|week|fortnight|month|year)s? ago"), _Said.ago),
    (_rx(rf"(?P<n>{_N}) {_UNIT} from (?:now|today|tomorrow)"), _Said.ahead),
    (_rx(rf"(?:for|over|in|during|within) the (?:next|coming) (?:(?P<n>{_N}) )?{_UNIT}"), _Said.until),
    (_rx(rf"(?:over|in|during|for|within) the (?:last|past) (?:(?P<n>{_N}) )?{_UNIT}"), _Said.since),
    (_rx(rf"in (?:exactly )?(?P<n>{_N}) {_UNIT}(?:['’]s?)?(?: time)?"), _Said.ahead),
    (_rx(r"yesterday|tomorrow|(?:earlier |later )?today"), _Said.near),
    (
        _rx(r"(?:the )?(?P<edge>end|close|start|beginning) of (?:the )?(?:(?P<way>next|last|this|current) )?"
            r"(?P<what>day|week|month|quarter|year)(?! of)"),
        _Said.edge,
    ),
    (_rx(rf"(?P<way>next|last|this coming|coming|this|past|previous) (?P<day>{_DAY})"), _Said.weekday),
    (
        _rx(r"(?:the )?(?P<way>next|last|this|current|previous|coming|following) "
            r"(?P<what>week|weekend|month|quarter|year)(?P<s>['’]s)?(?! of)"),
        _Said.span,
    ),
    (
        _rx(r"(?P<before>(?:moved|postponed|pushed|shifted|rescheduled|delayed|changed|brought forward|slipped)\b"
            rf"[^.,;]{{0,40}}?\bto )(?P<day>{_DAY})"),
        _Said.moved_to,
    ),
    (
        _rx(rf"(?P<how>on|by|until|till|before|after|since|from|through) (?P<day>{_DAY})"
            rf"(?! (?:morning|evening)s|,? (?:the )?\d|,? (?:{_MONTH})\b)"),
        _Said.bare_day,
    ),
    (
        _rx(rf"(?:(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m>{_MONTH})|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})"
            r"(?:st|nd|rd|th)?)(?!,? \d{4})(?!\d)"),
        _Said.dated,
    ),
)  # fmt: skip


def _cased(m: re.Match[str], words: str) -> str:
    return words[0].upper() + words[1:] if m[0][:1].isupper() else words


def _on(m: re.Match[str]) -> str:
    """ "on " where an adverb becomes a date: after a verb or at the start, but not after another preposition."""
    before = m.string[: m.start()]
    return "" if _PREPOSITION.search(before) or re.match(r"['’]s", m.string[m.end() :]) else (
        "On " if not before.strip() else "on "
    )  # fmt: skip


def _in(m: re.Match[str]) -> str:
    before = m.string[: m.start()]
    return "" if _PREPOSITION.search(before) else "In " if not before.strip() else "in "


def _shift(day: date, n: int, unit: str) -> date:
    if unit == "day":
        return day + timedelta(days=n)
    if unit in ("week", "fortnight"):
        return day + timedelta(weeks=n * (2 if unit == "fortnight" else 1))
    months = day.year * 12 + day.month - 1 + n * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _number(word: str) -> int:
    word = word.lower()
    return int(word) if word.isdigit() else _NUMBERS.get(word, 1)


def _weekday(name: str) -> int:
    return next(i for i, d in enumerate(DAYS) if d.startswith(name.lower()[:3]))


def _month(name: str) -> int:
    return next(i for i, m in enumerate(MONTHS, 1) if m.startswith(name.lower()[:3]))
