"""What a shell line carries along from command to command: variables, directories, what feeds a pipe.

Everything uncertain becomes unknown. A variable is followed only when the whole line assigns it once, in a place that
surely runs; a directory only when `cd` has a plain argument outside loops.
"""

import os.path
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nightclaw.policy.shell_lexer import REDIRECTS, Sort, Token
from nightclaw.policy.shell_words import (
    FROM_COMMAND,
    FROM_ENVIRONMENT,
    Surroundings,
    Value,
    Word,
    evaluate,
    expand_text,
)
from nightclaw.policy.wordlist import names

Cwds = tuple[str, ...]
Read = Callable[[str, Cwds], None]

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_SUBSCRIPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[")
HARMLESS = names(
    """USER LOGNAME SHELL LANG LC_ALL LC_CTYPE TERM HOSTNAME UID EUID PPID RANDOM SECONDS LINENO BASH_VERSION COLUMNS
    LINES PATH OLDPWD BASHPID OSTYPE MACHTYPE HOSTTYPE SHLVL PIPESTATUS EPOCHSECONDS TMPDIR"""
)
_MOVES = frozenset({"cd", "pushd", "popd", "eval", "source", "."})
_MOST_COMMANDS = 300
_MOST_VALUES = 12


@dataclass(frozen=True, slots=True)
class Redirect:
    """operator as written, fd before it ('' when none), target None for a here-document."""

    operator: str
    fd: str
    target: Word | None


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command. env: assignments in front of it, or alone. cwds: where it may run, empty when unknown.
    is_fed: its input is a pipe, file or text of the line; feeder: the plain command before it in the pipe.
    is_group: only the redirects of a group of commands."""

    argv: tuple[Word, ...]
    env: tuple[tuple[str, Word], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    cwds: Cwds = ()
    is_fed: bool = False
    feeder: "Simple | None" = None
    is_group: bool = False
    functions: frozenset[str] = frozenset()

    @property
    def name(self) -> str | None:
        return self.argv[0].text if self.argv and self.argv[0].is_sure else None


@dataclass(slots=True)
class Flow:
    """The state of one line; nested texts share it."""

    commands: list[Simple]
    faults: list[str]
    whole: str
    home: str | None
    variables: dict[str, Value] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    feeder: Simple | None = None
    is_fed: bool = False
    repeating: bool = False
    asides: int = 0

    def fault(self, reason: str) -> None:
        if reason not in self.faults and len(self.faults) < 8:
            self.faults.append(reason)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What runs in here may not run at all, or in a shell of its own: its variables are not followed."""
        self.asides += 1
        try:
            yield
        finally:
            self.asides -= 1

    @contextmanager
    def fed(self, feeder: Simple | None, is_fed: bool) -> Iterator[None]:
        before = self.feeder, self.is_fed
        self.feeder, self.is_fed = feeder, is_fed
        try:
            yield
        finally:
            self.feeder, self.is_fed = before

    def each(self, name: str, words: list[Word]) -> Iterator[None]:
        """The body of a for loop once a value; once with an unknown one when there are many or any is unknown."""
        before = self.repeating
        followed = self.is_followed(name) and 0 < len(words) <= _MOST_VALUES
        followed = followed and all(w.text is not None for w in words) and len(self.commands) < 60
        values = [Value(w.text, w.glob) for w in words] if followed else []
        if not values:
            values = [Value(None, env=not words or any(w.env for w in words))]
        for value in values:
            self.variables[name] = value
            yield
            self.repeating = True
        self.repeating = before
        self.variables[name] = FROM_COMMAND if not values[0].env else FROM_ENVIRONMENT

    def is_followed(self, name: str) -> bool:
        """Whether the name stands only once in the whole line other than behind a dollar sign."""
        return len(re.findall(rf"(?<![$\w{{]){re.escape(name)}(?!\w)", self.whole)) == 1

    def value_of(self, name: str, cwds: Cwds) -> Value:
        if name in self.variables:
            return self.variables[name]
        if re.search(rf"(?<![$\w{{]){re.escape(name)}(?!\w)", self.whole):
            return FROM_ENVIRONMENT if name.isupper() else Value(None, env=False)
        if name == "HOME":
            return Value(self.home) if self.home else FROM_COMMAND
        if name == "PWD":
            return Value(cwds[0]) if len(cwds) == 1 else FROM_COMMAND
        if name in HARMLESS:
            return FROM_COMMAND
        return FROM_ENVIRONMENT

    def surroundings(self, cwds: Cwds, read: Read) -> Surroundings:
        return Surroundings(
            lambda name: self.value_of(name, cwds), lambda text: read(text, cwds), self.fault, self.home
        )

    def words(self, token: Token, cwds: Cwds, read: Read) -> tuple[Word, ...]:
        return evaluate(_as_text(token.text), self.surroundings(cwds, read))

    def simple(
        self, tokens: list[Token], cwds: Cwds, read: Read, is_group: bool = False
    ) -> tuple[Cwds, Cwds]:
        """Take one command made of words and redirects. Directories after it: on success, and in any case."""
        if len(self.commands) >= _MOST_COMMANDS:
            self.fault("it runs too many commands")
            return (), ()
        tokens = [t for t in tokens if t.sort in (Sort.WORD, Sort.OPERATOR)]
        argv: list[Word] = []
        env: list[tuple[str, Word]] = []
        redirects: list[Redirect] = []
        is_fed = self.is_fed
        k = 0
        while k < len(tokens):
            token = tokens[k]
            after = tokens[k + 1] if k + 1 < len(tokens) else None
            fd = ""
            if token.text.isdigit() and after and after.text in REDIRECTS and after.start == token.end:
                fd, k, token = token.text, k + 1, after
                after = tokens[k + 1] if k + 1 < len(tokens) else None
            if token.sort is Sort.OPERATOR:
                if after is None or after.sort is not Sort.WORD:
                    self.fault("it does not parse")
                    break
                redirects.append(self._redirect(token.text, fd, after, cwds, read))
                is_fed = is_fed or token.text.startswith("<")
                k += 2
                continue
            k += 1
            assigned = _ASSIGNMENT.match(token.text)
            if assigned and not argv:
                env.append((assigned[1], self._assigned(token, assigned, cwds, read)))
                continue
            if not argv and _SUBSCRIPT.match(token.text):
                self.fault("an assignment to a computed place")
            argv += self.words(token, cwds, read)
        found = Simple(
            tuple(argv),
            tuple(env),
            tuple(redirects),
            cwds,
            is_fed,
            self.feeder,
            is_group,
            frozenset(self.functions),
        )
        self.commands.append(found)
        self._remember(found)
        return self._directories(found, cwds)

    def _redirect(self, operator: str, fd: str, target: Token, cwds: Cwds, read: Read) -> Redirect:
        if operator in ("<<", "<<-"):
            shows = bool(target.body and not target.is_literal) and expand_text(
                _as_text(target.body or ""), self.surroundings(cwds, read)
            )
            return Redirect(operator, fd, Word(target.text, None, env=True) if shows else None)
        words = self.words(target, cwds, read)
        if len(words) != 1:
            self.fault("a redirect to several places")
        return Redirect(operator, fd, words[0])

    def _assigned(self, token: Token, assigned: re.Match[str], cwds: Cwds, read: Read) -> Word:
        text = _as_text(token.text[assigned.end() :])
        if text.startswith("("):
            self.fault("an array, which is not followed")
        words = evaluate(text, self.surroundings(cwds, read))
        if len(words) == 1 and not assigned[2]:
            return words[0]
        return Word(text, None, many=True, env=any(w.env for w in words))

    def _remember(self, found: Simple) -> None:
        if found.argv:
            if found.name in ("read", "mapfile", "readarray", "getopts", "printf", "unset", "local", "let"):
                for word in found.argv[1:]:
                    if word.text is not None and re.fullmatch(r"[A-Za-z_]\w*", word.text):
                        self.variables[word.text] = FROM_COMMAND
            return
        for name, word in found.env:
            sure = not self.asides and self.is_followed(name) and word.text is not None and not word.glob
            self.variables[name] = Value(word.text) if sure else Value(None, env=word.env or name.isupper())

    def _directories(self, found: Simple, cwds: Cwds) -> tuple[Cwds, Cwds]:
        if found.name in ("pushd", "popd", "source", ".", "eval"):
            return (), ()
        if found.name in ("command", "builtin", "time", "exec") and {str(w) for w in found.argv} & _MOVES:
            return (), ()
        if found.name != "cd":
            return cwds, cwds
        rest = [w for w in found.argv[1:] if w.text not in ("-L", "--", "-e")]
        target = rest[0].text if len(rest) == 1 and rest[0].is_sure else None
        if not rest and self.home:
            target = self.home
        if (
            target is None
            or target in ("-", "")
            or not cwds
            or any("CDPATH" in e for e in (*self.variables,))
        ):
            return (), ()
        moved = tuple(dict.fromkeys(os.path.normpath(os.path.join(c, target)) for c in cwds))
        both = tuple(dict.fromkeys((*cwds, *moved)))
        return moved, both if len(both) <= 4 else ()


def _as_text(latin: str) -> str:
    """Back from the bytes that the lexer saw as latin-1."""
    return latin.encode("latin-1").decode("utf-8", "replace")
