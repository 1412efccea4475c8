"""Which models answer: the config's roles become chains, and where nothing is configured the next best is found.

A role is a chain of `provider/model`; a role without one uses the agent's, and an agent without one what there is a key
for, else a local Ollama with a model that can use tools, else (for chats) the offline provider. Guarantees: without a
config file a found key serves chats and nothing else; a repository's `models` list bounds who sees its bytes, also by
way of a fallback; keys are read by the provider that sends them, for its own address, and stand in no error or repr.
"""

import asyncio
import importlib
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal, Protocol, cast
from urllib.parse import urlsplit

from nightclaw.core.errors import Invalid, ProviderError
from nightclaw.core.ports import Clock, Factory, ModelCall, ModelRequest, Problems, Provider
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers import ollama, prices
from nightclaw.providers.breaker import Breaker
from nightclaw.providers.openai import KNOWN_URLS
from nightclaw.providers.retry import Chain, Jitter, Link, Sleep
from nightclaw.providers.wire import LOCAL, LOOPBACK, Deadlines, Parts

CHAT = "chat"
Role = Literal["agent", "triage", "dream", "plan"]
ROLES: tuple[Role, ...] = ("agent", "triage", "dream", "plan")
DEFAULTS = {
    "anthropic": {"agent": "claude-sonnet-4-5", "triage": "claude-haiku-4-5"},
    "openai": {"agent": "gpt-5", "triage": "gpt-5-mini"},
}
LOCAL_KINDS = ("ollama", "local", "offline")
LOOK_EVERY_MS = 60_000
"""How long a search for a local model is believed."""


class Key(Protocol):
    """A secret by reference; `resolve` reads it where it lies."""

    def resolve(self) -> str: ...


