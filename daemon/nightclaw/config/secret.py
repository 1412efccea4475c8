"""Secrets by reference: a config names where a secret lies and never holds it, and neither does any repr.

A reference is checked when the config is read (set, readable, not open to others), and read when it is used.
"""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nightclaw.config.values import Bad, nearest, shown
from nightclaw.core.errors import ConfigError, Fault

Kind = Literal["env", "file", "keyring"]
KINDS: tuple[Kind, ...] = ("env", "file", "keyring")
_FORMS = '{ env = "NAME" }, { file = "path" } or { keyring = "name" }'


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lies. `key` is the config key that names it, `env` the environment it is looked up in."""

    kind: Kind
    name: str
    key: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)

    def resolve(self) -> str:
        """The secret itself, without surrounding whitespace. Raises ConfigError naming the key and the remedy."""
        try:
            return self._read()
        except Bad as bad:
            raise ConfigError([Fault("config.toml", 0, self.key, bad.problem, bad.remedy)]) from None

    def check(self) -> None:
        """Raise Bad when it is plain now that the secret cannot be had. Never asks a keyring."""
        if self.kind == "keyring":
            _keyring_command(self.name)
        else:
            self._read()

    def _read(self) -> str:
        if self.kind == "env":
            found = self.env.get(self.name, "").strip()
            if not found:
                state = "is empty" if self.name in self.env else "is not set"
                raise Bad(
                    f"the environment variable {self.name} {state}",
                    f"set {self.name} where the daemon starts, or use {{ file = … }}",
                )
            return found
        return _read_file(Path(self.name)) if self.kind == "file" else _ask_keyring(self.name)


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            info = os.fstat(opened.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise Bad(f"{path} is not a regular file", "name the file that holds the secret")
            if info.st_mode & 0o077:
                raise Bad(
                    f"{path} can be read by others (mode {info.st_mode & 0o777:04o})", f"chmod 600 {path}"
                )
            found = opened.read(65537)
    except FileNotFoundError:
        raise Bad(f"the secret file {path} does not exist", f"create it with mode 0600: {path}") from None
    except OSError as error:
        raise Bad(
            f"the secret file {path} cannot be read: {error.strerror}", "make it readable for you"
        ) from None
    text = found.decode("utf-8", "replace").strip()
    if not text or len(found) > 65536:
        raise Bad(f"the secret file {path} is {'too big' if text else 'empty'}", "write the secret into it")
    return text


def _keyring_command(name: str) -> list[str]:
    if sys.platform == "darwin":
        return ["security", "find-generic-password", "-s", "nightclaw", "-a", name, "-w"]
    if not shutil.which("secret-tool"):
        raise Bad(
            "no keyring can be asked: secret-tool is missing", "install libsecret-tools, or use { file = … }"
        )
    return ["secret-tool", "lookup", "service", "nightclaw", "key", name]


def _ask_keyring(name: str) -> str:
    command = _keyring_command(name)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Bad(f"the keyring did not answer: {error}", "unlock it, or use { file = … }") from None
    if done.returncode or not done.stdout.strip():
        store = (
            f"security add-generic-password -s nightclaw -a {name} -w"
            if sys.platform == "darwin"
            else f"secret-tool store --label=nightclaw service nightclaw key {name}"
        )
        raise Bad(f'the keyring holds no "{name}"', store)
    return done.stdout.strip()


def parse(value: object, key: str, env: Mapping[str, str], home: Path) -> SecretRef:
    """A reference from its TOML table. Raises Bad, also for a secret that is written out."""
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, str):
        raise Bad("a secret must not stand in the config itself", f"write {_FORMS}")
    if not isinstance(value, dict) or len(value) != 1:
        raise Bad(f"{shown(value)} does not say where the secret lies", f"write {_FORMS}")
    kind, name = next(iter(value.items()))
    if kind not in KINDS:
        near = nearest(str(kind), KINDS)
        raise Bad(
            f'unknown key "{kind}"', f'did you mean "{near}"?' if near else f"write {_FORMS}", (str(kind),)
        )
    if not isinstance(name, str) or not name.strip():
        raise Bad(f"{shown(name)} is not a name", f"write {_FORMS}", (kind,))
    if kind == "file":
        expanded = Path(os.path.expanduser(name) if "HOME" not in env else _expand(name, env["HOME"]))
        name = str(expanded if expanded.is_absolute() else home / expanded)
    return SecretRef(kind, name, key, env)


def _expand(name: str, user_home: str) -> str:
    return user_home + name[1:] if name == "~" or name.startswith("~/") else os.path.expanduser(name)
