"""Programs that run another command: what they run is found and judged in their place.

A wrapper is neutral when it changes nothing else about what is run; otherwise it has an effect of its own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core.effects import Kind, Level
from nightclaw.policy.shell_words import Word
from nightclaw.policy.wordlist import names


@dataclass(frozen=True, slots=True)
class Wrapped:
    """argv: the command run, empty for none. text: a shell text run instead, None when not sure what. env: assignments
    made. kind, level, why: the wrapper's own effect, level OBSERVE when neutral. args: the command gets further
    arguments that are not known here, from `feeder` (the command before it in the pipe) or below the paths `below`."""

    argv: tuple[Word, ...] = ()
    text: Word | None = None
    env: tuple[tuple[str, Word], ...] = ()
    kind: Kind = Kind.RUN
    level: Level = Level.OBSERVE
    why: str = ""
    is_fed_args: bool = False
    below: tuple[Word, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a wrapper's line is built: options without and with a value, then how many words, then the command."""

    flags: str = ""
    valued: str = ""
    skip: int = 0
    level: Level = Level.OBSERVE
    kind: Kind = Kind.RUN
    longs: frozenset[str] = frozenset()


_ROOT = _Shape(valued="uUgpCcDRThr", level=Level.IRREVERSIBLE, kind=Kind.PERMISSIONS)
_SHAPES: Mapping[str, _Shape] = {
    "timeout": _Shape(
        flags="v", valued="ks", skip=1, longs=frozenset({"preserve-status", "foreground", "verbose"})
    ),
    "gtimeout": _Shape(flags="v", valued="ks", skip=1, longs=frozenset({"preserve-status", "foreground"})),
    "nice": _Shape(valued="n"),
    "ionice": _Shape(flags="t", valued="cn"),
    "nohup": _Shape(),
    "stdbuf": _Shape(valued="ioe"),
    "time": _Shape(flags="pv"),
    "builtin": _Shape(),
    "busybox": _Shape(),
    "toybox": _Shape(),
    "command": _Shape(flags="p"),
    "exec": _Shape(),
    "chronic": _Shape(),
    "unbuffer": _Shape(),
    "setsid": _Shape(flags="cfw", level=Level.WORKSPACE),
    "coproc": _Shape(level=Level.WORKSPACE),
    "flock": _Shape(flags="nsxueoF", valued="wE", skip=1, level=Level.WORKSPACE),
    "taskset": _Shape(flags="a", skip=1, level=Level.WORKSPACE),
    "chrt": _Shape(flags="abfior", skip=1, level=Level.WORKSPACE),
    "strace": _Shape(flags="fFqtTvxyzc", valued="eosaPOSbIEu", level=Level.WORKSPACE),
    "ltrace": _Shape(flags="fcSC", valued="eosanl", level=Level.WORKSPACE),
    "valgrind": _Shape(level=Level.WORKSPACE),
    "perf": _Shape(skip=1, level=Level.WORKSPACE),
    "gdb": _Shape(level=Level.WORKSPACE),
    "lldb": _Shape(level=Level.WORKSPACE),
    "caffeinate": _Shape(flags="dimsu", valued="tw", level=Level.WORKSPACE),
    "watch": _Shape(flags="bcdegtwxpC", valued="ns", level=Level.WORKSPACE),
    "entr": _Shape(flags="acdnprsz", level=Level.WORKSPACE),
    "xvfb-run": _Shape(flags="a", valued="sne", level=Level.WORKSPACE),
    "rlwrap": _Shape(level=Level.WORKSPACE),
    "faketime": _Shape(skip=1, level=Level.WORKSPACE),
    "fakeroot": _Shape(level=Level.WORKSPACE),
    "dbus-run-session": _Shape(level=Level.OUTWARD, kind=Kind.UNKNOWN),
    "proot": _Shape(level=Level.OUTWARD, kind=Kind.UNKNOWN),
    "unshare": _Shape(flags="rmnpuiUCfc", valued="RwSG", level=Level.OUTWARD, kind=Kind.UNKNOWN),
    "bwrap": _Shape(level=Level.OUTWARD, kind=Kind.UNKNOWN),
    "firejail": _Shape(level=Level.OUTWARD, kind=Kind.UNKNOWN),
    "proxychains": _Shape(flags="q", valued="f", level=Level.OUTWARD, kind=Kind.NETWORK),
    "proxychains4": _Shape(flags="q", valued="f", level=Level.OUTWARD, kind=Kind.NETWORK),
    "torsocks": _Shape(level=Level.OUTWARD, kind=Kind.NETWORK),
    "parallel": _Shape(flags="kXmv", valued="jNnIaS", level=Level.WORKSPACE),
    "sudo": _ROOT,
    "doas": _ROOT,
    "pkexec": _ROOT,
    "run0": _ROOT,
    "gosu": _Shape(skip=1, level=Level.IRREVERSIBLE, kind=Kind.PERMISSIONS),
    "su-exec": _Shape(skip=1, level=Level.IRREVERSIBLE, kind=Kind.PERMISSIONS),
    "runuser": _ROOT,
    "setpriv": _ROOT,
    "capsh": _ROOT,
    "nsenter": _Shape(flags="amuinpUCT", valued="tSG", level=Level.IRREVERSIBLE, kind=Kind.PERMISSIONS),
    "chroot": _Shape(skip=1, level=Level.IRREVERSIBLE, kind=Kind.PERMISSIONS),
    "systemd-run": _Shape(valued="pEM", level=Level.IRREVERSIBLE, kind=Kind.OWN_STATE),
    "batch": _Shape(level=Level.IRREVERSIBLE, kind=Kind.OWN_STATE),
}
_NEEDS_OPTIONS_KNOWN = frozenset(n for n, s in _SHAPES.items() if s.level is Level.OBSERVE)
SHELLS = names("sh bash dash ash zsh ksh mksh rbash fish csh tcsh pwsh")
_PLAIN_SHELLS = frozenset({"sh", "bash", "dash"})
_ENV_FLAGS = re.compile(r"-[iv0]+|-|--ignore-environment|--null|--debug")


