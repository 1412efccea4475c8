"""Rules `Tool(specifier)`: what the owner allows, wants to be asked about, or forbids.

An allowing rule covers a call only when it covers every part of it: `Bash(pytest *)` cannot be ridden by `&&`, a
pipe or a substitution. A forbidding rule holds when any part matches, behind wrappers, in other spellings and through
other tools: `Edit(migrations/**)` also stops `sed -i`, `Git(push)` also `git push` on a command line.

    Bash(pytest *)  Bash(npm run test:*)  Read(secrets/**)  Edit(/etc/**)  WebFetch(domain:*.python.org)
    Git(push)  Git(push * main)  GitHub(comment)  Bash  mcp__files__*
"""

import fnmatch
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from nightclaw.core.effects import CallEffect, Kind, Level, ResolvedCall
from nightclaw.core.errors import Invalid
from nightclaw.core.trust import Trust
from nightclaw.policy.hosts import normal_host

_SHAPE = re.compile(r"([A-Za-z_*][\w*-]*)(?:\((.+)\))?", re.DOTALL)
_READING_TOOLS = frozenset({"Read", "Glob", "Grep"})
_WRITING_TOOLS = frozenset({"Edit", "Write", "NotebookEdit"})
_READS = frozenset({Kind.READ, Kind.CREDENTIALS})
_WRITES = frozenset({Kind.WRITE, Kind.DELETE, Kind.PERMISSIONS, Kind.OWN_STATE, Kind.CREDENTIALS})
_GIT_KINDS = {"push": Kind.PUSH, "commit": Kind.COMMIT}
_GH_WORDS = {
    "comment": ("comment", "review", "close", "api"),
    "label": ("edit", "label", "api"),
    "create_pr": ("create", "api"),
}
_SAME_FLAG = {"recursive": "r", "force": "f", "R": "r", "verbose": "v", "all": "a", "interactive": "i"}


@dataclass(frozen=True, slots=True)
class ToolRule:
    """One rule. specifier None: every call of the tool."""

    tool: str
    specifier: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ToolRule":
        """Raises Invalid."""
        found = _SHAPE.fullmatch(text.strip())
        if not found:
            raise Invalid(
                f"{text!r} is not a tool rule", 'write "Tool" or "Tool(specifier)", like "Bash(pytest *)"'
            )
        return cls(found[1], found[2].strip() if found[2] else None)

    def __str__(self) -> str:
        return self.tool if self.specifier is None else f"{self.tool}({self.specifier})"


class Grant(Protocol):
    """A call the owner allowed for longer. matcher: of `matcher_of`; min_trust: below it the grant sleeps."""

    @property
    def tool(self) -> str: ...
    @property
    def matcher(self) -> str: ...
    @property
    def min_trust(self) -> Trust: ...


def forbidding(rules: Iterable[ToolRule], call: ResolvedCall) -> ToolRule | None:
    """The first rule that any part of the call matches."""
    return next((rule for rule in rules if _hits(rule, call)), None)


def allowing(rules: Sequence[ToolRule], call: ResolvedCall) -> ToolRule | None:
    """A rule that, with others, covers every part of the call that is more than a read; None when some part is not."""
    last: ToolRule | None = None
    for effect in call.effects:
        if effect.level is Level.OBSERVE and call.level is not Level.OBSERVE:
            continue
        last = next((rule for rule in rules if _covers(rule, call, effect)), None)
        if last is None:
            return None
    return last


def matcher_of(call: ResolvedCall) -> str | None:
    """What a lasting grant of this call covers: this command, these targets, for what is said outside these very
    bytes. None when it must be asked each time."""
    if call.level is Level.IRREVERSIBLE or any(e.kind is Kind.UNKNOWN for e in call.effects):
        return None
    if call.tool == "Bash":
        return str(call.args.get("command", ""))
    parts = [f"{e.kind.value}:{e.target}" for e in call.effects]
    if any(e.kind in (Kind.COMMENT, Kind.PULL_REQUEST, Kind.NETWORK, Kind.LABEL) for e in call.effects):
        said = json.dumps(call.args, sort_keys=True, ensure_ascii=True, default=str)
        parts.append("bytes:" + hashlib.sha256(said.encode()).hexdigest())
    return "\n".join(parts)


