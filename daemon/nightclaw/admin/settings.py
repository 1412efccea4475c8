"""`config-check`, `config-get`, `config-set`: what holds, and one changed value at a time."""

from collections.abc import Mapping
from pathlib import Path

from nightclaw import configfile
from nightclaw.admin.lock import holder, is_held
from nightclaw.admin.out import DONE, NOT_FOUND, Out
from nightclaw.config import FILE, advice, load, not_yet


def check(home: Path, env: Mapping[str, str], out: Out) -> int:
    """Say that the config is right, with notes. Raises ConfigError when it is not."""
    config = load(home, env)
    path = home / FILE
    good = f"{path} is right" if config.exists else f"{path} does not exist: every default holds"
    notes = [*not_yet(config), *advice(config)]
    row = {"ok": True, "path": path, "exists": config.exists, "faults": [], "notes": notes}
    out.answer(row, [good, *(f"note: {note}" for note in notes)])
    return DONE


def get(home: Path, env: Mapping[str, str], key: str, out: Out) -> int:
    value = configfile.plain(configfile.get_value(home, env, key))
    if value is None:
        out.json(None)
        out.note(f"{key} is not set, and has no default")
        return NOT_FOUND if not out.is_json else DONE
    out.answer(value, configfile.shown(value))
    return DONE


def put(home: Path, env: Mapping[str, str], key: str, text: str, out: Out) -> int:
    change = configfile.set_value(home, env, key, text)
    was, now = configfile.plain(change.was), configfile.plain(change.now)
    out.answer(
        {"path": change.path, "key": key, "was": was, "now": now}, [f"{key} = {configfile.inline(now)}"]
    )
    if is_held(home):
        out.note(f"the running daemon takes it at its next reload: kill -HUP {holder(home) or 'PID'}")
    return DONE
