"""From the config to what initiative judges by."""

from urllib.parse import urlsplit

from nightclaw.config import Config
from nightclaw.initiative.judgement import Owner
from nightclaw.initiative.rules import OwnerRule, RuleSet

POLICY = "1"
"""The version of the default rules: a decision cites it beside the config's digest."""


def rule_set(config: Config, token_login: str | None) -> RuleSet:
    """The owner's rules and who the owner is. token_login: the GitHub user of the token, used without `owners`."""
    github = config.github
    owners = github.owners or ([token_login] if token_login else [])
    host = urlsplit(str(github.api_url)).hostname or "api.github.com"
    web = "https://github.com" if host == "api.github.com" else f"https://{host}"
    return RuleSet(
        owner=Owner(
            owners=frozenset(o.lower() for o in owners),
            act_for=frozenset(a.lower() for a in github.act_for),
            bot=github.bot.lower() if github.bot else None,
            web_url=web,
        ),
        rules=tuple(
            OwnerRule(
                name=r.name or str(n),
                when=r.when,
                verdict=r.verdict,
                cap=r.cap,
                per_hour=r.per_hour,
                prompt=r.prompt,
            )
            for n, r in enumerate(config.rule, 1)
        ),
        version=f"{POLICY}:{config.digest[:12]}",
    )
