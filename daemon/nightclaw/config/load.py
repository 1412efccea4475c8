"""Reads a home's config.toml into a Config, or says everything that is wrong with it, one Fault a line.

`load` depends on the home, the environment and the files a config names, and on nothing else: reloading is loading.
"""

import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from nightclaw.config.faults import fault_of, misplaced
from nightclaw.config.kinds import Around
from nightclaw.config.lines import line_of, lines_of
from nightclaw.config.model import KINDS, OURS, Config
from nightclaw.config.values import Bad, nearest
from nightclaw.core.errors import ConfigError, Fault

FILE = "config.toml"
LARGEST = 1 << 20
Raw = dict[str, object]


def home_from(env: Mapping[str, str]) -> Path:
    """The home this environment names, absolute: NIGHTCLAW_HOME, else `~/.nightclaw`."""
    named = env.get("NIGHTCLAW_HOME") or "~/.nightclaw"
    if named == "~" or named.startswith("~/"):
        named = (env.get("HOME") or os.path.expanduser("~")) + named[1:]
    return Path(os.path.abspath(os.path.expanduser(named)))


def load(home: Path, env: Mapping[str, str]) -> Config:
    """The config of `home`, defaults when it has no file. Raises ConfigError with every fault found."""
    path = home / FILE
    about_home = list(_home_faults(home))
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(
                [*about_home, Fault(str(path), 0, "", "is over 1 MiB", "is it the right file?")]
            )
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        text = None
    except OSError as error:
        fault = Fault(
            str(path), 0, "", f"cannot be read: {error.strerror}", "make it readable for you, or move it away"
        )
        raise ConfigError([*about_home, fault]) from None
    return load_text(text, home, env, about_home)


def load_text(
    text: bytes | None, home: Path, env: Mapping[str, str], about_home: list[Fault] | None = None
) -> Config:
    """`load` of a text that need not be in the file yet; None for no file. Raises ConfigError."""
    file = str(home / FILE)
    faults = list(_home_faults(home)) if about_home is None else about_home
    raw, source = _read(text or b"", file, faults)
    lines = lines_of(source)

    def at(path: tuple[str | int, ...], bad: Bad) -> Fault:
        where = (*path, *bad.at)
        return Fault(file, line_of(lines, where), key_of(where), bad.problem, bad.remedy)

    faults += [at(path, bad) for path, bad in (*_top_faults(raw), *_across(raw))]
    given = {key: value for key, value in raw.items() if key in Config.model_fields and key not in OURS}
    given |= {"home": home, "exists": text is not None}
    given["digest"] = "defaults" if text is None else hashlib.sha256(text).hexdigest()
    given.setdefault("timezone", system_timezone(env))
    _name_providers(given)
    try:
        config = Config.model_validate(given, context=Around(home, env))
    except ValidationError as error:
        found = [at(*fault_of(e, raw)) for e in error.errors(include_url=False)]
        raise ConfigError(_in_order([*faults, *found])) from None
    if faults:
        raise ConfigError(_in_order(faults))
    return _with_polling(config)


def key_of(path: tuple[str | int, ...]) -> str:
    """A path as people write it; entries of a list are told apart by their line."""
    parts = [p for p in path if isinstance(p, str)]
    return ".".join(p if re.fullmatch(r"[\w-]+", p) else f'"{p}"' for p in parts)


def _read(text: bytes, file: str, faults: list[Fault]) -> tuple[Raw, str]:
    try:
        source = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigError([*faults, Fault(file, line, "", "is not UTF-8 text", "save it as UTF-8")]) from None
    try:
        return tomllib.loads(source), source.replace("\r\n", "\n")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error) or "is nested too deeply"
        found = re.search(r"at line (\d+)", said)
        line = int(found[1]) if found else source.count("\n") + 1
        problem = re.sub(r"\s*\(at .*\)$", "", said)
        problem = f"is not valid TOML: {problem[:1].lower()}{problem[1:]}"
        faults = [*faults, Fault(file, line, "", problem, _toml_remedy(source, line))]
        raise ConfigError(faults) from None


def _toml_remedy(source: str, line: int) -> str:
    lines = source.splitlines()
    here = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    value = here.partition("=")[2].strip()
    if value in ("True", "False"):
        return "write true or false"
    if re.match(r"^(?:[A-Za-z~/]|\d+(?:\.\d+)?\s*[A-Za-z%])", value) and value not in ("true", "false"):
        return "put quotes around a text"
    return "correct this line"


