"""The field types of the config: how a TOML value becomes a frozen one, with what is around it (home, environment)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
)

from nightclaw.config import values
from nightclaw.config.secret import SecretRef
from nightclaw.config.secret import parse as parse_secret
from nightclaw.config.values import Bad, Listen, QuietHours, shown
from nightclaw.core.types import Verdict


@dataclass(frozen=True, slots=True)
class Around:
    """What a config is read in. `checks`: also look at files and secrets, as loading does and code does not."""

    home: Path
    env: Mapping[str, str]
    checks: bool = True


_NOWHERE = Around(Path(), {}, checks=False)


def around(info: ValidationInfo) -> Around:
    return info.context if isinstance(info.context, Around) else _NOWHERE


class Part(BaseModel):
    """A table of the config. Frozen, and a stranger to unknown keys and wrong types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


def _duration(value: object, info: ValidationInfo) -> float:
    is_code = not isinstance(info.context, Around)
    if is_code and isinstance(value, int | float):
        return float(value)
    return values.duration(value)


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise Bad("the time must be longer than nothing", 'write something like "5m"')
    return seconds


def _path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Bad(f"{shown(value)} is not a path", 'write it like "~/src/app"')
    here = around(info)
    user_home = here.env.get("HOME") or os.path.expanduser("~")
    if value == "~" or value.startswith("~/"):
        value = user_home + value[1:]
    path = Path(os.path.expanduser(value))
    return path if path.is_absolute() else (here.home / path)


def _folder(path: Path, info: ValidationInfo) -> Path:
    if not around(info).checks:
        return path
    try:
        if not path.is_dir():
            problem = "is not a folder" if path.exists() else "does not exist"
            raise Bad(f"{path} {problem}", "name a folder that exists, or take this entry out")
    except OSError as error:
        raise Bad(
            f"{path} cannot be read: {error.strerror}", "make it readable for the daemon's user"
        ) from None
    if not os.access(path, os.R_OK | os.X_OK):
        raise Bad(f"{path} cannot be read", "make it readable for the daemon's user")
    return path


def _secret(value: object, info: ValidationInfo) -> SecretRef:
    here = around(info)
    ref = parse_secret(value, info.field_name or "", here.env, here.home)
    if here.checks:
        ref.check()
    return ref


def _setting(value: object, info: ValidationInfo) -> str | SecretRef:
    return value if isinstance(value, str) else _secret(value, info)


def written(default: str, *, ge: float | None = None, le: float | None = None) -> Any:  # noqa: ANN401
    """A default as the owner would write it; it is parsed like any value."""
    return Field(default=default, ge=ge, le=le)


def _mode(mode: str, info: ValidationInfo) -> str:
    here = around(info)
    if mode == "bypassPermissions" and here.checks and not _in_container(here.env):
        raise Bad(
            "bypassPermissions is refused outside a container", 'use "auto", which asks before it reaches out'
        )
    return mode


def _in_container(env: Mapping[str, str]) -> bool:
    return bool(env.get("container")) or any(os.path.exists(p) for p in ("/.dockerenv", "/run/.containerenv"))


def as_list(value: object) -> object:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _one_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise Bad(f"{shown(value)} is not a name", "write one line of plain text")
    return value.strip()


def _filled(value: str) -> str:
    if not value.strip():
        raise Bad("the text is empty", "write what it should say, or take the key out")
    return value


Mode = Annotated[
    Literal["default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions"], AfterValidator(_mode)
]
Duration = Annotated[float, BeforeValidator(_duration), AfterValidator(_positive)]
AnyPath = Annotated[Path, BeforeValidator(_path)]
Folder = Annotated[Path, BeforeValidator(_path), AfterValidator(_folder)]
Secret = Annotated[SecretRef, PlainValidator(_secret)]
Setting = Annotated[str | SecretRef, PlainValidator(_setting)]
ListenAt = Annotated[Listen | None, PlainValidator(values.listen)]
Hours = Annotated[QuietHours | None, PlainValidator(values.quiet_hours)]
VerdictName = Annotated[Verdict, PlainValidator(values.verdict)]
Glob = Annotated[str, PlainValidator(values.glob)]
Repository = Annotated[str, PlainValidator(values.repository)]
WebAddress = Annotated[str, PlainValidator(values.web_address)]
ToolRule = Annotated[str, PlainValidator(values.tool_rule)]
Name = Annotated[str, AfterValidator(_one_line)]
Prose = Annotated[str, AfterValidator(_filled)]