class ProviderSettings(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def api_key(self) -> Key | None: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def path(self) -> Path | None: ...


class Settings(Protocol):
    """What the router reads of the config. models: role to chain; exists: there is a config file."""

    @property
    def exists(self) -> bool: ...
    @property
    def digest(self) -> str: ...
    @property
    def models(self) -> Mapping[Role, Sequence[str]]: ...
    @property
    def providers(self) -> Mapping[str, ProviderSettings]: ...


def load(kind: str) -> Factory:
    """The `build` of the module that serves a kind."""
    return importlib.import_module(f"nightclaw.providers.{kind}").build


class Router:
    """One for the daemon. build: how a kind is found; offline: who answers chats when there is no model at all."""

    def __init__(
        self,
        config: Callable[[], Settings],
        clock: Clock,
        problems: Problems,
        build: Callable[[str], Factory] = load,
        *,
        offline: Provider | None = None,
        env: Mapping[str, str] | None = None,
        deadlines: Deadlines | None = None,
        sleep: Sleep = asyncio.sleep,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._config = config
        self._clock = clock
        self._problems = problems
        self._build = build
        self._offline = offline
        self._env = os.environ if env is None else env
        self._deadlines = deadlines
        self._sleep = sleep
        self._jitter = jitter
        self._digest = ""
        self._made: dict[str, Provider] = {}
        self._breakers: dict[str, Breaker] = {}
        self._retired: list[Provider] = []
        self._looked_at: int | None = None
        self._found: str | None = None

    # What is asked for

    def chain(self, role: str, allowed: Sequence[str] | None = None) -> Provider | None:
        """A provider for one turn of `role` (agent, triage, dream, plan, chat, or a `provider/model` that a rule or a
        schedule names itself); None: nobody may answer.

        allowed: names of the only providers that may see what is asked. Its `stream` never waits on a model that is
        known to be down, and reports every call; take a fresh one for each turn.
        """
        self._renew()
        if role == CHAT and self._offline is not None and not self._named(role, allowed):
            return LastResort(self, allowed)
        return self.linked(role, allowed)

    def linked(self, role: str, allowed: Sequence[str] | None, *, with_offline: bool = False) -> Chain | None:
        """The chain of what is known now, the offline provider last where the config or the caller wants it."""
        links = self._links(role, allowed)
        named = self._config().models.get("agent", ()) if role == CHAT else ()
        if self._offline is not None and (with_offline or "offline" in named):
            links.append(Link(self._offline, "offline", "", self._breaker("offline"), is_local=True))
        return Chain(links, sleep=self._sleep, jitter=self._jitter) if links else None

    def has(self, role: str, allowed: Sequence[str] | None = None) -> bool:
        """Whether a model answers this role (the offline provider is none)."""
        self._renew()
        return bool(self._wanted(role, allowed))

    def models(self, role: str, allowed: Sequence[str] | None = None) -> tuple[str, ...]:
        """`provider/model` in the order they are asked."""
        return tuple(self._wanted(role, allowed))

    def bound(self, role: str, request: ModelRequest, allowed: Sequence[str] | None = None) -> float:
        """The most dollars one call of this role may cost."""
        tokens = prices.prompt_tokens(request)
        return max(
            (
                prices.bound(
                    label, tokens, request.max_tokens, is_local=self._is_local(label.partition("/")[0])
                )
                for label in self._wanted(role, allowed)
            ),
            default=0.0,
        )

    def bound_tokens(self, request: ModelRequest) -> int:
        """The most tokens one call may use."""
        return prices.prompt_tokens(request) + min(request.max_tokens, prices.MOST_OUTPUT)

    def describe(self) -> JSONObject:
        """For `status.models`: who answers which role, and how the providers are."""
        self._renew()
        roles: dict[str, JSON] = {role: list(self._wanted(role, None)) for role in (*ROLES, CHAT)}
        if not roles[CHAT]:
            roles[CHAT] = ["offline"] if self._offline is not None else []
        providers: dict[str, JSON] = {
            name: {
                "state": ("down" if b.last and b.last.may_pass else "refused") if b.is_open else "ok",
                "since": b.since,
                "again_at": b.again_at if b.is_open else None,
            }
            for name, b in self._breakers.items()
        }
        return {
            **roles,
            "configured": bool(self._config().models),
            "may_background": self._config().exists,
            "providers": providers,
            "prices": prices.taken(),
        }

    async def refresh(self) -> None:
        """Look for a local model, at most once a minute and only while none is configured. Never raises."""
        self._renew()
        if self._needs_search():
            now = self._clock.now_ms()
            seen = self._looked_at
            if seen is None or not 0 <= now - seen < LOOK_EVERY_MS:
                self._looked_at = now
                self._found = await ollama.find_local(
                    self._base_url(self._ollama_name()) or ollama.BASE_URL, self._clock
                )
        await self._close_retired()

    async def reload(self) -> None:
        """Start anew: providers, what was learned of them, and the search. For SIGHUP and a changed config."""
        self._retire()
        self._looked_at = None
        await self.refresh()

    async def aclose(self) -> None:
        self._retire()
        await self._close_retired()

    # How it is found

    def _wanted(self, role: str, allowed: Sequence[str] | None) -> list[str]:
        """Labels that may answer, best first."""
        named = self._named(role, allowed)
        if named or not self._found or (role != CHAT and not self._config().exists):
            return named
        is_used = not self._config().models if allowed is None else self._ollama_name() in allowed
        return [self._local_label()] if is_used else []

    def _named(self, role: str, allowed: Sequence[str] | None) -> list[str]:
        """What the config names, or a key speaks for."""
        if role != CHAT and not self._config().exists:
            return []
        if allowed is None:
            return self._configured(role)
        for candidate in (role, "agent", "plan", "dream"):
            kept = [label for label in self._configured(candidate) if label.partition("/")[0] in allowed]
            if kept:
                return kept
        return []

    def _configured(self, role: str) -> list[str]:
        if "/" in role:
            return [role]
        models = self._config().models
        own = models.get(cast(Role, role)) or models.get("agent")
        if own:
            return [label for label in own if label != "offline"]
        return self._default("triage" if role == "triage" else "agent")

    def _default(self, role: str) -> list[str]:
        """Without [models]: what there is a key or a file for."""
        given = self._config().providers
        for name in dict.fromkeys((*given, *DEFAULTS)):
            path = given[name].path if name in given and given[name].kind == "local" else None
            if path is not None:
                return [f"{name}/{path.stem}"]
            if name in DEFAULTS and self._has_key(name):
                return [f"{name}/{DEFAULTS[name][role]}"]
        return []

    def _has_key(self, name: str) -> bool:
        given = self._config().providers.get(name)
        return (given is not None and given.api_key is not None) or bool(
            self._env.get(_variable(name, "API_KEY"))
        )

    def _local_label(self) -> str:
        return f"{self._ollama_name()}/{self._found}"

    def _ollama_name(self) -> str:
        return next(
            (name for name, given in self._config().providers.items() if given.kind == "ollama"), "ollama"
        )

    def _needs_search(self) -> bool:
        """Whether a local model would be used: nothing else is there, or a repository may name Ollama."""
        config = self._config()
        return not config.models or any(given.kind == "ollama" for given in config.providers.values())

    def _kind(self, name: str) -> str:
        given = self._config().providers.get(name)
        if given is not None:
            return given.kind
        return "openai" if name in KNOWN_URLS else name

    def _is_local(self, name: str) -> bool:
        """Costs nothing: runs on this machine, as far as the config says."""
        kind = self._kind(name)
        host = urlsplit(self._base_url(name) or "").hostname or ""
        is_own_server = kind == "openai" and host in LOOPBACK and not self._has_key(name)
        return kind in LOCAL_KINDS or is_own_server

    def _base_url(self, name: str) -> str | None:
        given = self._config().providers.get(name)
        own = given.base_url if given is not None else None
        if self._kind(name) == "ollama":
            return own or ollama.address_from(self._env)
        return own or self._env.get(_variable(name, "BASE_URL")) or None

    # What is kept

    def _links(self, role: str, allowed: Sequence[str] | None) -> list[Link]:
        links: list[Link] = []
        for label in self._wanted(role, allowed):
            name, _, model = label.partition("/")
            provider = self._provider(name)
            if provider is not None:
                links.append(Link(provider, name, model, self._breaker(name), self._is_local(name)))
        return links

    def _breaker(self, name: str) -> Breaker:
        if name not in self._breakers:
            self._breakers[name] = Breaker(name, self._clock, self._problems)
        return self._breakers[name]

    def _provider(self, name: str) -> Provider | None:
        """Made on first use; one that cannot be is a problem that says why, and is skipped."""
        if name not in self._made:
            try:
                made = self._build(self._kind(name))(*self._materials(name))
            except (Invalid, ImportError) as error:
                self._problems.set(f"provider {name}", str(error), getattr(error, "hint", ""))
                return None
            self._made[name] = cast(Provider, made)
        return self._made[name]

    def _materials(self, name: str) -> tuple[dict[str, JSON], dict[str, object]]:
        given = self._config().providers.get(name)
        variable = _variable(name, "API_KEY")
        reference = given.api_key if given is not None else None
        key: Callable[[], str] | None = None
        if reference is not None:
            key = reference.resolve
        elif self._env.get(variable):
            key = lambda: self._env.get(variable, "").strip()  # noqa: E731
        base_url = (given.base_url if given is not None else None) or self._env.get(
            _variable(name, "BASE_URL")
        )
        if self._kind(name) == "ollama":
            base_url = base_url or ollama.address_from(self._env)
        config: dict[str, JSON] = {
            "name": name,
            "base_url": self._base_url(name),
            "key_from": f"[providers.{name}] api_key" if reference is not None else variable,
            "path": str(given.path) if given is not None and given.path is not None else None,
        }
        deadlines = self._deadlines or (LOCAL if self._is_local(name) else None)
        return config, {"clock": self._clock, "key": key, "deadlines": deadlines}

    def _renew(self) -> None:
        """A changed config means other providers."""
        digest = self._config().digest
        if digest != self._digest:
            if self._digest:
                self._retire()
            self._digest = digest

    def _retire(self) -> None:
        self._retired += self._made.values()
        self._made = {}
        for name in self._breakers:
            self._problems.set(f"provider {name}", None)
        self._breakers = {}

    async def _close_retired(self) -> None:
        retired, self._retired = self._retired, []
        for provider in retired:
            close: Callable[[], Awaitable[None]] | None = getattr(provider, "aclose", None)
            if close is not None:
                await close()


class LastResort:
    """Chats where no model is configured: a local one if one is found now, else the daemon's own records."""

    kind = "offline"

    def __init__(self, router: Router, allowed: Sequence[str] | None) -> None:
        self._router = router
        self._allowed = allowed
        self._chain: Chain | None = None

    @property
    def calls(self) -> Sequence[ModelCall]:
        return self._chain.calls if self._chain is not None else ()

    async def stream(self, request: ModelRequest) -> Parts:
        await self._router.refresh()
        self._chain = self._router.linked(CHAT, self._allowed, with_offline=True)
        if self._chain is None:
            raise ProviderError(
                "there is no model", "`clawctl init` finds a key or a local model", kind="model"
            )
        async with aclosing(self._chain.stream(request)) as parts:
            async for part in parts:
                yield part


def _variable(name: str, what: str) -> str:
    """`ANTHROPIC_API_KEY` for provider anthropic: the environment that serves a table without its own entry."""
    return f"{name.upper().replace('-', '_').replace('.', '_')}_{what}"
