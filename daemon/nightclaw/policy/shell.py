"""What a shell command would do, worked out before it runs: each simple command, redirect and substitution judged.

`judge` gives the effects, `is_read_only` whether it may run where only reads run by themselves. What is not understood
is never a read: it is judged one level up from running in the sandbox, and asks.
"""

import shlex
from dataclasses import dataclass, field

from nightclaw.core.effects import CallEffect, Kind, Level
from nightclaw.policy.hosts import is_allowed, parse_url
from nightclaw.policy.paths import Area, Spot, is_secret, locate, may_be_secret
from nightclaw.policy.place import Place
from nightclaw.policy.shell_changes import Change, change
from nightclaw.policy.shell_env import assignment_fault
from nightclaw.policy.shell_flow import Redirect, Simple
from nightclaw.policy.shell_git import git
from nightclaw.policy.shell_readers import READERS, VERSIONS, parse, paths_read
from nightclaw.policy.shell_special import HERE, SPECIAL, find_names
from nightclaw.policy.shell_syntax import read
from nightclaw.policy.shell_words import Word
from nightclaw.policy.shell_wrappers import Wrapped, unwrap
from nightclaw.policy.wordlist import names

_TRUSTED = names("/bin /usr/bin /usr/local/bin /sbin /usr/sbin /usr/local/sbin /opt/homebrew/bin /opt/homebrew/sbin")
_DEEPEST = 8
_NAMES_ONLY = names("find fd rg grep egrep fgrep git ls")
_TAKES_ANY_PATH = names("cat head tail wc grep egrep fgrep rg ls stat file md5sum sha1sum sha256sum du sort nl")


@dataclass(frozen=True, slots=True)
class Judged:
    """effects: in the order found; `detail` of each is the simple command it comes from. faults: what was not
    understood. commands: the simple commands, one line each, wrappers and what they run both."""

    effects: tuple[CallEffect, ...]
    faults: tuple[str, ...]
    commands: tuple[str, ...]

    @property
    def is_read_only(self) -> bool:
        return not self.faults and all(e.level is Level.OBSERVE for e in self.effects)


def is_read_only(command: str, place: Place) -> bool:
    """Whether `command`, run by a fresh bash in the workspace, surely only reads what may be read unasked."""
    return judge(command, place).is_read_only


def judge(command: str, place: Place) -> Judged:
    """The effects of `command` run by a fresh bash in the workspace's root."""
    judging = _Judging(place)
    judging.text(command, (str(place.workspace.root),), 0)
    for fault in judging.faults:
        judging.add(Kind.UNKNOWN, Level.OUTWARD, command[:200], f"not understood: {fault}")
    if not judging.effects:
        judging.add(Kind.READ, Level.OBSERVE, str(place.workspace.root), "")
    return Judged(
        tuple(dict.fromkeys(judging.effects)), tuple(judging.faults), tuple(dict.fromkeys(judging.commands))
    )


def line_of(argv: tuple[Word, ...]) -> str:
    """A simple command as one line, words quoted where they need it; a word that is not known is as it was written."""
    return " ".join(shlex.quote(w.text) if w.is_sure and w.text is not None else w.raw for w in argv)


