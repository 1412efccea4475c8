"""The owner's settings: `load(home, env) -> Config`, frozen, validated, secrets by reference only."""

from nightclaw.config.load import FILE, home_from, load, load_text
from nightclaw.config.model import (
    FEATURES,
    KINDS,
    ROLES,
    BudgetConfig,
    Config,
    IngressConfig,
    InitiativeConfig,
    NotifyConfig,
    NotifyUrl,
    ProviderConfig,
    TickConfig,
)
from nightclaw.config.notes import advice, not_yet
from nightclaw.config.rows import (
    GithubConfig,
    HookConfig,
    RepoConfig,
    RuleConfig,
    ScheduleConfig,
    WatchConfig,
    Work,
)
from nightclaw.config.secret import SecretRef
from nightclaw.config.values import Listen, QuietHours, duration, nearest

__all__ = [
    "Config", "load", "load_text", "home_from", "not_yet", "advice", "FILE",
    "FEATURES", "KINDS", "ROLES",
    "BudgetConfig", "GithubConfig", "HookConfig", "IngressConfig", "InitiativeConfig", "Listen", "NotifyConfig",
    "NotifyUrl", "ProviderConfig", "QuietHours", "RepoConfig", "RuleConfig", "ScheduleConfig", "SecretRef",
    "TickConfig", "WatchConfig", "Work",
    "duration", "nearest",
]  # fmt: skip