def is_granted(grants: Iterable[Grant], call: ResolvedCall, trust: Trust) -> bool:
    matcher = matcher_of(call)
    return matcher is not None and any(
        g.tool == call.tool and g.matcher == matcher and trust.at_least(Trust(g.min_trust)) for g in grants
    )


def _names_tool(rule: ToolRule, tool: str) -> bool:
    return fnmatch.fnmatchcase(tool, rule.tool)


def _hits(rule: ToolRule, call: ResolvedCall) -> bool:
    if rule.specifier is None:
        return _names_tool(rule, call.tool)
    if rule.tool in ("Git", "GitHub") and _action_matches(rule, call):
        return True
    return any(_part_hits(rule, call, effect) for effect in call.effects)


def _part_hits(rule: ToolRule, call: ResolvedCall, effect: CallEffect) -> bool:
    spec = rule.specifier or ""
    match rule.tool:
        case "Bash":
            return call.tool == "Bash" and (
                _line_matches(spec, effect.detail) or _same_flags(spec, effect.detail)
            )
        case "Read" | "Glob" | "Grep":
            return effect.kind in _READS and _path_matches(spec, effect.target, call, above=False)
        case "Edit" | "Write" | "NotebookEdit":
            above = effect.kind is Kind.DELETE
            return effect.kind in _WRITES and _path_matches(spec, effect.target, call, above=above)
        case "WebFetch":
            return effect.kind in (Kind.NETWORK, Kind.PUSH) and _domain_matches(spec, effect.target)
        case "Git":
            return _git_matches(spec, effect)
        case "GitHub":
            return call.tool == "Bash" and _gh_matches(spec, effect.detail)
        case _:
            return _names_tool(rule, call.tool) and fnmatch.fnmatchcase(effect.target, spec)


def _covers(rule: ToolRule, call: ResolvedCall, effect: CallEffect) -> bool:
    spec = rule.specifier
    if spec is None:
        return _names_tool(rule, call.tool)
    if call.tool == "Bash":
        return rule.tool == "Bash" and _line_matches(spec, effect.detail)
    if rule.tool == "Read" and call.tool in _READING_TOOLS:
        return effect.kind is Kind.READ and _path_matches(spec, effect.target, call, above=False)
    if rule.tool in ("Edit", "Write") and call.tool in _WRITING_TOOLS:
        return effect.kind in (Kind.WRITE, Kind.READ) and _path_matches(
            spec, effect.target, call, above=False
        )
    if rule.tool != call.tool:
        return False
    if rule.tool in _READING_TOOLS | _WRITING_TOOLS:
        return _path_matches(spec, effect.target, call, above=False)
    if rule.tool == "WebFetch":
        return effect.kind is Kind.NETWORK and _domain_matches(spec, effect.target)
    if rule.tool in ("Git", "GitHub"):
        return _action_matches(rule, call)
    return fnmatch.fnmatchcase(effect.target, spec)


def _line_matches(spec: str, line: str) -> bool:
    """One simple command against `pytest *`, `npm run test:*`, `git log --oneline`."""
    return bool(line) and bool(_line_pattern(spec).fullmatch(line))


@lru_cache(maxsize=512)
def _line_pattern(spec: str) -> re.Pattern[str]:
    spec = spec.strip()
    tail = ""
    if spec.endswith((":*", " *")):
        spec, tail = spec[:-2], r"(?:\s.*)?"
    return re.compile("".join(".*" if c == "*" else re.escape(c) for c in spec) + tail, re.DOTALL)


def _same_flags(spec: str, line: str) -> bool:
    """`rm -rf *` also means `rm -fr`, `rm -r -f`, `rm --force x --recursive`, `/bin/rm -rf`."""
    wanted, found = _words(spec), _words(line)
    if not wanted or not found:
        return False
    if wanted[0].casefold() != found[0].rpartition("/")[2].casefold():
        return False
    want_flags, want_rest = _flags(wanted[1:])
    found_flags, found_rest = _flags(found[1:])
    if not want_flags <= found_flags:
        return False
    rest = " ".join(want_rest)
    return (rest in ("", "*") and (rest == "*" or not found_rest)) or _line_matches(
        rest, " ".join(found_rest)
    )


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _flags(words: list[str]) -> tuple[set[str], list[str]]:
    flags: set[str] = set()
    rest: list[str] = []
    for word in words:
        if word.startswith("--") and len(word) > 2:
            flags.add(_SAME_FLAG.get(word[2:], word[2:]))
        elif word.startswith("-") and len(word) > 1 and word != "--":
            flags |= {_SAME_FLAG.get(c, c) for c in word[1:]}
        elif word != "--":
            rest.append(word)
    return flags, rest


