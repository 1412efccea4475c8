"""GitHub's webhooks as signals: a pure parse that takes any body, known or of a future event, and never raises.

Bodies that polling builds go through the same `parse`, so a polled occurrence and a delivered one have equal
keys by construction. All of it is WORLD: nothing read here is trusted beyond the owner's signature on the bytes.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from nightclaw.core.trust import Trust
from nightclaw.core.types import SignalDraft, Source
from nightclaw.sources.github_attrs import CHECKS, Attrs, attrs_of, pull_numbers, thread_of
from nightclaw.sources.github_keys import Body, dedupe_key, obj, whole
from nightclaw.sources.github_text import plain

_FULL_NAME = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}")


def verify(secret: bytes, raw: bytes, signature: str | None) -> bool:
    """Whether `X-Hub-Signature-256` signs exactly these bytes, in constant time. sha1 never does."""
    if not secret or not signature or not signature.startswith("sha256=") or not signature.isascii():
        return False
    wanted = hmac.new(secret, raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature[7:].encode())


def repository_of(body: Mapping[str, object]) -> str | None:
    """`owner/name` of the repository an event comes from, None when it comes from none, "?" when it is no name."""
    repository = body.get("repository")
    if not isinstance(repository, Mapping):
        return None
    name = repository.get("full_name")
    return name if isinstance(name, str) and _FULL_NAME.fullmatch(name) else "?"


def accounts_of(body: Mapping[str, object]) -> list[str]:
    """The accounts an event without a repository may be admitted by: organization, account, sender, in order."""
    deep = (
        obj(body, "organization"),
        obj(obj(body, "installation"), "account"),
        obj(obj(body, "marketplace_purchase"), "account"),
        obj(obj(body, "sponsorship"), "sponsorable"),
        obj(body, "sender"),
    )
    names = (plain(account.get("login"), 64) for account in deep)
    return [name for name in dict.fromkeys(names) if name]


def parse(
    event: str, delivery: str, raw: bytes, body: Mapping[str, object], *, bot: str | None = None
) -> SignalDraft:
    """The signal of one delivery. `raw` is kept as its payload.

    event, delivery: the values of `X-GitHub-Event` and `X-GitHub-Delivery`. bot: the daemon's own login, which
    may be called in comments like `@nightclaw`.
    """
    event = event if _EVENT.fullmatch(event) else plain(event, 64).replace(".", "_") or "unknown"
    action = plain(body.get("action"), 100)
    kind = f"{event}.{action}" if action else event
    delivery = plain(delivery, 100)
    attrs = attrs_of(event, action, body, bot)
    repo = repository_of(body)
    subject = _subject(event, body, repo, attrs)
    actor = attrs.get("actor")
    return SignalDraft(
        source=Source.GITHUB,
        kind=kind,
        subject=subject,
        dedupe_key=dedupe_key(kind, event, action, delivery, raw, body),
        title=_title(kind, subject, attrs),
        trust=Trust.WORLD,
        attrs=attrs,
        raw=raw,
        actor=actor if isinstance(actor, str) else None,
        repo=repo,
        private=_is_private(body),
        delivery=delivery or None,
    )


def _subject(event: str, body: Body, repo: str | None, attrs: Attrs) -> str:
    if repo is None:
        return next(iter(accounts_of(body)), "github")
    thread, thing = thread_of(body)
    number = whole(thing.get("number")) if thread else None
    if number is None and event in CHECKS:
        pulls = pull_numbers(obj(body, event), body)
        number = pulls[0] if pulls else None
        if number is None and attrs.get("branch"):
            return f"{repo}@{attrs['branch']}"
    return f"{repo}#{number}" if number else repo


def _is_private(body: Body) -> bool:
    """What is not known to be public is private."""
    repository = body.get("repository")
    if not isinstance(repository, Mapping):
        return False
    private = repository.get("private")
    return private if isinstance(private, bool) else repository.get("visibility") != "public"


def _title(kind: str, subject: str, attrs: Attrs) -> str:
    event, action = str(attrs["event"]), str(attrs.get("action") or "")
    what = _deed(event, action, attrs)
    actor = attrs.get("actor")
    by = f" by {actor}" if actor and event not in CHECKS else ""
    about = attrs.get("title")
    return plain(f"{subject} {what}{by}{f': {about}' if about else ''}", 200)


def _deed(event: str, action: str, attrs: Attrs) -> str:
    """What was done, in words: `labeled nightclaw`, `review asked of octocat`, `CI failure`."""
    said = action.replace("_", " ")
    if event in CHECKS:
        end = attrs.get("conclusion") or attrs.get("state") or said
        return f"{attrs.get('check') or event.replace('_', ' ')}: {end}"
    match action:
        case "labeled" | "unlabeled" if "label" in attrs:
            return f"{said} {attrs['label']}"
        case "assigned" | "unassigned" if "assignee" in attrs:
            return f"{said} {'to' if action == 'assigned' else 'from'} {attrs['assignee']}"
        case "review_requested":
            return f"review asked of {attrs.get('reviewer') or attrs.get('team') or 'someone'}"
        case "closed" if attrs.get("merged"):
            return "merged"
        case "submitted" if event == "pull_request_review":
            return f"review {str(attrs.get('state') or 'submitted').replace('_', ' ')}"
    if event.endswith("_comment"):
        return "comment" if action == "created" else f"comment {said}".rstrip()
    if event == "push":
        return f"{attrs.get('branch') or 'a tag'} {'removed' if attrs.get('deleted') else 'pushed'}"
    if event in ("issues", "pull_request", "discussion"):
        return said
    return f"{event} {said}".replace("_", " ").rstrip()