def _in_order(faults: list[Fault]) -> list[Fault]:
    unique = {(f.line, f.key, f.problem): f for f in faults}
    return sorted(unique.values(), key=lambda f: f.line)


def _home_faults(home: Path) -> Iterator[Fault]:
    socket, limit = home / "run" / "control.sock", 103 if sys.platform == "darwin" else 107
    size = len(os.fsencode(socket))
    if size > limit:
        problem = (
            f"the control socket {socket} would be {size} bytes long, over this system's limit of {limit}"
        )
        yield Fault(str(home), 0, "NIGHTCLAW_HOME", problem, "choose a home with a shorter path")
    try:
        if home.exists() and not home.is_dir():
            yield Fault(
                str(home), 0, "NIGHTCLAW_HOME", "is not a folder", "move it away, or name another home"
            )
        elif home.exists() and not os.access(home, os.R_OK | os.W_OK | os.X_OK):
            yield Fault(
                str(home), 0, "NIGHTCLAW_HOME", "cannot be used by you", f"chown it to you, chmod 700 {home}"
            )
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        yield Fault(str(home), 0, "NIGHTCLAW_HOME", problem, "make its folder readable, or name another home")


def _top_faults(raw: Raw) -> Iterator[tuple[tuple[str | int, ...], Bad]]:
    sections = [k for k in Config.model_fields if k not in OURS]
    for key in raw:
        if key not in sections:
            yield (key,), misplaced(key, sections, "")


def _across(raw: Raw) -> Iterator[tuple[tuple[str | int, ...], Bad]]:
    """What one entry cannot see: names given twice, and models of providers that do not exist."""
    for section in ("schedule", "watch", "hook", "rule"):
        yield from _twice(raw.get(section), (section,))
    github = raw.get("github")
    repos = github.get("repo") if isinstance(github, dict) else None
    yield from _twice(repos, ("github", "repo"))
    providers = raw.get("providers")
    known = {*KINDS, *(providers if isinstance(providers, dict) else ())}
    models = raw.get("models")
    for role, chain in models.items() if isinstance(models, dict) else ():
        for n, model in enumerate(chain if isinstance(chain, list) else [chain]):
            provider = model.partition("/")[0] if isinstance(model, str) else ""
            if isinstance(model, str) and "/" in model and provider not in known:
                yield ("models", role, n), _no_provider(provider, known)
    for n, repo in enumerate(repos if isinstance(repos, list) else ()):
        allowed = repo.get("models") if isinstance(repo, dict) else None
        for m, provider in enumerate(allowed if isinstance(allowed, list) else ()):
            if isinstance(provider, str) and provider not in known:
                yield ("github", "repo", n, "models", m), _no_provider(provider, known)


def _no_provider(name: str, known: set[str]) -> Bad:
    near = nearest(name, known)
    remedy = f'did you mean "{near}"?' if near else f"add a table [providers.{name}] with its kind"
    return Bad(f'there is no provider "{name}"', remedy)


def _twice(rows: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Bad]]:
    seen: dict[str, int] = {}
    for n, row in enumerate(rows if isinstance(rows, list) else ()):
        name = (
            row.get("name", row.get("path") if path == ("watch",) else None)
            if isinstance(row, dict)
            else None
        )
        if not isinstance(name, str):
            continue
        folded = name.strip().lower()
        if folded in seen:
            key = "name" if "name" in row else "path"
            problem = f'the name "{name}" is taken by entry {seen[folded] + 1} of [[{key_of(path)}]]'
            yield (*path, n, key), Bad(problem, "give each its own name")
        seen.setdefault(folded, n)


def _name_providers(given: Raw) -> None:
    """A provider's table names its kind unless it gives one."""
    providers = given.get("providers")
    if isinstance(providers, dict):
        given["providers"] = {
            name: {"kind": name, **table} if isinstance(table, dict) and name in KINDS else table
            for name, table in providers.items()
        }


def _with_polling(config: Config) -> Config:
    poll = config.github.poll
    if poll is None and config.ingress.public_url is None:
        poll = 120.0
    github = config.github.model_copy(update={"poll": poll or None})
    return config.model_copy(update={"github": github})


def system_timezone(env: Mapping[str, str]) -> str:
    """The IANA name of the system's zone: TZ, then /etc/localtime, then /etc/timezone, else UTC."""
    from zoneinfo import ZoneInfo

    named = [env.get("TZ", "").removeprefix(":")]
    try:
        named.append(os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2])
        named.append(Path("/etc/timezone").read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        pass
    for name in filter(None, named):
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError, KeyError):
            continue
    return "UTC"
