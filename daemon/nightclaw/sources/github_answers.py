"""What GitHub answers: the answer, the errors a user can act on, and how a refusal becomes one of them."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from nightclaw.core.errors import NightclawError

TOKEN_HINT = "set [github] token = { env = … } or { file = … }, or run `gh auth login`"
ABSENT_HINT = (
    "check the repository's name, and that the token may read it"
    " (classic: scope `repo`; fine-grained: Metadata, Contents, Issues, Pull requests and Actions: read)"
)
_NEXT = re.compile(r'<([^<>]{1,2000})>\s*;[^,<]*\brel="?next"?')


class GitHubError(NightclawError):
    """GitHub could not be asked, or said no. Subclasses: Offline, Waiting, Unauthorized, Absent."""

    code = "github"

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class Offline(GitHubError):
    """GitHub did not answer, or answered with a fault of its own (5xx): try again later."""

    code = "github_offline"


class Waiting(GitHubError):
    """GitHub asked to wait; `until` in milliseconds since 1970."""

    code = "github_rate_limit"

    def __init__(self, reason: str, until: int) -> None:
        super().__init__(
            reason, "it goes on by itself; a token of your own has 5,000 calls an hour", status=429
        )
        self.until = until


class Unauthorized(GitHubError):
    """401: the token is wrong, expired or revoked."""

    code = "github_token"


class Absent(GitHubError):
    """403, 404 or 410: not there, or not for this token."""

    code = "github_absent"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. body: the JSON, None for 204 and 304. next: the path of the next page."""

    status: int
    body: object = None
    etag: str | None = None
    next: str | None = None
    poll_interval_s: float | None = None
    scopes: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        return self.status == 304

    def rows(self, key: str = "") -> list[dict[str, object]]:
        """The listed objects, of the body or of `body[key]`; what is no object is left out."""
        found = self.body.get(key) if key and isinstance(self.body, dict) else self.body
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class User:
    login: str
    id: int
    scopes: tuple[str, ...] = ()


def next_of(link: str | None, api_url: str) -> str | None:
    """The next page of a `Link` header, if it leads to `api_url`'s own origin: the token goes nowhere else."""
    match = _NEXT.search(link[:8000]) if link else None
    if not match:
        return None
    base, url = urlsplit(api_url), urlsplit(match[1])
    return match[1] if (url.scheme, url.netloc) == (base.scheme, base.netloc) else None


def refusal(status: int, path: str, content: bytes) -> GitHubError:
    said = ""
    try:
        found = json.loads(content)
        if isinstance(found, dict) and isinstance(found.get("message"), str):
            words = [found["message"], *_details(found.get("errors"))]
            said = ": " + "".join(c for c in "; ".join(words)[:300] if c.isprintable())
    except (ValueError, RecursionError):
        pass
    where = urlsplit(path).path
    if status == 401:
        return Unauthorized(f"GitHub refused the token (401){said}", TOKEN_HINT, status=status)
    if status in (403, 404, 410, 451):
        return Absent(f"GitHub answers {status} to {where}{said}", ABSENT_HINT, status=status)
    if status >= 500:
        return Offline(
            f"GitHub answers {status} to {where}", "it is GitHub's; tried again later", status=status
        )
    return GitHubError(f"GitHub answers {status} to {where}{said}", "", status=status)


def _details(errors: object) -> list[str]:
    """What a 422 says beside "Validation Failed"."""
    rows = [e for e in errors[:3] if isinstance(e, dict)] if isinstance(errors, list) else []
    return [e["message"] for e in rows if isinstance(e.get("message"), str)]


def number(text: str | None) -> float | None:
    try:
        found = float(text) if text else None
    except ValueError:
        return None
    return found if found is not None and 0 <= found < 1e12 else None
