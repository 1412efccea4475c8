"""A tool call as effects: what it would do here, worked out from its arguments and the place, never from its name.

Pure but for `place.realpath` and `place.file_hash`. A tool that is not known, and arguments that cannot be read, are
one unknown effect of the highest level.
"""

import hashlib
import json
import os.path
import re
from collections.abc import Callable, Mapping, Sequence

from nightclaw.core.effects import CallEffect, Kind, Level, ResolvedCall
from nightclaw.core.errors import Invalid
from nightclaw.core.types import JSON, JSONObject
from nightclaw.policy import shell
from nightclaw.policy.facts import exact, in_a_line, told
from nightclaw.policy.paths import Area, Spot, expand, locate, may_be_secret
from nightclaw.policy.place import Place

__all__ = ["Place", "resolve"]

Found = tuple[list[CallEffect], dict[str, JSON]]
_MOST_HASHES = 64


def resolve(tool: str, args: JSONObject, place: Place) -> ResolvedCall:
    """The effects, facts and digest of a call. Never raises for what a model wrote."""
    worker = _TOOLS.get(tool)
    files: tuple[str, ...] = ()
    try:
        if tool == "Bash":
            judged = shell.judge(_text(args, "command"), place)
            effects, facts, files = list(judged.effects), _bash_facts(args, judged), judged.files
        elif worker is None:
            raise Invalid(f"there is no tool {tool!r}")
        else:
            effects, facts = worker(args, place)
    except Invalid as problem:
        effects = [CallEffect(Kind.UNKNOWN, Level.IRREVERSIBLE, in_a_line(tool, 80), detail=problem.message)]
        facts = {"summary": in_a_line(f"{tool}: {problem.message}")}
    root = _root(place)
    found: dict[str, JSON] = {
        "tool": in_a_line(tool, 80),
        "workspace": root,
        **facts,
        "effects": told(tuple(effects)),
    }
    found.setdefault("summary", in_a_line(tool))
    return ResolvedCall(tool, args, tuple(effects), found, _digest(tool, args, effects, files, place))


