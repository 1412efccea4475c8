"""What is already on this machine: git clones, the owner's GitHub login, keys, a local model. Looks, changes nothing.

Bounded: a few known folders, three levels deep, a deadline; nothing leaves the machine.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("src", "code", "projects", "dev", "work", "repos", "git", "Developer", "go/src")
DEPTH = 3
MOST = 20
_SKIPPED = frozenset(
    {"node_modules", "venv", "__pycache__", "target", "build", "dist", "vendor", "site-packages"}
)
_GITHUB = re.compile(
    r"(?:^git@|^ssh://git@|^https?://(?:[^@/]+@)?|^git://)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?$"
)
OLLAMA = "127.0.0.1:11434"


@dataclass(frozen=True, slots=True)
class Clone:
    """A git clone. `name`: owner/name on GitHub, None for other remotes; `base`: its default branch if known."""

    path: Path
    name: str | None
    base: str | None
    touched_at: float


def find_clones(env: Mapping[str, str], cwd: Path, budget_s: float = 3.0) -> list[Clone]:
    """Clones below the usual folders and at `cwd`, the newest work first, at most 20."""
    home = Path(env.get("HOME") or os.path.expanduser("~"))
    deadline = time.monotonic() + budget_s
    found: dict[Path, Clone] = {}
    around = next((p for p in (cwd, *cwd.parents) if (p / ".git").is_dir()), None)
    if around is not None and around != home:
        found[around.resolve()] = read_clone(around)
    for root in (home / name for name in FOLDERS):
        for path in _walk(root, DEPTH, deadline):
            found.setdefault(path.resolve(), read_clone(path))
    return sorted(found.values(), key=lambda c: -c.touched_at)[:MOST]


def _walk(folder: Path, depth: int, deadline: float) -> Iterator[Path]:
    if time.monotonic() > deadline:
        return
    try:
        with os.scandir(folder) as entries:
            inside = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return
    if ".git" in inside:
        yield folder
        return
    for name in inside if depth else ():
        if not name.startswith(".") and name not in _SKIPPED:
            yield from _walk(folder / name, depth - 1, deadline)


def read_clone(path: Path) -> Clone:
    """What the clone's own files say; git itself is not run in it."""
    git = path / ".git"
    try:
        touched = max((git / n).stat().st_mtime for n in ("HEAD", "index", "logs/HEAD") if (git / n).exists())
    except (OSError, ValueError):
        touched = 0.0
    return Clone(path, github_name(_text(git / "config")), _base(git), touched)


def github_name(config: str) -> str | None:
    """owner/name of `origin`, else of the only other GitHub remote, from the text of a git config."""
    remotes: dict[str, str] = {}
    section = ""
    for line in config.splitlines():
        if header := re.match(r'\s*\[remote "([^"]+)"\]', line):
            section = header[1]
        elif line.lstrip().startswith("["):
            section = ""
        elif section and (url := re.match(r"\s*url\s*=\s*(\S+)", line)) and (found := _GITHUB.match(url[1])):
            remotes.setdefault(section, f"{found[1]}/{found[2]}")
    if "origin" in remotes:
        return remotes["origin"]
    return next(iter(remotes.values())) if len(remotes) == 1 else None


def _base(git: Path) -> str | None:
    found = re.match(r"ref: refs/remotes/origin/(\S+)", _text(git / "refs" / "remotes" / "origin" / "HEAD"))
    return found[1] if found else None


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(1 << 16)
    except OSError:
        return ""


def find_login(env: Mapping[str, str]) -> str | None:
    """The login `gh` is signed in with, else git's `github.user`; read from their files."""
    home = env.get("HOME") or os.path.expanduser("~")
    config = env.get("GH_CONFIG_DIR") or os.path.join(env.get("XDG_CONFIG_HOME") or f"{home}/.config", "gh")
    hosts = _text(Path(config) / "hosts.yml")
    block = re.search(r"^github\.com:\n((?:[ \t]+.*\n?)*)", hosts, re.M)
    found = re.search(r"^[ \t]+user:[ \t]*[\"']?([\w-]+)", block[1], re.M) if block else None
    if found is None:
        found = re.search(
            r"^\[github\][^\[]*?^\s*user\s*=\s*([\w-]+)", _text(Path(home) / ".gitconfig"), re.M
        )
    return found[1] if found else None


def has_gh_token(env: Mapping[str, str]) -> bool:
    """True when a GitHub token can be had: from the environment, or by asking a signed-in gh."""
    return any(env.get(n) for n in ("GITHUB_TOKEN", "GH_TOKEN")) or bool(
        shutil.which("gh") and find_login(env)
    )


def find_keys(env: Mapping[str, str]) -> list[str]:
    """Providers whose usual key stands in the environment."""
    return [name for name, key in KEYS.items() if env.get(key, "").strip()]


KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


def find_local_models(env: Mapping[str, str], timeout_s: float = 1.0) -> list[str]:
    """Models of an Ollama on this machine, none when nothing answers. OLLAMA_HOST is honoured when it is local."""
    import urllib.request  # brings TLS and more: only for those who ask

    host = re.sub(r"^https?://", "", env.get("OLLAMA_HOST", "")).rstrip("/") or OLLAMA
    if host.rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]"):
        host = OLLAMA
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}/api/tags", timeout=timeout_s) as answer:
            listed = json.loads(answer.read(1 << 20))
        return [str(m["name"]) for m in listed["models"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
