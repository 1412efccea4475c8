"""Reads the command line against the table of verbs, whose synopses are the only description of the arguments.

`ID` is needed, `[DATE]` is not, `TEXT...` takes all that is left; `[--follow]` is a switch, `[--after N]` takes a
value, `[--match GLOB...]` may be repeated. `--home`, `--json` and `--help` may stand
anywhere; after `--` every word is text.
"""

import os

from clawctl.api import Api
from clawctl.exits import USAGE, Failure
from clawctl.render import Out
from clawctl.verbs import GROUPS, Verb

_SHORT = {"-f": "--follow", "-n": "--limit", "-h": "--help"}


class Call:
    """One verb with its arguments read, the daemon to ask and the place to print."""

    def __init__(self, verb: Verb, given: dict[str, list[str]], home: str, is_json: bool) -> None:
        self.verb = verb
        self.home = home
        self.api = Api(home)
        self.out = Out(is_json)
        self._given = given

    def has(self, name: str) -> bool:
        return name in self._given

    def all(self, name: str) -> list[str]:
        return self._given.get(name, [])

    def text(self, name: str, default: str = "") -> str:
        """Return an argument's words joined by spaces."""
        return " ".join(self._given[name]) if name in self._given else default

    def maybe(self, name: str) -> str | None:
        return self.text(name) if name in self._given else None

    def number(self, name: str, default: int) -> int:
        """Return an option's whole number. Raises Failure when it is none."""
        given = self.maybe(name)
        if given is None:
            return default
        if not given.isdecimal():
            raise wrong(f"{name} takes a whole number, not {given!r}", self.verb)
        return int(given)


class Line:
    """A command line with what holds for every verb taken out."""

    def __init__(self, argv: list[str]) -> None:
        self.words: list[str] = []
        self.literal: list[str] = []
        self.is_json = self.wants_help = self.wants_version = False
        home = os.environ.get("NIGHTCLAW_HOME") or "~/.nightclaw"
        rest = iter(argv)
        for word in rest:
            if word == "--":
                self.literal = list(rest)
            elif word == "--json":
                self.is_json = True
            elif word in ("--help", "-h"):
                self.wants_help = True
            elif word == "--version" and not self.words:
                self.wants_version = True
            elif word == "--home":
                home = next(rest, "")
                if not home:
                    raise wrong("--home needs a directory")
            elif word.startswith("--home="):
                home = word[7:]
            else:
                self.words.append(word)
        self.home = os.path.abspath(os.path.expanduser(home))

    def verb(self) -> tuple[Verb, list[str]]:
        """Return the verb and the words after it. Raises Failure with the nearest one."""
        known = verbs()
        for length in (2, 1):
            name = " ".join(self.words[:length])
            if len(self.words) >= length and name in known:
                return known[name], self.words[length:]
        first = self.words[0]
        if first.startswith("-"):
            raise wrong(f"unknown option {first}")
        if subs := [name.split()[1] for name in known if name.startswith(f"{first} ")]:
            asked = f", not {self.words[1]!r}" if len(self.words) > 1 else ""
            raise wrong(f"`{first}` is followed by {_either(subs)}{asked}")
        raise Failure(f"unknown verb {first!r}", USAGE, _nearest(first, list(known)))

    def call(self) -> Call:
        verb, rest = self.verb()
        return Call(verb, read_arguments(verb, rest, self.literal), self.home, self.is_json)


def verbs() -> dict[str, Verb]:
    return {verb[0]: verb for _, group in GROUPS for verb in group}


def read_arguments(verb: Verb, rest: list[str], literal: list[str]) -> dict[str, list[str]]:
    """Return each argument's values by its name in the synopsis. Raises Failure."""
    options, places = _parts(verb[1])
    given: dict[str, list[str]] = {}
    texts: list[str] = []
    left = iter(rest)
    for word in left:
        if not word.startswith("-") or word == "-":
            texts.append(word)
            continue
        name, has_value, value = word.partition("=")
        name = _SHORT.get(name, name)
        if name not in options:
            hint = "put `--` before text that begins with a dash; " + _synopsis(verb)
            raise Failure(f"unknown option {name}", USAGE, hint)
        takes = options[name]
        if not takes:
            if has_value:
                raise wrong(f"{name} takes no value", verb)
            given[name] = []
            continue
        if not has_value:
            following = next(left, None)
            if following is None:
                raise wrong(f"{name} needs a value", verb)
            value = following
        given[name] = [*given.get(name, []), value] if takes.endswith("...") else [value]
    _place(verb, places, texts + literal, given)
    return given


def wrong(message: str, verb: Verb | None = None) -> Failure:
    """Return the failure for a command line that cannot be read."""
    return Failure(message, USAGE, _synopsis(verb) if verb else "`clawctl help` lists the verbs")


def help_text(name: str = "") -> str:
    """Return the help of one verb, of all of a noun, or of everything."""
    chosen = [
        verb for verb in verbs().values() if not name or verb[0] == name or verb[0].startswith(f"{name} ")
    ]
    if not chosen:
        raise Failure(f"unknown verb {name!r}", USAGE, _nearest(name, list(verbs())))
    if name:
        return "\n".join(f"{_synopsis(verb)}\n    {verb[2]}" for verb in chosen)
    lines = ["usage: clawctl VERB [ARGUMENTS] [--json] [--home DIR]"]
    for title, group in GROUPS:
        lines += ["", f"{title}:"]
        for verb in group:
            left = f"  {verb[0]} {verb[1]}".rstrip()
            if len(left) > 42:
                left = "  " + " ".join([verb[0], *_parts(verb[1])[1], "[OPTIONS]"])
            lines.append(f"{left:<42}  {verb[2]}")
    lines += [
        "",
        "--json    print exactly the answer, for scripts",
        "--home    the daemon's home (default NIGHTCLAW_HOME, else ~/.nightclaw)",
        "exit      0 done, 1 failed, 2 usage, 3 daemon not running, 4 no such thing, 5 refused, 124 timed out",
    ]
    return "\n".join(lines)


def _parts(synopsis: str) -> tuple[dict[str, str], list[str]]:
    """Split a synopsis into options (name to value name, empty for a switch) and places."""
    options: dict[str, str] = {}
    places: list[str] = []
    left = iter(synopsis.split())
    for word in left:
        if word.startswith("[--"):
            options[word.strip("[]")] = "" if word.endswith("]") else next(left).rstrip("]")
        else:
            places.append(word)
    return options, places


def _place(verb: Verb, places: list[str], texts: list[str], given: dict[str, list[str]]) -> None:
    for place in places:
        name = place.strip("[].")
        if "..." in place:
            if texts:
                given[name], texts = texts, []
        elif texts:
            given[name] = [texts[0]]
            texts = texts[1:]
        if name not in given and not place.startswith("["):
            raise wrong(f"`{verb[0]}` needs {name}", verb)
    if texts:
        raise wrong(f"`{verb[0]}` does not take {texts[0]!r}", verb)


def _synopsis(verb: Verb) -> str:
    return f"usage: clawctl {verb[0]} {verb[1]}".rstrip()


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _nearest(word: str, known: list[str]) -> str:
    from difflib import get_close_matches

    firsts = list(dict.fromkeys([*known, *(name.split()[0] for name in known)]))
    near = get_close_matches(word, firsts, 1, 0.5)
    return f"did you mean `clawctl {near[0]}`?" if near else "`clawctl help` lists the verbs"