def _path_matches(spec: str, target: str, call: ResolvedCall, *, above: bool) -> bool:
    """`src/**`, `*.sql`, `/etc/**`, `~/notes/*`: relative ones count from the workspace, those without a slash inside
    (`*.sql`, `migrations/`) hold at any depth, as for gitignore. A folder means all below it.
    above: a target that contains what the rule names matches too."""
    root = str(call.facts.get("workspace") or "").rstrip("/")
    spec = spec.removeprefix("./")
    if spec.startswith("~/"):
        found = re.sub(r"^(?:/root|/(?:home|Users)/[^/]+)/", "", target)
        return found != target and bool(_path_pattern(spec[2:]).fullmatch(found))
    if spec.startswith("/"):
        relative = target.lstrip("/")
    elif root and (target == root or target.startswith(root + "/")):
        relative = target[len(root) :].lstrip("/")
    else:
        return False
    if above:
        head = re.split(r"[*?\[]", spec)[0].strip("/")
        if not relative or head == relative or head.startswith(relative + "/"):
            return True
    return bool(_path_pattern(spec).fullmatch(relative))


@lru_cache(maxsize=512)
def _path_pattern(spec: str) -> re.Pattern[str]:
    anywhere = "" if "/" in spec.rstrip("/") else r"(?:.*/)?"
    spec = spec.removesuffix("/**").strip("/")
    out, i = "", 0
    while i < len(spec):
        if spec.startswith("**/", i):
            out, i = out + r"(?:.*/)?", i + 3
        elif spec.startswith("**", i):
            out, i = out + ".*", i + 2
        elif spec[i] == "*":
            out, i = out + "[^/]*", i + 1
        elif spec[i] == "?":
            out, i = out + "[^/]", i + 1
        else:
            out, i = out + re.escape(spec[i]), i + 1
    # case does not tell files apart everywhere, and a rule must not depend on it
    return re.compile(anywhere + out + r"(?:/.*)?", re.DOTALL | re.IGNORECASE)


def _domain_matches(spec: str, target: str) -> bool:
    wanted = spec.partition(":")[2] if spec.startswith("domain:") else spec
    host = normal_host(target)
    if host is None:
        return False
    if wanted.startswith("*."):
        return host.endswith("." + (normal_host(wanted[2:]) or "\0"))
    return host == normal_host(wanted)


def _action_matches(rule: ToolRule, call: ResolvedCall) -> bool:
    """`Git(push)`, `Git(push * main)`, `GitHub(comment)` against a call of that tool."""
    if call.tool != rule.tool:
        return False
    action, _, where = (rule.specifier or "").partition(" ")
    if action.rstrip(":*") != str(call.args.get("action", "")) and action != "*":
        return False
    where = where.strip()
    return where in ("", "*") or any(_where_matches(where, e.target) for e in call.effects)


def _git_matches(spec: str, effect: CallEffect) -> bool:
    """A Git rule against what a command line would do to a repository."""
    action, _, where = spec.partition(" ")
    action = action.rstrip(":*")
    kind = _GIT_KINDS.get(action)
    if kind is not None and effect.kind is kind:
        return where.strip() in ("", "*") or _where_matches(where.strip(), effect.target)
    return kind is None and bool(re.match(rf"git (?:-\S+ )*{re.escape(action)}(?:\s|$)", effect.detail))


def _where_matches(where: str, target: str) -> bool:
    """`* main` against `origin main`; a target that is not known (`origin *`) matches every rule."""
    wanted, found = where.split(), target.split()
    if "*" in found:
        return len(found) < 2 or wanted[0] in ("*", found[0])
    return any(
        fnmatch.fnmatchcase(" ".join((found[0], ref)), " ".join(wanted)) for ref in found[1:] or [""]
    ) or fnmatch.fnmatchcase(target, where)


def _gh_matches(spec: str, line: str) -> bool:
    words = _words(line)
    return (
        bool(words)
        and words[0] in ("gh", "hub")
        and bool(set(words) & set(_GH_WORDS.get(spec.strip(), ("api",))))
    )