def _digest(
    tool: str, args: JSONObject, effects: Sequence[CallEffect], files: Sequence[str], place: Place
) -> str:
    """sha256 over tool, arguments, directory, the content of the files named, and what would go where."""
    paths = dict.fromkeys([*(e.target for e in effects if e.target.startswith("/")), *files])
    hashes = {p: place.file_hash(p) for p in list(paths)[:_MOST_HASHES]}
    space = place.workspace
    bound = {
        "tool": tool,
        "args": args,
        "cwd": _root(place),
        "files": hashes,
        "kinds": [[e.kind.value, int(e.level), e.target, e.is_known] for e in effects],
        "destination": [
            place.origin_url or space.origin_url,
            place.own_branch or space.branch,
            place.event_subject,
            place.event_repo,
        ],
    }
    if any(e.kind in (Kind.PUSH, Kind.PULL_REQUEST) for e in effects):
        bound["commit"] = place.tip
    text = json.dumps(bound, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _root(place: Place) -> str:
    return place.realpath(str(place.workspace.root))


def _text(args: JSONObject, name: str, default: str | None = None) -> str:
    value = args.get(name, default)
    if not isinstance(value, str) or "\0" in value:
        raise Invalid(f"{name} must be text")
    return value


def _spot(args: JSONObject, name: str, place: Place, default: str | None = None) -> Spot:
    text = _text(args, name, default)
    if not text:
        raise Invalid(f"{name} is empty")
    return locate(expand(text, place), str(place.workspace.root), place)


def _read_effect(spot: Spot) -> CallEffect:
    if spot.area is Area.OWN:
        return CallEffect(Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path, detail="the daemon's own home")
    if spot.is_secret:
        return CallEffect(Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path, is_secret=True, detail="a secret")
    # in the daemon's own process there is no private temporary folder
    if spot.area in (Area.OUTSIDE, Area.SCRATCH, Area.DEVICE):
        return CallEffect(Kind.READ, Level.IRREVERSIBLE, spot.path, detail="outside the workspace")
    return CallEffect(Kind.READ, Level.OBSERVE, spot.path, is_known=spot.area is not Area.FURTHER)


def _write_effect(spot: Spot) -> CallEffect:
    if spot.area is Area.OWN:
        return CallEffect(Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path, detail="the daemon's own home")
    if spot.is_secret:
        return CallEffect(Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path, is_secret=True, detail="a secret")
    if spot.area is not Area.WORKSPACE:
        return CallEffect(Kind.WRITE, Level.IRREVERSIBLE, spot.path, detail="outside the workspace")
    if spot.guarded:
        return CallEffect(Kind.WRITE, Level.IRREVERSIBLE, spot.path, detail=f"it {spot.guarded}")
    return CallEffect(Kind.WRITE, Level.WORKSPACE, spot.path)


def _read(args: JSONObject, place: Place) -> Found:
    spot = _spot(args, "file_path", place)
    return [_read_effect(spot)], {
        "summary": in_a_line(f"Read {spot.path}"),
        "path": in_a_line(spot.path, 1000),
    }


def _write(args: JSONObject, place: Place) -> Found:
    spot, content = _spot(args, "file_path", place), _text(args, "content")
    facts: dict[str, JSON] = {"summary": in_a_line(f"Write {spot.path}"), "path": in_a_line(spot.path, 1000)}
    return [_write_effect(spot)], {
        **facts,
        "content": exact(content),
        "replaces": place.file_hash(spot.path) is not None,
    }


def _edit(args: JSONObject, place: Place) -> Found:
    spot = _spot(args, "file_path", place)
    old, new = _text(args, "old_string"), _text(args, "new_string")
    facts: dict[str, JSON] = {"summary": in_a_line(f"Edit {spot.path}"), "path": in_a_line(spot.path, 1000)}
    return [_write_effect(spot)], {
        **facts,
        "old": exact(old),
        "new": exact(new),
        "everywhere": args.get("replace_all") is True,
    }


def _search(args: JSONObject, place: Place) -> Found:
    top = _spot(args, "path", place, ".")
    effects = [_read_effect(top)]
    pattern = _text(args, "pattern")
    for glob in (
        pattern if "output_mode" not in args and "glob" not in args else "",
        _text(args, "glob", ""),
    ):
        head = os.path.dirname(re.split(r"[*?\[{]", glob)[0])
        if glob.startswith(("/", "~")) or ".." in glob.split("/"):
            effects.append(_read_effect(locate(expand(head or "/", place), top.path, place)))
    return effects, {
        "summary": in_a_line(f"Search {top.path} for {pattern}"),
        "path": in_a_line(top.path, 1000),
    }


def _glob(args: JSONObject, place: Place) -> Found:
    return _search({k: v for k, v in args.items() if k in ("path", "pattern")}, place)


def _grep(args: JSONObject, place: Place) -> Found:
    effects, facts = _search({**args, "output_mode": "content"}, place)
    named = _text(args, "glob", "")
    if named and may_be_secret(named):
        effects.append(
            CallEffect(Kind.CREDENTIALS, Level.IRREVERSIBLE, named, is_secret=True, detail="secrets")
        )
    return effects, facts


def _bash_facts(args: JSONObject, judged: shell.Judged) -> dict[str, JSON]:
    command = _text(args, "command")
    return {
        "summary": in_a_line(f"Run {command}"),
        "command": exact(command),
        "argv": [in_a_line(line, 400) for line in judged.commands][:60],
        "not_understood": [in_a_line(f) for f in judged.faults],
    }


_GIT_LOOKS = frozenset({"status", "diff", "log", "show", "blame"})
_GIT_CHANGES = frozenset({"add", "branch", "restore", "stash"})


def _git(args: JSONObject, place: Place) -> Found:
    action = _text(args, "action")
    space = place.workspace
    branch = place.own_branch or space.branch
    origin = place.origin_url or space.origin_url
    root = _root(place)
    facts: dict[str, JSON] = {"summary": in_a_line(f"git {action}")}
    if action in _GIT_LOOKS:
        paths = [p for p in _listed(args, "paths") if p]
        spots = [locate(p, str(space.root), place) for p in paths]
        return [
            CallEffect(Kind.READ, Level.OBSERVE, root, is_known=True),
            *(_read_effect(s) for s in spots),
        ], facts
    if action == "commit":
        message = _text(args, "message", "")
        shown: dict[str, JSON] = {"message": exact(message), "branch": in_a_line(branch or "?")}
        return [CallEffect(Kind.COMMIT, Level.WORKSPACE, branch or "?")], {**facts, **shown}
    if action in _GIT_CHANGES:
        return [CallEffect(Kind.WRITE, Level.WORKSPACE, root, detail=action)], facts
    if action == "fetch":
        return [CallEffect(Kind.NETWORK, Level.OUTWARD, "origin", is_known=bool(origin))], facts
    if action != "push":
        raise Invalid(f"git has no action {action!r}")
    return _push(args, branch, origin, place.tip)


def _push(args: JSONObject, branch: str | None, origin: str | None, tip: str | None) -> Found:
    remote, ref = _text(args, "remote", "origin"), _text(args, "branch", branch or "")
    if not ref:
        raise Invalid("there is no branch to push")
    ref = ref.removeprefix("refs/heads/")
    forced = any(bool(args.get(k)) for k in ("force", "force_with_lease", "delete", "mirror", "all", "tags"))
    known = not forced and remote == "origin" and ref == branch and bool(origin)
    effect = CallEffect(
        Kind.PUSH, Level.IRREVERSIBLE if forced else Level.OUTWARD, f"{remote} {ref}", is_known=known
    )
    return [effect], {
        "summary": in_a_line(f"Push {ref} to {remote}"),
        "branch": in_a_line(ref),
        "commit": in_a_line(tip or "?"),
        "destination": in_a_line(_without_password(origin or "") if remote == "origin" else remote, 400),
        "force": forced,
    }


def _without_password(url: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _listed(args: JSONObject, name: str) -> list[str]:
    value = args.get(name)
    if value is None:
        return []
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not all(isinstance(v, str) for v in value)
    ):
        raise Invalid(f"{name} must be a list of texts")
    return [str(v) for v in value]


def _github(args: JSONObject, place: Place) -> Found:
    action = _text(args, "action")
    own = (place.event_repo or place.workspace.repo or place.event_subject.partition("#")[0]).casefold()
    repo = _text(args, "repo", own).casefold()
    number = args.get("number")
    event = place.event_subject.casefold()
    if isinstance(number, bool) or not isinstance(number, int | str | None):
        raise Invalid("number must be a whole number")
    target = (
        f"{repo}#{number}" if number is not None else (event if event.partition("#")[0] == repo else repo)
    )
    facts: dict[str, JSON] = {
        "summary": in_a_line(f"GitHub {action}: {target}"),
        "destination": in_a_line(target),
    }
    here = bool(own) and repo == own
    if action in ("read_issue", "read_pr", "read_checks", "list_comments", "read"):
        level = Level.OBSERVE if here else Level.OUTWARD
        kind = Kind.READ if here else Kind.NETWORK
        return [CallEffect(kind, level, target, is_known=here, detail="by the daemon's own client")], facts
    if action == "comment":
        known = here and "#" in event and target == event
        return [CallEffect(Kind.COMMENT, Level.OUTWARD, target, is_known=known)], {
            **facts,
            "body": exact(_text(args, "body")),
        }
    if action == "label":
        known = here and (number is None or target == event)
        shown: dict[str, JSON] = {"label": in_a_line(_text(args, "name", ""))}
        return [CallEffect(Kind.LABEL, Level.OUTWARD, target, is_known=known)], {**facts, **shown}
    if action == "create_pr":
        said: dict[str, JSON] = {
            "title": in_a_line(_text(args, "title", ""), 400),
            "body": exact(_text(args, "body", "")),
            "branch": in_a_line(place.own_branch or place.workspace.branch or "?"),
        }
        return [CallEffect(Kind.PULL_REQUEST, Level.OUTWARD, repo, is_known=here)], {
            **facts,
            "destination": repo,
            **said,
        }
    raise Invalid(f"GitHub has no action {action!r}")


def _note(args: JSONObject, place: Place) -> Found:
    said = _text(args, "message")
    return [CallEffect(Kind.NOTE, Level.NOTE, "the owner")], {
        "summary": "Note to the owner",
        "text": exact(said),
    }


def _ask(args: JSONObject, place: Place) -> Found:
    return [CallEffect(Kind.ASK, Level.NOTE, "the owner")], {"question": exact(_text(args, "question"))}


def _sleep(args: JSONObject, place: Place) -> Found:
    return [CallEffect(Kind.WAIT, Level.OBSERVE, "time", is_known=True)], {}


def _recall(args: JSONObject, place: Place) -> Found:
    return [CallEffect(Kind.READ, Level.OBSERVE, "memory", is_known=True)], {}


def _remember(args: JSONObject, place: Place) -> Found:
    return [CallEffect(Kind.MEMORY, Level.NOTE, "memory")], {"text": exact(_text(args, "text"))}


_TOOLS: Mapping[str, Callable[[JSONObject, Place], Found]] = {
    "Read": _read,
    "Write": _write,
    "Edit": _edit,
    "Glob": _glob,
    "Grep": _grep,
    "Git": _git,
    "GitHub": _github,
    "SendUserMessage": _note,
    "AskUserQuestion": _ask,
    "Sleep": _sleep,
    "Recall": _recall,
    "Remember": _remember,
}
