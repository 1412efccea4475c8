"""Other spellings of shell commands: each mutation keeps what a command does, or adds something harmless to it.

So a mutated command must be judged no more kindly than the command itself; and a read should stay a read.
"""

import random
import shlex
from collections.abc import Callable

Mutation = Callable[[str, random.Random], str | None]


def _plain_words(command: str) -> list[str] | None:
    """The words of a command of plain words only; None for anything cleverer."""
    if any(c in command for c in "\"'\\$`|&;<>(){}*?[]~#\n\t!=") or not command.isascii():
        return None
    words = command.split(" ")
    return words if all(words) else None


def spaces(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    return rng.choice(["  ", "\t", " \t "]).join(words) if words and len(words) > 1 else f"  {command}"


def continued(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    if not words or len(words) < 2:
        return None
    at = rng.randrange(1, len(words))
    return " ".join(words[:at]) + " \\\n " + " ".join(words[at:])


def split_by_continuation(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    if not words or len(words[0]) < 2:
        return None
    return words[0][:1] + "\\\n" + " ".join([words[0][1:], *words[1:]])


def quoted(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    if not words:
        return None
    at = rng.randrange(len(words))
    mark = rng.choice(["'", '"'])
    words[at] = f"{mark}{words[at]}{mark}"
    return " ".join(words)


def partly_quoted(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    if not words:
        return None
    at = rng.randrange(len(words))
    cut = rng.randrange(len(words[at]) + 1)
    head, tail = words[at][:cut], words[at][cut:]
    words[at] = rng.choice([f"{head}''{tail}", f'{head}""{tail}', f"'{head}'{tail}", f'{head}"{tail}"'])
    return " ".join(words)


def backslashed(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    if not words:
        return None
    at = rng.randrange(len(words))
    cut = rng.randrange(len(words[at]))
    words[at] = words[at][:cut] + "\\" + words[at][cut:]
    return " ".join(words)


def ansi_quoted(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    if not words:
        return None
    at = rng.randrange(len(words))
    spelled = "".join(rng.choice([c, f"\\x{ord(c):02x}", f"\\{ord(c):03o}"]) for c in words[at])
    words[at] = f"$'{spelled}'"
    return " ".join(words)


def full_path(command: str, rng: random.Random) -> str | None:
    words = _plain_words(command)
    return (
        f"{rng.choice(['/bin', '/usr/bin'])}/{command}"
        if words and words[0] in ("ls", "cat", "rm", "git", "find")
        else None
    )


def _around(*shapes: str) -> Mutation:
    def mutate(command: str, rng: random.Random) -> str | None:
        # a comment or here-document at the end would swallow what is put behind it
        return None if "#" in command or "<<" in command else rng.choice(shapes).replace("{}", command)

    return mutate


grouped = _around("({})", "{ {}; }", "( {} )", "{ {}\n}")
chained = _around(
    "true && {}", "{}; true", "ls; {}", "{} || true", "pwd && {} && pwd", "{}\npwd", "{};", ":\n{}", "{} &"
)
piped = _around(
    "{} | cat", "{} | head -n 3", "{} 2>/dev/null", "{} > /dev/null", "{} 2>&1 | wc -l", "{} < /dev/null"
)
branched = _around(
    "if true; then {}; fi",
    "while true; do {}; break; done",
    "for i in 1 2; do {}; done",
    "case x in x) {};; esac",
    "! {}",
    "f() { {}; }; f",
    "until {}; do break; done",
)
substituted = _around('echo "$({})"', "echo $({})", "cat <({})", 'x=$({}); echo "$x"', "diff <({}) <(ls)")
commented = _around("{} # all fine", "# list\n{}", "{}\n# done", "  {}  ", "\n{}\n", "{} ;")


def nested_shell(command: str, rng: random.Random) -> str | None:
    return rng.choice(["bash -c {}", "sh -c {}", "eval {}", "timeout 5 bash -c {}"]).format(
        shlex.quote(command)
    )


_NOT_PROGRAMS = (
    " if for while until case select function time coproc cd read set export exec type command true "
)
_NOT_PROGRAMS += (
    "declare source trap hash builtin shopt alias enable unset typeset readonly eval history let compgen "
)
_NOT_PROGRAMS += "printf test umask ulimit "


def wrapped(command: str, rng: random.Random) -> str | None:
    first = command.split(" ")[0]
    if not first.isalnum() or f" {first} " in _NOT_PROGRAMS:
        return None
    wrapper = rng.choice(
        ["env", "timeout 5", "nice", "command", "time", "stdbuf -oL", "nohup", "env LC_ALL=C"]
    )
    return f"{wrapper} {command}"


def with_env(command: str, rng: random.Random) -> str | None:
    first = command.split(" ")[0]
    if not first.isalnum() or f" {first} " in _NOT_PROGRAMS:
        return None
    return f"{rng.choice(['LC_ALL=C', 'LANG=C', 'TZ=UTC', 'NO_COLOR=1'])} {command}"


KEEPING: tuple[Mutation, ...] = (
    spaces,
    continued,
    split_by_continuation,
    quoted,
    partly_quoted,
    backslashed,
    ansi_quoted,
    full_path,
    grouped,
    chained,
    piped,
    branched,
    substituted,
    commented,
    nested_shell,
    wrapped,
    with_env,
)


def odd_blank(command: str, rng: random.Random) -> str | None:
    blank = rng.choice(["\u00a0", "\u2003", "\u3000", "\r", "\x0b", "\u200b"])
    return command.replace(" ", blank, 1) if " " in command else command + blank


def lookalike(command: str, rng: random.Random) -> str | None:
    swaps = {
        "a": "\u0430",
        "e": "\u0435",
        "o": "\u043e",
        "c": "\u0441",
        ";": "\uff1b",
        "|": "\uff5c",
        "-": "\u2010",
    }
    present = [c for c in swaps if c in command]
    if not present:
        return None
    char = rng.choice(present)
    return command.replace(char, swaps[char], 1)


def other_case(command: str, rng: random.Random) -> str | None:
    return command.swapcase() if command.isascii() and "'" not in command else None


def bidi(command: str, rng: random.Random) -> str | None:
    at = rng.randrange(len(command) + 1)
    return command[:at] + rng.choice(["\u202e", "\u2066", "\u200f"]) + command[at:]


def noise(command: str, rng: random.Random) -> str:
    """One character more, less or other, anywhere: what a shell makes of it is anyone's guess."""
    at = rng.randrange(len(command) + 1)
    char = rng.choice(list("\"'\\$`|&;<>(){}*?[]~#\n \t!=-@:/%^+,.a0"))
    return command[:at] + char + command[at + rng.choice([0, 1]) :]


BREAKING: tuple[Mutation, ...] = (odd_blank, lookalike, other_case, bidi)
"""What they make may do nothing at all, but must not be taken for a read when the command was none."""


def mutate(command: str, rng: random.Random, kinds: tuple[Mutation, ...], rounds: int) -> str:
    """`command` after some mutations that apply to it."""
    for _ in range(rounds):
        for _ in range(6):
            made = rng.choice(kinds)(command, rng)
            if made is not None:
                command = made
                break
    return command