def unwrap(name: str, words: Sequence[Word]) -> Wrapped | None:
    """What `name`, called with `words`, runs; None when it is no wrapper."""
    if name in SHELLS:
        return _shell(name, words)
    if name == "env":
        return _env(words)
    if name == "xargs":
        return _xargs(words)
    if name in ("eval", "trap"):
        return _eval(name, words)
    if name == "script":
        return _option_text(words, "-c", "--command", r"-[aefq]*c")
    if name == "su":
        found = _option_text(words, "-c", "--command", r"-[lmp]*c")
        return Wrapped(
            text=found.text, kind=Kind.PERMISSIONS, level=Level.IRREVERSIBLE, why="becomes another user"
        )
    if name == "find":
        return _find(words)
    if name == "flock" and any(w.text in ("-c", "--command") for w in words):
        return _option_text(words, "-c", "--command", r"-c")
    if name in ("watch", "parallel") and len(words) and words[-1].is_sure and " " in (words[-1].text or ""):
        return Wrapped(text=words[-1], level=Level.WORKSPACE, why=name)
    if name == "command" and words and words[0].text in ("-v", "-V"):
        return None
    shape = _SHAPES.get(name)
    return _shaped(name, shape, words) if shape else None


def _shaped(name: str, shape: _Shape, words: Sequence[Word]) -> Wrapped:
    k, known = 0, True
    while k < len(words):
        text = words[k].text if words[k].is_sure else None
        if text is None or not text.startswith("-") or text == "-":
            break
        if text == "--":
            k += 1
            break
        if text.startswith("--"):
            known = known and text[2:] in shape.longs
        elif text[1] in shape.valued:
            k += 1 if len(text) == 2 else 0
        elif not all(c in shape.flags for c in text[1:]) and not (name == "nice" and text[1:].isdigit()):
            known = False
        k += 1
    if name == "sudo" or name == "doas":
        while k < len(words) and re.match(r"[A-Za-z_]\w*=", str(words[k])):
            k += 1
    argv = tuple(words[k + shape.skip :])
    if not known and name in _NEEDS_OPTIONS_KNOWN:
        return Wrapped(
            argv, kind=Kind.RUN, level=Level.WORKSPACE, why=f"{name} with options that are not followed"
        )
    return Wrapped(argv, kind=shape.kind, level=shape.level, why=_WHY.get(shape.kind, name))


_WHY = {
    Kind.PERMISSIONS: "becomes another user or leaves the sandbox",
    Kind.OWN_STATE: "starts something outside the sandbox",
    Kind.NETWORK: "sends its traffic elsewhere",
    Kind.UNKNOWN: "runs it in a place of its own",
}


