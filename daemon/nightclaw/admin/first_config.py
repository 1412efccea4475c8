"""The text of a first config.toml: what was found and wished for, and the rest of the keys worth knowing, commented."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from nightclaw.admin.discover import KEYS, Clone

ORDERS = """\
# Standing orders

What the daemon should watch for and how you want to be told, in your own words. It is read again at each tick, so a
change holds from the next one on. Lines like these:

- Tell me when the default branch has been red for more than an hour.
- Reviews that wait for me longer than a day: one note in the morning.
- Never write to me between ten at night and eight, unless production is down.
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    clones: list[Clone]
    login: str | None
    model: str | None
    notify: str | None
    shadow: bool


def compose(wishes: Wishes) -> str:
    """A config.toml that says what was wished for."""
    return "\n".join(_lines(wishes)) + "\n"


def quoted(text: str | Path) -> str:
    return tomlkit.item(str(text)).as_string()


def _lines(wishes: Wishes) -> Iterator[str]:
    yield "# Nightclaw's settings. What is commented out shows the default or an example."
    yield "# `clawctl config check` reads this file, SIGHUP makes a running daemon take it."
    yield ""
    yield '# timezone = "Europe/Berlin"        # default: the system\'s'
    yield ""
    yield "[initiative]"
    yield f"shadow = {'true' if wishes.shadow else 'false'}"
    yield '# true: decide and report "I would have…", do and push nothing. Good for the first days.'
    yield ""
    yield "[tick]"
    yield 'every = "5m"                       # how often it looks around by itself'
    yield ""
    yield from _models(wishes.model)
    yield ""
    yield from _github(wishes)
    yield ""
    yield "[notify]"
    yield (
        f"urls = [{quoted(wishes.notify)}]"
        if wishes.notify
        else '# urls = ["ntfy://ntfy.sh/my-topic"]  # any Apprise address, "desktop://"'
    )
    yield '# quiet_hours = "22:00-08:00"'
    yield "per_hour = 6"
    yield ""
    yield from _examples()


def _models(model: str | None) -> Iterator[str]:
    if model is None:
        yield "# [models]                          # no key and no local model was found: without one, rules decide"
        yield '# agent = "anthropic/claude-sonnet-4-5"'
        yield "# [providers.anthropic]"
        yield '# api_key = { env = "ANTHROPIC_API_KEY" }   # or { file = "…" }; never the key itself'
        return
    provider = model.partition("/")[0]
    yield "[models]"
    yield f"agent = {quoted(model)}"
    if provider == "anthropic":
        yield 'triage = "anthropic/claude-haiku-4-5"   # the small one, for "is this worth telling?"'
    yield ""
    yield f"[providers.{provider}]"
    if provider in KEYS:
        yield f'api_key = {{ env = "{KEYS[provider]}" }}   # a service does not inherit your shell: or {{ file = "…" }}'
    yield ""
    yield "[budget]                            # over all causes; checked before each call"
    yield "daily_usd = 5.0"
    yield "monthly_usd = 60.0"


def _github(wishes: Wishes) -> Iterator[str]:
    if not wishes.login and not wishes.clones:
        yield "# [github]"
        yield '# owners = ["octocat"]              # who "me" is: their labels start work'
        yield "# [[github.repo]]"
        yield '# name = "octo/app"'
        yield '# path = "~/src/app"'
        return
    yield "[github]"
    if wishes.login:
        yield f"owners = [{quoted(wishes.login)}]"
    else:
        yield '# owners = ["octocat"]              # who "me" is: their labels start work'
    yield '# poll = "2m"                       # used until a public_url and a secret bring the hooks in'
    for clone in wishes.clones:
        yield ""
        yield "[[github.repo]]"
        yield f"name = {quoted(clone.name or '')}"
        yield f"path = {quoted(clone.path)}"
        yield f"base = {quoted(clone.base)}" if clone.base else '# base = "main"'
        yield '# check = "pytest -q"               # what "verified" means here'


def _examples() -> Iterator[str]:
    yield from """\
# [[schedule]]
# name = "brief"
# cron = "0 8 * * 1-5"
# prompt = "Brief me on what changed overnight."

# [[watch]]
# path = "~/src/app"
# match = ["*.py"]
# verdict = "record"

# [[rule]]
# when = { source = "github", kind = "workflow_run.completed", "payload.workflow_run.conclusion" = "failure" }
# verdict = "notify"                  # ignore | record | notify | propose | act

# Every key with its meaning: docs/configuration.md""".splitlines()