@dataclass(slots=True)
class _Judging:
    place: Place
    effects: list[CallEffect] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    line: str = ""

    def add(self, kind: Kind, level: Level, target: str, detail: str, **more: bool) -> None:
        self.effects.append(
            CallEffect(kind, level, target, more.get("is_known", False), more.get("is_secret", False), detail)
        )

    def say(self, kind: Kind, level: Level, target: str, **more: bool) -> None:
        self.add(kind, level, target, self.line, **more)

    def text(self, text: str, cwds: tuple[str, ...], depth: int) -> None:
        reading = read(text, str(self.place.user_home), cwds)
        for fault in reading.faults:
            if fault not in self.faults:
                self.faults.append(fault)
        for simple in reading.commands:
            self.simple(simple, depth)

    def simple(self, simple: Simple, depth: int) -> None:
        before = self.line
        self.line = line_of(simple.argv)
        for redirect in simple.redirects:
            self.redirect(redirect, simple)
        for name, word in simple.env:
            fault = assignment_fault(name, word, bool(simple.argv))
            if fault:
                self.say_env(name, word, fault)
        if simple.argv and not simple.is_group:
            self.commands.append(self.line)
            self.command(simple, depth)
        self.line = before

    def say_env(self, name: str, word: Word, fault: str) -> None:
        self.add(Kind.RUN, Level.WORKSPACE, f"{name}={word}"[:200], f"{name}={word}: {fault}"[:300])

    def redirect(self, redirect: Redirect, simple: Simple) -> None:
        target, operator = redirect.target, redirect.operator
        if target is None or operator == "<<<":
            return
        shown = f"{redirect.fd}{operator} {target}"
        if target.text is None or target.glob:
            self.add(Kind.RUN, Level.WORKSPACE, shown, shown)
            return
        if operator in (">&", "<&") and target.text in ("0", "1", "2", "-"):
            return
        if operator in (">&", "<&") and target.text.rstrip("-").isdigit():
            self.add(Kind.RUN, Level.WORKSPACE, shown, shown)
            return
        if target.text.startswith(("/dev/tcp/", "/dev/udp/")):
            host = (target.text.split("/") + ["", ""])[3]
            self.add(Kind.NETWORK, Level.OUTWARD, host, shown)
            return
        for cwd in simple.cwds or ("",):
            if operator == "<":
                self.reads(target, (cwd,) if cwd else (), shown)
            else:
                self.writes(target, (cwd,) if cwd else (), Kind.WRITE, shown)

    def command(self, simple: Simple, depth: int) -> None:
        name = simple.name
        if depth > _DEEPEST:
            self.faults.append("it is nested too deeply")
            return
        if not name:
            self.say(Kind.UNKNOWN, Level.OUTWARD, "a command whose name is not known before it runs")
            return
        folder, slash, base = name.rpartition("/")
        if (slash and folder not in _TRUSTED) or not base.isascii():
            self.run_anything(simple)
            return
        if name in simple.functions:
            self.say(Kind.READ, Level.OBSERVE, name, is_known=True)
            return
        words = simple.argv[1:]
        if not self.understood(base, words, simple, depth):
            wrapped = unwrap(base, words)
            found = change(base, words) if wrapped is None else None
            if wrapped is not None:
                self.wrapped(wrapped, simple, depth)
            elif found is not None:
                self.changed(found, simple)
            else:
                self.run_anything(simple)

    def understood(self, base: str, words: tuple[Word, ...], simple: Simple, depth: int) -> bool:
        """Plain reads, `cd` and git; False for the rest."""
        if base == "cd":
            self.directory(words, simple)
            return True
        if base == "git":
            self.git(words, simple, depth)
            return True
        if base in VERSIONS and len(words) == 1 and words[0].is_sure and words[0].text in VERSIONS[base]:
            self.say(Kind.READ, Level.OBSERVE, base, is_known=True)
            return True
        found = self.reading(base, words)
        if found is None:
            return False
        paths, shows = found
        if any(w.env for w in words if shows):
            self.say(Kind.RUN, Level.WORKSPACE, "shows a variable of the environment")
            return True
        self.say(Kind.READ, Level.OBSERVE, base, is_known=True)
        for path in paths:
            self.reads(path, simple.cwds, self.line)
        return True

    @staticmethod
    def reading(base: str, words: tuple[Word, ...]) -> tuple[list[Word], bool] | None:
        """(what a reading command reads, whether its words may be shown); None when it is not surely a read."""
        special = SPECIAL.get(base)
        if special is not None:
            paths = special(words)
            if paths is None:
                return None
            if base == "find":
                paths = [*paths, *(Word(n, n) for n in find_names(words) if is_secret(n) or may_be_secret(n))]
            return paths, base not in ("test", "[", "[[")
        reader = READERS.get(base)
        if reader is None:
            return None
        parsed = parse(reader, words)
        found = paths_read(reader, parsed) if parsed is not None else None
        if found is None:
            return None
        return [*found[0], *([HERE] if found[1] else [])], True

    def directory(self, words: tuple[Word, ...], simple: Simple) -> None:
        rest = [w for w in words if w.text not in ("-L", "-P", "--", "-e")]
        target = rest[0] if rest else Word("~", str(self.place.user_home))
        if len(rest) > 1 or not target.is_sure or not simple.cwds:
            self.say(Kind.RUN, Level.WORKSPACE, "a directory that is not known before it runs")
            return
        self.reads(target, simple.cwds, self.line)

    def git(self, words: tuple[Word, ...], simple: Simple, depth: int) -> None:
        call = git(words)
        self.say(call.kind, call.level, call.target or "git", is_known=call.level is Level.OBSERVE)
        cwds = simple.cwds
        if call.directory is not None:
            self.reads(call.directory, cwds, self.line)
            sure = call.directory.is_sure and call.directory.text
            cwds = (
                tuple(f"{c}/{call.directory.text}" if not sure.startswith("/") else sure for c in cwds)
                if sure
                else ()
            )
        if call.is_here:
            self.reads(HERE, cwds, self.line)
        for word in call.reads:
            self.reads(word, cwds, self.line)
            revision, colon, path = str(word).partition(":")
            if colon and revision and is_secret(path):
                self.say(Kind.CREDENTIALS, Level.IRREVERSIBLE, path, is_secret=True)
        for word in words:
            self.named(word, simple)
        if call.text:
            self.text(call.text, cwds, depth + 1)

    def wrapped(self, wrapped: Wrapped, simple: Simple, depth: int) -> None:
        self.say(
            wrapped.kind if wrapped.level else Kind.READ,
            wrapped.level,
            wrapped.why or "runs it",
            is_known=not wrapped.level,
        )
        for name, word in wrapped.env:
            fault = assignment_fault(name, word, True)
            if fault:
                self.say_env(name, word, fault)
        if wrapped.text is not None:
            if wrapped.text.text is None or wrapped.text.glob:
                self.say(Kind.UNKNOWN, Level.OUTWARD, "a text that is not known before it runs")
            else:
                self.text(wrapped.text.text, simple.cwds, depth + 1)
        for word in simple.argv[1:]:
            if wrapped.level:
                self.named(word, simple)
        if not wrapped.argv:
            return
        argv = wrapped.argv
        if wrapped.below is not None:
            self.simple(Simple((simple.argv[0], *wrapped.below), cwds=simple.cwds), depth + 1)
            tops = SPECIAL["find"]([w for w in wrapped.below if str(w) != "-delete"]) or [HERE]
            argv = tuple(w if "{}" not in str(w) else tops[0] for w in argv)
            self.fed(argv, simple, depth, inside=str(argv[0]) in _TAKES_ANY_PATH)
        elif wrapped.is_fed_args:
            self.fed(
                argv,
                simple,
                depth,
                inside=self.feeds_names(simple.feeder) and str(argv[0]) in _TAKES_ANY_PATH,
            )
        else:
            self.simple(Simple(argv, cwds=simple.cwds, is_fed=simple.is_fed, feeder=simple.feeder), depth + 1)

    def fed(self, argv: tuple[Word, ...], simple: Simple, depth: int, inside: bool) -> None:
        """A command that gets more arguments than are written: names from a listing, or anything."""
        if not inside and str(argv[0]) not in ("echo", "printf", "basename", "dirname", "true"):
            argv = (*argv, Word("…", None, many=True))
        self.simple(Simple(argv, cwds=simple.cwds), depth + 1)

    @staticmethod
    def feeds_names(feeder: Simple | None) -> bool:
        """Whether a command only lists names below directories that it was itself judged by."""
        if feeder is None or feeder.name is None or feeder.name not in _NAMES_ONLY:
            return False
        texts = [str(w) for w in feeder.argv[1:]]
        if any(is_secret(t) or may_be_secret(t) or t in ("-printf", "-fprintf") for t in texts):
            return False
        if feeder.name == "git":
            return texts[:1] in (["ls-files"], ["diff"]) and (
                texts[0] == "ls-files" or "--name-only" in texts
            )
        if feeder.name in ("grep", "egrep", "fgrep"):
            return any(t.startswith("-") and not t.startswith("--") and ("l" in t or "L" in t) for t in texts)
        if feeder.name == "rg":
            return any(t in ("-l", "--files", "--files-with-matches") for t in texts)
        return feeder.name == "find" or (feeder.name == "fd")

    def changed(self, found: Change, simple: Simple) -> None:
        if not (found.writes or found.deletes or found.hosts) or found.level is Level.IRREVERSIBLE:
            self.say(found.kind, found.level, found.target or found.why)
        for word in found.reads:
            self.reads(word, simple.cwds, self.line)
        for word in found.writes:
            self.writes(word, simple.cwds, Kind.PERMISSIONS if found.permissions else Kind.WRITE, self.line)
        for word in found.deletes:
            self.writes(word, simple.cwds, Kind.DELETE, self.line)
        for host in found.hosts:
            where = parse_url(host.partition("@")[2] if "@" in host and "//" not in host else host)
            plain = where.host if where else host
            known = where is not None and not where.odd and is_allowed(plain, self.place.allowed_hosts)
            self.say(
                found.kind,
                found.level,
                plain[:200],
                is_known=known and where is not None and where.scheme == "https",
            )
        for word in simple.argv[1:]:
            self.named(word, simple)

    def run_anything(self, simple: Simple) -> None:
        self.say(Kind.RUN, Level.WORKSPACE, simple.name or "?")
        for word in simple.argv:
            self.named(word, simple)

    def named(self, word: Word, simple: Simple) -> None:
        """A word of a command that may do anything with it: secrets and our own state are seen wherever they stand."""
        text = word.text if word.text is not None else word.prefix
        for part in {
            text,
            text.partition("=")[2],
            text.lstrip("-@"),
            text[2:],
            text.rpartition("@")[2],
            text.rpartition(":")[2],
        }:
            if not part or len(part) > 4000:
                continue
            spots = [locate(part, c, self.place) for c in simple.cwds] or [locate(part, "/", self.place)]
            for spot in spots:
                if spot.area is Area.OWN:
                    self.say(Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path)
                elif spot.is_secret or (word.glob and may_be_secret(part)):
                    self.say(Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path, is_secret=True)

    def spots(self, word: Word, cwds: tuple[str, ...]) -> list[Spot] | None:
        """Where a word leads from each directory; for a glob, where its fixed beginning does. None: unknown."""
        text = word.text
        if text is None or (not cwds and not text.startswith("/")) or "\0" in text:
            return None
        if word.glob:
            head, _, tail = _glob_head(text)
            if ".." in tail.split("/"):
                return None
            text = head or "."
        return [locate(text, cwd, self.place) for cwd in cwds or ("/",)]

    def reads(self, word: Word, cwds: tuple[str, ...], detail: str) -> None:
        spots = self.spots(word, cwds)
        if spots is None:
            self.add(Kind.RUN, Level.WORKSPACE, f"reads {word}"[:200], detail)
            return
        for spot in spots:
            self.add(
                *_reading(spot, word),
                detail,
                is_known=spot.area is not Area.FURTHER,
                is_secret=spot.is_secret,
            )

    def writes(self, word: Word, cwds: tuple[str, ...], kind: Kind, detail: str) -> None:
        spots = self.spots(word, cwds)
        if spots is None:
            self.add(Kind.RUN, Level.WORKSPACE, f"{kind.value}s {word}"[:200], detail)
            return
        for spot in spots:
            if spot.area is Area.DEVICE and kind is Kind.WRITE:
                continue
            if spot.area is Area.OWN:
                self.add(Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path, detail)
            elif spot.is_secret:
                self.add(Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path, detail, is_secret=True)
            elif spot.may_write and not (
                kind is Kind.DELETE and spot.path == self.place.realpath(str(self.place.workspace.root))
            ):
                self.add(kind, Level.WORKSPACE, spot.path, detail)
            else:
                self.add(kind, Level.IRREVERSIBLE, spot.path, detail)


def _glob_head(pattern: str) -> tuple[str, str, str]:
    """A glob's directories without wildcards, and the rest."""
    parts = pattern.split("/")
    for k, part in enumerate(parts):
        if any(c in part for c in "*?["):
            head = "/".join(parts[:k])
            return (head or "/") if pattern.startswith("/") else head, "/", "/".join(parts[k:])
    return pattern, "", ""


def _reading(spot: Spot, word: Word) -> tuple[Kind, Level, str]:
    if spot.area is Area.OWN:
        return Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path
    if spot.is_secret or (word.glob and may_be_secret(word.text or "")):
        return Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path
    if spot.area is Area.OUTSIDE:
        return Kind.READ, Level.IRREVERSIBLE, spot.path
    return Kind.READ, Level.WORKSPACE if spot.area is Area.SCRATCH else Level.OBSERVE, spot.path
