"""One simple command after the other: what each does, wrappers opened and what they run judged in their place."""

import shlex
from dataclasses import dataclass

from nightclaw.core.effects import Kind, Level
from nightclaw.policy.hosts import is_allowed, parse_url
from nightclaw.policy.paths import is_secret, may_be_secret
from nightclaw.policy.shell_changes import Change, change
from nightclaw.policy.shell_env import assignment_fault
from nightclaw.policy.shell_flow import Redirect, Simple
from nightclaw.policy.shell_git import git
from nightclaw.policy.shell_reach import Reach
from nightclaw.policy.shell_readers import READERS, VERSIONS, parse, paths_read
from nightclaw.policy.shell_special import HERE, SPECIAL, find_names
from nightclaw.policy.shell_syntax import read
from nightclaw.policy.shell_words import Word
from nightclaw.policy.shell_wrappers import Wrapped, unwrap
from nightclaw.policy.wordlist import names

_TRUSTED = names(
    "/bin /usr/bin /usr/local/bin /sbin /usr/sbin /usr/local/sbin /opt/homebrew/bin /opt/homebrew/sbin"
)
_DEEPEST = 8
# a keyword where a command's name should be was read differently than bash will
_KEYWORDS = names("{ } ! if then elif else fi for while until do done case esac select in function ]] (( ))")
_NAMES_ONLY = names("find fd rg grep egrep fgrep git ls")
_TAKES_ANY_PATH = names("cat head tail wc grep egrep fgrep ls stat md5sum sha1sum sha256sum nl")


def line_of(argv: tuple[Word, ...]) -> str:
    """A simple command as one line, words quoted where they need it; a word that is not known is as it was written."""
    return " ".join(shlex.quote(w.text) if w.is_sure and w.text is not None else w.raw for w in argv)


@dataclass(slots=True)
class Judging(Reach):
    """A whole line: `text` takes it in, effects, faults and commands are what came of it."""

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
        if target is None:
            return
        shown = f"{redirect.fd}{operator} {target}"
        if operator in ("<<<", "<<", "<<-"):
            if target.env:
                self.add(Kind.RUN, Level.WORKSPACE, "shows a variable of the environment", shown[:300])
            return
        if target.text is None or target.glob:
            self.add(Kind.RUN, Level.WORKSPACE, shown, shown)
            return
        if operator in (">&", "<&") and target.text in ("0", "1", "2", "-"):
            return
        if operator in (">&", "<&") and target.text.rstrip("-").isdigit():
            self.add(Kind.RUN, Level.WORKSPACE, shown, shown)
            return
        if target.text.startswith(("/dev/tcp/", "/dev/udp/")):
            host = [*target.text.split("/"), "", ""][3]
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
        if not name or name in _KEYWORDS:
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
        rest = [w for w in words if w.text not in ("-L", "--", "-e")]
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
            if any(self.has_own_repository(c) for c in cwds):
                self.say(
                    Kind.RUN,
                    Level.WORKSPACE,
                    "git in a repository below the workspace, with settings of its own",
                )
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
            self.say(Kind.RUN, Level.WORKSPACE, "with arguments that are not known before it runs")
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
        before = len(self.effects)
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
        if len(self.effects) == before:
            self.say(Kind.READ, Level.OBSERVE, found.why or "nothing", is_known=True)

    def run_anything(self, simple: Simple) -> None:
        self.say(Kind.RUN, Level.WORKSPACE, simple.name or "?")
        for word in simple.argv:
            self.named(word, simple)
