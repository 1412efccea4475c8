"""From the addresses of `[notify] urls` to notifiers: the word before `://` chooses the file."""

from collections.abc import Mapping, Sequence

from nightclaw.core.errors import Invalid
from nightclaw.core.ports import Address, Notifier
from nightclaw.core.types import JSON
from nightclaw.notifiers import apprise, desktop, log


def build_all(addresses: Sequence[Address], deps: Mapping[str, object]) -> list[Notifier]:
    """One notifier an address, in order. deps: {"clock": Clock}. Raises Invalid naming what to change."""
    return [_build({"url": a.url, "private": a.private}, deps) for a in addresses]


def _build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> Notifier:
    scheme = str(config["url"]).partition(":")[0].lower()
    if scheme == "webpush":
        raise Invalid(
            "[notify] urls: webpush is not in this version",
            "use an Apprise address like ntfy://ntfy.sh/my-topic, or desktop://",
        )
    if scheme == "desktop":
        return desktop.build(config, deps)
    if scheme == "log":
        return log.build(config, deps)
    return apprise.build(config, deps)
