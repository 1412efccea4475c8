"""Reads and changes single values of config.toml and leaves the rest of it, comments included, as the owner wrote it.

A change is validated before it is written, and the file is replaced whole: a reader sees the old or the new one.
"""

import datetime
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from pydantic import BaseModel
from tomlkit.items import AoT, Table

from nightclaw.config.faults import keys_of, model_in, tables
from nightclaw.config.load import FILE, load_text
from nightclaw.config.model import OURS, Config
from nightclaw.config.values import nearest
from nightclaw.core.errors import ConfigError, Fault, Invalid, NotFound

Value = object
_PART = re.compile(r'"([^"]+)"|\'([^\']+)\'|([^."\']+)')
_KEY = re.compile(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*")


@dataclass(frozen=True, slots=True)
class Change:
    """What a `set_value` did. `was` is None when the key was not in the file."""

    path: Path
    key: str
    was: Value
    now: Value


def parts_of(key: str) -> list[str]:
    """`github.repo."octo/app".base` as its parts. Raises Invalid for an empty one."""
    parts = [quoted or single or bare for quoted, single, bare in _PART.findall(key)]
    if not _KEY.fullmatch(key) or not all(p.strip() for p in parts):
        raise Invalid(f"{key!r} is not a key", "write it like tick.every or schedule.brief.cron")
    return [p.strip() for p in parts]


def get_value(home: Path, env: Mapping[str, str], key: str) -> Value:
    """What holds for `key`: the file's value as written, else the default as it would be written; None: unset.

    List entries are named by their name or number. Raises NotFound with the nearest key, ConfigError.
    """
    text = read(home)
    config = load_text(text, home, env)
    raw = tomllib.loads((text or b"").decode("utf-8-sig"))
    raw.setdefault("timezone", config.timezone)
    whole = effective(raw, Config)
    github = whole["github"]
    if isinstance(github, dict) and github["poll"] is None:
        github["poll"] = "2m" if config.github.poll else "off"
    here: Value = whole
    done: list[str] = []
    parts = parts_of(key)
    while parts:
        part = parts.pop(0)
        if isinstance(here, dict):
            if part not in here and (rest := ".".join([part, *parts])) in here:
                part, parts = rest, []
            if part not in here:
                raise _unknown(done, part, [str(k) for k in here])
            here = here[part]
        elif isinstance(here, list):
            here = here[_entry(here, part, ".".join(done))]
        else:
            raise NotFound(f"{'.'.join(done)} is a single value", "ask for it without what follows")
        done.append(part)
    return here


def effective(raw: Mapping[str, Value], model: type[BaseModel]) -> dict[str, Value]:
    """The table with its defaults filled in, every value as TOML would hold it; None: unset."""
    found: dict[str, Value] = {}
    for key, field in model.model_fields.items():
        if model is Config and key in OURS:
            continue
        inner = model_in(field.annotation)
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        given = raw.get(key, {} if isinstance(default, BaseModel) else default)
        if inner is None or not isinstance(given, dict | list):
            found[key] = given
        elif isinstance(given, list):
            found[key] = [effective(row, inner) if isinstance(row, dict) else row for row in given]
        elif str(field.annotation).startswith("dict["):
            found[key] = {name: effective(row, inner) for name, row in given.items()}
        else:
            found[key] = effective(given, inner)
    return found


def set_value(home: Path, env: Mapping[str, str], key: str, text: str) -> Change:
    """Write `key = text` into the file. `text` is read as TOML where it is TOML, else as a text.

    Raises NotFound (no such entry), ConfigError (what the config would be wrong with; nothing is written).
    """
    held = read(home)
    parts = parts_of(key)
    readings = [_as_toml(text), text]
    first: ConfigError | None = None
    for value in readings if readings[0] != text else [text]:
        document = tomlkit.parse((held or b"").decode("utf-8-sig"))
        was = _put(document, parts, value)
        written = tomlkit.dumps(document).encode()
        try:
            load_text(written, home, env)
        except ConfigError as error:
            first = first or error
            continue
        path = Path(os.path.realpath(home / FILE))
        replace_file(path, written)
        return Change(path, key, was, value)
    assert first is not None
    raise _only_new(first, held, home, env)


def read(home: Path) -> bytes | None:
    try:
        return (home / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        fault = Fault(
            str(home / FILE), 0, "", f"cannot be read: {error.strerror}", "make it readable for you"
        )
        raise ConfigError([fault]) from None


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put `content` at `path` whole and durable; an existing file keeps its mode."""
    if path.exists():
        mode = path.stat().st_mode & 0o777
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as opened:
            os.fchmod(opened.fileno(), mode)
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames within `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_toml(text: str) -> Value:
    try:
        return tomllib.loads(f"v = {text}")["v"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        return text


def _put(document: tomlkit.TOMLDocument, parts: list[str], value: Value) -> Value:
    here: Value = document
    table = ""
    for n, part in enumerate(parts[:-1]):
        rest = parts[n + 1 :]
        if isinstance(here, list):
            here = here[_entry(here, part, ".".join(parts[:n]))]
            continue
        assert isinstance(here, dict)
        table = f"{table}.{part}".lstrip(".")
        if part == "when" and rest[0] == "payload":
            parts = [*parts[: n + 1], ".".join(rest)]
            here = here[part]
            break
        if part not in here:
            if n == 0 and part not in keys_of(""):
                raise _unknown([], part, keys_of(""))
            if _is_list_table(table):
                raise NotFound(f"there is no [[{table}]] yet", f"write one into the file: [[{table}]]")
            here[part] = tomlkit.table(is_super_table=len(rest) > 1)
        here = here[part]
        if not isinstance(here, dict | list):
            raise NotFound(f"{'.'.join(parts[: n + 1])} is a single value", "set it without what follows")
    last = parts[-1]
    if isinstance(here, AoT) or (isinstance(here, list) and not last.isdecimal()):
        raise Invalid(f"{'.'.join(parts)} is a whole table", "set one of its keys")
    if isinstance(here, list):
        number = _entry(here, last, ".".join(parts[:-1]))
        was, here[number] = here[number], value
        return was
    assert isinstance(here, dict)
    was = here.get(last)
    if isinstance(was, Table | AoT):
        raise Invalid(f"{'.'.join(parts)} is a whole table", "set one of its keys")
    here[last] = value
    return was


def _is_list_table(table: str) -> bool:
    parent, _, last = table.rpartition(".")
    model = tables().get(parent)
    return (
        model is not None
        and table in tables()
        and str(model.model_fields[last].annotation).startswith("list[")
    )


def _entry(rows: list[Value], part: str, where: str) -> int:
    if part.isdecimal() and int(part) < len(rows):
        return int(part)
    names = [str(r.get("name", r.get("path", ""))) if isinstance(r, dict) else str(r) for r in rows]
    for n, name in enumerate(names):
        if name.lower() == part.lower():
            return n
    listed = ", ".join(n for n in names if n) or f"0 to {len(rows) - 1}" if rows else "there are none"
    raise NotFound(f"{where} has no entry {part!r}", f"its entries: {listed}")


def _unknown(done: list[str], part: str, known: list[str]) -> NotFound:
    near = nearest(part, known)
    where = ".".join([*done, part])
    return NotFound(f"there is no key {where}", f"did you mean {'.'.join([*done, near])}?" if near else
                    f"the keys here: {', '.join(known) or 'none'}")  # fmt: skip


def _only_new(error: ConfigError, held: bytes | None, home: Path, env: Mapping[str, str]) -> ConfigError:
    """The faults the change brings; those that stand in the file anyway are told only when there are no others."""
    try:
        load_text(held, home, env)
        before: set[tuple[str, str]] = set()
    except ConfigError as old:
        before = {(f.key, f.problem) for f in old.faults}
    new = [f for f in error.faults if (f.key, f.problem) not in before]
    return ConfigError(new or error.faults)


def plain(value: Value) -> Value:
    """A value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value


def inline(value: Value) -> str:
    """A value as it stands after `key = `."""
    return tomlkit.item(value).as_string() if value is not None else '""'


def shown(value: Value) -> list[str]:
    """A value as lines for people: a text bare, a table as TOML, a list one entry a line."""
    if isinstance(value, dict):
        return tomlkit.dumps(_without_none(value)).rstrip().splitlines()
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return [inline(_without_none(v)) if isinstance(v, dict) else inline(v) for v in value]
    if isinstance(value, list):
        return [v if isinstance(v, str) else inline(v) for v in value]
    return [value if isinstance(value, str) else inline(value)]


def _without_none(table: Mapping[str, Value]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found[key] = _without_none(value)
        elif isinstance(value, list):
            found[key] = [_without_none(v) if isinstance(v, dict) else v for v in value]
        elif value is not None:
            found[key] = value
    return found
