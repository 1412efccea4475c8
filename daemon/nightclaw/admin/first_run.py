"""`init`: a first config.toml and ORDERS.md from what is on the machine and at most five questions.

Never overwrites: where a file stands already it says what it would have added. What it writes has been validated.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nightclaw.admin import discover
from nightclaw.admin.discover import Clone
from nightclaw.admin.first_config import ORDERS, Wishes, compose
from nightclaw.admin.out import DONE, Out
from nightclaw.config import FILE, Config, load, load_text
from nightclaw.configfile import replace_file


@dataclass(frozen=True, slots=True)
class Found:
    clones: list[Clone]
    login: str | None
    keys: list[str]
    local: list[str]

    @property
    def on_github(self) -> list[Clone]:
        """One clone for each GitHub repository."""
        by_name: dict[str, Clone] = {}
        for clone in self.clones:
            if clone.name is not None:
                by_name.setdefault(clone.name.lower(), clone)
        return list(by_name.values())


def init(home: Path, env: Mapping[str, str], out: Out, *, asks: bool) -> int:
    """Look around, ask when `asks`, and write what is missing in the home. Raises ConfigError for a bad old config."""
    exists = (home / FILE).exists()
    held = load(home, env)
    found = look_around(env)
    _tell_found(found, out)
    wishes = _default_wishes(found)
    if asks and not exists:
        wishes = _ask(found, wishes)
    text = compose(wishes)
    load_text(text.encode(), home, env)  # what it would write is held against the real rules
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    wrote: list[str] = []
    missing: list[str] = []
    if exists:
        missing = _missing(held, found)
        out.line(f"{home / FILE} exists and stays as it is")
        for line in missing:
            out.line(f"  it could also have: {line}")
    else:
        replace_file(home / FILE, text.encode())
        wrote.append(FILE)
    if not (home / "ORDERS.md").exists():
        replace_file(home / "ORDERS.md", ORDERS.encode())
        wrote.append("ORDERS.md")
    for name in wrote:
        out.line(f"wrote {home / name}")
    if not exists:
        out.line("next: `nightclaw run`, or `clawctl service install` to keep it running")
        out.line("`clawctl doctor` says what is missing")
    row = {"home": home, "wrote": wrote, "kept": [FILE] if exists else [], "missing": missing}
    out.json({**row, "found": _row(found)})
    return DONE


def look_around(env: Mapping[str, str]) -> Found:
    clones = discover.find_clones(env, Path.cwd())
    return Found(clones, discover.find_login(env), discover.find_keys(env), discover.find_local_models(env))


def _row(found: Found) -> dict[str, object]:
    repos = [{"name": c.name, "path": str(c.path)} for c in found.clones]
    return {"repositories": repos, "login": found.login, "keys": found.keys, "local_models": found.local}


def _tell_found(found: Found, out: Out) -> None:
    out.line(f"found {len(found.clones)} git clones, {len(found.on_github)} of them on GitHub")
    out.line(f"GitHub login: {found.login or 'none found'}")
    keys = ", ".join(f"{discover.KEYS[k]} for {k}" for k in found.keys)
    out.line(f"keys in the environment: {keys or 'none'}")
    out.line(f"local models: {', '.join(found.local[:5]) or 'none'}")


def _default_wishes(found: Found) -> Wishes:
    return Wishes(
        clones=found.on_github,
        login=found.login,
        model=next(iter(_models(found)), None),
        notify=None,
        shadow=False,
    )


def _models(found: Found) -> list[str]:
    names = {"anthropic": "anthropic/claude-sonnet-4-5", "openai": "openai/gpt-5"}
    return [names[k] for k in found.keys] + [f"ollama/{m}" for m in found.local]


def _ask(found: Found, default: Wishes) -> Wishes:
    """The five questions, each with an answer that Enter gives."""
    clones = default.clones
    if clones:
        for n, clone in enumerate(clones, 1):
            _say(f"  {n:>2}  {clone.name}  ({clone.path})")
        clones = _chosen(_question("Which may it follow? numbers, `all` or `none`", "all"), clones)
    login = _question("Your GitHub login, whose labels start work", default.login or "") or None
    models = _models(found)
    model = default.model
    if models:
        listed = ", ".join(models[:6])
        answer = _question(f"Which model ({listed}, or `none`)", models[0])
        model = None if answer == "none" else answer
    notify = (
        _question(
            "Where should notes go? an Apprise address such as ntfy://ntfy.sh/my-topic, empty for none", ""
        )
        or None
    )
    answer = _question("Only watch and report for the first days, doing nothing (shadow)? y/n", "n")
    return Wishes(clones, login, model, notify, shadow=answer.lower().startswith("y"))


def _chosen(answer: str, clones: list[Clone]) -> list[Clone]:
    if answer.lower() in ("all", "none"):
        return clones if answer.lower() == "all" else []
    numbers = {int(w) for w in answer.replace(",", " ").split() if w.isdecimal()}
    return [clone for n, clone in enumerate(clones, 1) if n in numbers]


def _question(text: str, default: str) -> str:
    _say(f"{text} [{default}]: " if default else f"{text}: ", end="")
    return sys.stdin.readline().strip() or default


def _say(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


def _missing(config: Config, found: Found) -> list[str]:
    lines = [
        f'[[github.repo]] name = "{clone.name}", path = "{clone.path}"'
        for clone in found.on_github
        if clone.name is not None and config.github.match(clone.name) is None
    ]
    if found.login and not config.github.owners:
        lines.append(f'[github] owners = ["{found.login}"]')
    if not config.models and (models := _models(found)):
        lines.append(f'[models] agent = "{models[0]}"')
    if not config.notify.urls:
        lines.append('[notify] urls = ["ntfy://ntfy.sh/…"]')
    return lines