def _shell(name: str, words: Sequence[Word]) -> Wrapped:
    for k, word in enumerate(words):
        text = word.text if word.is_sure else None
        if text is None:
            return Wrapped(text=Word("", None), why=name)
        if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", text):
            rest = words[k + 1 :]
            while rest and str(rest[0]).startswith(("-", "+")):
                rest = rest[1:]
            if not rest:
                return Wrapped(text=Word("", None), why=name)
            plain = name in _PLAIN_SHELLS and k == 0 and re.fullmatch(r"-[euxc]+", text)
            neutral = Level.OBSERVE if plain else Level.WORKSPACE
            return Wrapped(text=rest[0], level=neutral, why=f"{name} reads its start-up files")
        if text.startswith(("-", "+")):
            if text in ("-s", "-"):
                return Wrapped(text=Word("", None), why=name)
            if text in ("--version", "--help"):
                return Wrapped()
            continue
        return Wrapped(level=Level.WORKSPACE, why=f"runs the script {text}")
    return Wrapped(text=Word("", None), why=f"{name} runs what it is fed")


def _env(words: Sequence[Word]) -> Wrapped:
    env: list[tuple[str, Word]] = []
    k = 0
    level = Level.OBSERVE
    while k < len(words):
        text = words[k].text
        start = text if text is not None else words[k].prefix
        assigned = re.match(r"([A-Za-z_]\w*)=", start)
        if assigned:
            value = None if text is None else text[assigned.end() :]
            env.append((assigned[1], Word(words[k].raw, value, env=words[k].env)))
        elif text is None or not words[k].is_sure or not text.startswith("-"):
            break
        elif text in ("-S", "--split-string") or text.startswith(("-S", "--split-string=", "-vS")):
            given = re.sub(r"^(-v?S|--split-string=?)", "", text)
            whole = Word(given, given) if given else (words[k + 1] if k + 1 < len(words) else Word("", None))
            return Wrapped(text=whole, env=tuple(env), level=Level.WORKSPACE, why="env splits a text")
        elif text in ("-u", "--unset", "-C", "--chdir"):
            level = Level.WORKSPACE if text in ("-C", "--chdir") else level
            k += 1
        elif text == "--":
            k += 1
            break
        elif not _ENV_FLAGS.fullmatch(text) and not text.startswith(("--unset=", "-u")):
            level = Level.WORKSPACE
        k += 1
    argv = tuple(words[k:])
    if not argv:
        return Wrapped(env=tuple(env), level=Level.WORKSPACE, why="shows the environment")
    return Wrapped(argv, env=tuple(env), level=level, why="env with options that are not followed")


def _xargs(words: Sequence[Word]) -> Wrapped:
    k, known = 0, True
    while k < len(words):
        text = words[k].text if words[k].is_sure else None
        if text is None or not text.startswith("-"):
            break
        if re.fullmatch(r"-[nPLIdEs]", text):
            k += 1
        elif not re.fullmatch(r"-[0rtx]+|-[nPLIdEs].+|--null|--no-run-if-empty|--verbose|--max-(args|procs|lines)=\d+|"
                              r"--replace(=.*)?|--delimiter=.*|-i", text):  # fmt: skip
            known = False
        k += 1
    argv = tuple(words[k:]) or (Word("echo", "echo", prefix="echo"),)
    level = Level.OBSERVE if known else Level.WORKSPACE
    return Wrapped(argv, level=level, why="xargs with options that are not followed", is_fed_args=True)


def _eval(name: str, words: Sequence[Word]) -> Wrapped:
    used = words if name == "eval" else [w for w in words if w.text != "--"][:1]
    if not used:
        return Wrapped()
    sure = all(w.is_sure for w in used)
    text = " ".join(w.text or "" for w in used)
    level = Level.OBSERVE if name == "eval" else Level.WORKSPACE
    return Wrapped(text=Word(text, text if sure else None), level=level, why="runs it later")


def _option_text(words: Sequence[Word], short: str, long: str, cluster: str) -> Wrapped:
    for k, word in enumerate(words):
        text = word.text
        if text is None:
            continue
        if text in (short, long) or re.fullmatch(cluster, text):
            given = words[k + 1] if k + 1 < len(words) else Word("", None)
            return Wrapped(text=given, level=Level.WORKSPACE, why="runs a text")
        if text.startswith(long + "="):
            inside = text.partition("=")[2]
            return Wrapped(text=Word(inside, inside), level=Level.WORKSPACE, why="runs a text")
    return Wrapped(text=Word("", None), level=Level.WORKSPACE, why="runs what it is fed")


_FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})


def _find(words: Sequence[Word]) -> Wrapped | None:
    """The first command a `find` runs; the `find` without it is judged by the caller through `below`."""
    starts = [k for k, w in enumerate(words) if w.text in _FIND_RUNS]
    if not starts:
        return None
    begin = starts[0]
    end = next((k for k in range(begin + 1, len(words)) if words[k].text in (";", "+")), len(words))
    rest = (*words[:begin], *words[end + 1 :])
    return Wrapped(tuple(words[begin + 1 : end]), below=rest)
