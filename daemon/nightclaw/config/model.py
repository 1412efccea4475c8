"""Every table of config.toml as a frozen value. Attribute names are the TOML names, durations are float seconds.

`FEATURES` are the kill switches, `ROLES` what a model can be asked for, `KINDS` the kinds of provider.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from nightclaw.config.kinds import (
    AnyPath,
    Duration,
    Folder,
    Hours,
    ListenAt,
    Mode,
    Part,
    Prose,
    Secret,
    Setting,
    ToolRule,
    WebAddress,
    as_list,
    written,
)
from nightclaw.config.rows import (
    GithubConfig,
    HookConfig,
    RuleConfig,
    ScheduleConfig,
    WatchConfig,
    model_name,
)
from nightclaw.config.values import Bad, nearest, shown

Role = Literal["agent", "triage", "dream", "plan"]
ROLES: tuple[Role, ...] = ("agent", "triage", "dream", "plan")
ProviderKind = Literal["anthropic", "openai", "ollama", "local", "offline"]
KINDS: tuple[ProviderKind, ...] = ("anthropic", "openai", "ollama", "local", "offline")
Feature = Literal["ticks", "schedules", "files", "github", "hooks", "triage", "notify", "dream"]
FEATURES: tuple[Feature, ...] = (
    "ticks", "schedules", "files", "github", "hooks", "triage", "notify", "dream",
)  # fmt: skip


class IngressConfig(Part):
    listen: ListenAt = written("127.0.0.1:8787")
    public_url: WebAddress | None = None


class WebConfig(Part):
    listen: ListenAt = written("off")


class ProviderConfig(Part):
    """`kind` is the table's own name unless it says otherwise; `path`: the GGUF file of a local one."""

    kind: ProviderKind
    api_key: Secret | None = None
    base_url: WebAddress | None = None
    path: AnyPath | None = None


class InitiativeConfig(Part):
    """`quiet`: how long a subject must be silent before it is decided."""

    shadow: bool = False
    quiet: Duration = written("1s", le=5)


class TickConfig(Part):
    every: Duration = written("5m", ge=0.05)
    max: Duration | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "TickConfig":
        if self.max is not None and self.max < self.every:
            raise Bad("max is shorter than every", 'let max be the longer one, like max = "1h"', ("max",))
        return self


class NotifyUrl(Part):
    """A destination: an Apprise address. It may hold a token, so no repr shows it."""

    url: str = Field(repr=False)
    private: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: object) -> object:
        return {"url": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _is_address(self) -> "NotifyUrl":
        if self.url != "webpush" and not re.match(r"^[a-zA-Z][\w.+-]*://", self.url):
            remedy = 'write an Apprise address like "ntfy://ntfy.sh/my-topic", "desktop://" or "webpush"'
            raise Bad("this is not an address notes can go to", remedy)
        return self


class NotifyConfig(Part):
    urls: Annotated[list[NotifyUrl], BeforeValidator(as_list)] = Field(default=[])
    quiet_hours: Hours = None
    per_hour: int = Field(default=6, ge=0)


class PermissionsConfig(Part):
    mode: Mode = "default"
    unattended: Mode = "auto"
    deny: list[ToolRule] = Field(default=[])
    ask: list[ToolRule] = Field(default=[])
    allow: list[ToolRule] = Field(default=[])


class SandboxConfig(Part):
    mounts: list[Folder] = Field(default=[])


class McpServer(Part):
    """A program (`command`) or an address (`url`)."""

    command: list[Prose] = Field(default=[])
    url: WebAddress | None = None
    env: dict[str, Setting] = Field(default={})
    headers: dict[str, Setting] = Field(default={})

    @model_validator(mode="after")
    def _one_way(self) -> "McpServer":
        if bool(self.command) == (self.url is not None):
            raise Bad("needs a command or a url, not both", 'write command = ["npx", …] or url = "https://…"')
        return self


class McpConfig(Part):
    servers: dict[str, McpServer] = Field(default={})


class BudgetConfig(Part):
    daily_usd: float = Field(default=5.0, ge=0)
    monthly_usd: float = Field(default=60.0, ge=0)
    task_usd: float = Field(default=1.0, ge=0)
    daily_tokens: int = Field(default=2_000_000, ge=0)


class DreamConfig(Part):
    idle: Duration = written("15m")
    min_observations: int = Field(default=20, ge=1)
    every: Duration = written("24h")


class RetentionConfig(Part):
    payloads: Duration = written("90d")
    events: Duration = written("1y")


def _zone(value: object) -> str:
    if not isinstance(value, str):
        raise Bad(f"{shown(value)} is not a time zone", 'write one like "Europe/Berlin"')
    try:
        return ZoneInfo(value).key
    except (ValueError, OSError, KeyError):
        import zoneinfo

        near = nearest(value, zoneinfo.available_timezones(), 0.6)
        remedy = f'did you mean "{near}"?' if near else 'write one like "Europe/Berlin" or "UTC"'
        raise Bad(f"{shown(value)} is not a time zone", remedy) from None


Chain = Annotated[list[Annotated[str, PlainValidator(model_name)]], BeforeValidator(as_list)]


class Config(Part):
    """The whole of it. `exists`: a file was read; `digest`: sha256 of its bytes, "defaults" without one."""

    home: Path
    exists: bool = False
    digest: str = "defaults"

    timezone: Annotated[str, PlainValidator(_zone)] = "UTC"
    ingress: IngressConfig = IngressConfig()
    web: WebConfig = WebConfig()
    models: dict[Role, Chain] = Field(default={})
    providers: dict[str, ProviderConfig] = Field(default={})
    initiative: InitiativeConfig = InitiativeConfig()
    tick: TickConfig = TickConfig()
    schedule: list[ScheduleConfig] = Field(default=[])
    watch: list[WatchConfig] = Field(default=[])
    github: GithubConfig = GithubConfig()
    hook: list[HookConfig] = Field(default=[])
    rule: list[RuleConfig] = Field(default=[])
    notify: NotifyConfig = NotifyConfig()
    permissions: PermissionsConfig = PermissionsConfig()
    sandbox: SandboxConfig = SandboxConfig()
    mcp: McpConfig = McpConfig()
    budget: BudgetConfig = BudgetConfig()
    dream: DreamConfig = DreamConfig()
    retention: RetentionConfig = RetentionConfig()
    features: dict[Feature, bool] = Field(default={})

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def has(self, feature: Feature) -> bool:
        """True unless `[features]` switches it off."""
        return self.features.get(feature, True)


OURS = frozenset({"home", "exists", "digest"})
"""Fields of Config that no file may set."""
