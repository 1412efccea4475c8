"""The doors of the ingress, made from the config: GitHub's hook and the owner's own ones.

Composition only: proof and meaning come from the pure modules in `sources`. What is decided here is the order
(proof, shape, admission, ping, parse) and the words in which a caller is turned away.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from nightclaw.config import Config
from nightclaw.config.model import GithubConfig, HookConfig
from nightclaw.config.secret import SecretRef
from nightclaw.core.errors import ConfigError, Invalid
from nightclaw.core.ports import Problems
from nightclaw.core.strictjson import parse_object
from nightclaw.core.types import JSON, SignalDraft
from nightclaw.ingress import Door, Doors, Turned
from nightclaw.sources import github, hooks

_EVENT = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_DELIVERY = re.compile(r"[\x21-\x7e]{1,128}")
_FORM = "application/x-www-form-urlencoded"


def doors_of(config: Config, problems: Problems) -> Doors:
    """The doors this config opens. Reads secrets, maybe from a keyring: call it in a thread.

    A secret that cannot be read keeps its door shut and is named in the problems.
    """

    def secret(ref: SecretRef | None, part: str) -> str:
        found = ""
        try:
            found = ref.resolve() if ref is not None else ""
        except ConfigError as error:
            problems.set(part, error.message, "until then its deliveries are refused")
        else:
            problems.set(part, None)
        return found

    public = urlsplit(config.ingress.public_url or "")
    return Doors(
        github=GithubDoor(config.github, secret(config.github.secret, "github.secret").encode()),
        hooks={row.name: HookDoor(row, secret(row.secret, f"hook.{row.name}")) for row in config.hook},
        hosts=frozenset({public.hostname} if public.hostname else ()),
        origin=f"{public.scheme}://{public.netloc}".lower() if public.netloc else None,
        quiet_ms=round(config.initiative.quiet * 1000),
    )


@dataclass(frozen=True, slots=True)
class GithubDoor(Door):
    """https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries; sha256 only."""

    config: GithubConfig
    secret: bytes = field(repr=False)

    def lacks_proof(self, headers: Mapping[str, str]) -> Turned | None:
        if not self.secret:
            hint = 'set [github] secret = { file = "…" } to the secret of the webhook, or use the poll'
            return Turned(401, "no_secret", "no secret is configured, so no delivery can be trusted", hint)
        if headers.get("x-hub-signature-256", "").startswith("sha256="):
            return None
        if "x-hub-signature" in headers and "x-hub-signature-256" not in headers:
            return Turned(401, "unsigned", "a sha1 signature is no proof", "send X-Hub-Signature-256")
        return Turned(
            401, "unsigned", "X-Hub-Signature-256 is absent or malformed", "give the webhook a secret"
        )

    def read(self, headers: Mapping[str, str], raw: bytes, now_ms: int) -> SignalDraft | None:
        if not github.verify(self.secret, raw, headers.get("x-hub-signature-256")):
            hint = "the secret of the webhook and [github] secret must be the same"
            raise Turned(401, "bad_signature", "the signature does not match the body", hint)
        event, delivery = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
        if not _EVENT.fullmatch(event):
            raise Turned(400, "malformed", "X-GitHub-Event is absent or malformed")
        if not _DELIVERY.fullmatch(delivery):
            raise Turned(400, "malformed", "X-GitHub-Delivery is absent or malformed")
        body, raw = _json_of(headers, raw, form=True)
        try:
            self._admit(github.repository_of(body), github.accounts_of(body))
            if event == "ping":
                return None
            return github.parse(event, delivery, raw, body, bot=self.config.bot)
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:  # a signed body of no known shape
            raise Turned(400, "malformed", f"this is not the body of a {event} event: {error}") from error

    def _admit(self, repository: str | None, accounts: list[str]) -> None:
        if repository == "?":
            raise Turned(400, "malformed", "repository.full_name is not owner/name")
        if repository is not None:
            admitted = self.config.admits(repository, None, None, None)
        else:
            named = any(self.config.admits(None, None, account, None) for account in accounts)
            admitted = named or "*" in self.config.accounts  # an advisory names no account at all
        if admitted:
            return
        if not (self.config.repo or self.config.accounts):
            hint = 'nothing is listed yet: add [[github.repo]] name = "owner/name" or [github] accounts'
        elif repository is not None:
            hint = f'add [[github.repo]] name = "{repository}"'
        else:
            hint = f"add one of {', '.join(accounts) or 'its accounts'} to [github] accounts"
        who = repository or "an account without a repository"
        raise Turned(403, "not_listed", f"{who} is not listed here", hint)


@dataclass(frozen=True, slots=True)
class HookDoor(Door):
    """One `[[hook]]`."""

    config: HookConfig
    secret: str = field(repr=False)

    def lacks_proof(self, headers: Mapping[str, str]) -> Turned | None:
        if self.secret and ("webhook-signature" in headers or "authorization" in headers):
            return None
        message = hooks.identify(self.secret, headers, b"", 0).refusal or "there is no proof who calls"
        hint = "sign it (Standard Webhooks) or send Authorization: Bearer with the hook's secret"
        return Turned(401, "unsigned", message, hint)

    def read(self, headers: Mapping[str, str], raw: bytes, now_ms: int) -> SignalDraft | None:
        proof = hooks.identify(self.secret, headers, raw, now_ms)
        if proof.refusal is not None:
            raise Turned(401, "bad_signature", proof.refusal)
        body, raw = _json_of(headers, raw or b"{}", form=False)
        return hooks.parse(self.config, proof, raw, body)


def _json_of(headers: Mapping[str, str], raw: bytes, *, form: bool) -> tuple[dict[str, JSON], bytes]:
    """The body as JSON, and the JSON's bytes. GitHub may send it as the field `payload` of a form."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise Turned(415, "unsupported", "a compressed body is not accepted", "send it as it is")
    kind, _, rest = headers.get("content-type", "application/json").partition(";")
    kind, charset = kind.strip().lower(), rest.lower().partition("charset=")[2].strip(' "')
    if charset.partition(";")[0].strip(' "') not in ("", "utf-8", "utf8", "us-ascii"):
        raise Turned(415, "unsupported", "the charset is not UTF-8", "send UTF-8")
    if not (kind == "application/json" or kind.endswith("+json") or (form and kind == _FORM)):
        raise Turned(
            415, "unsupported", "the body is not declared as JSON", "send Content-Type: application/json"
        )
    try:
        if kind == _FORM and raw.startswith(b"payload="):
            fields = parse_qsl(raw.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=8)
            raw = dict(fields).get("payload", "").encode()
        return parse_object(raw)
    except (Invalid, ValueError) as error:
        raise Turned(400, "malformed", str(error)) from None
