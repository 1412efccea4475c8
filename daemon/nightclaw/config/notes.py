"""What a sound config still deserves a word about: sections this version only reads, and settings that surprise."""

from nightclaw.config.model import Config


def not_yet(config: Config) -> list[str]:
    """One line for each configured section that this version accepts and does not act on yet."""
    found: list[str] = []
    if config.web.listen is not None:
        found.append("[web] listen: the page is not built yet, nothing will listen there")
    if config.mcp.servers:
        found.append(f"[mcp.servers]: {', '.join(config.mcp.servers)} will not be started yet")
    return found


def advice(config: Config) -> list[str]:
    """One line for each setting that is allowed and may not do what its owner thinks."""
    found: list[str] = []
    github, ingress = config.github, config.ingress
    if ingress.listen is not None and not ingress.listen.is_loopback:
        found.append(
            f"[ingress] listen: {ingress.listen} can be reached from other machines; a tunnel is safer"
        )
    if ingress.public_url is not None and ingress.listen is None:
        found.append("[ingress] public_url is set but listen is off: no hook can arrive")
    if github.repo and github.secret is None and github.poll is None:
        found.append(
            "[github] has neither a secret for hooks nor polling: nothing will be seen of its repositories"
        )
    if github.accounts and not github.secret:
        found.append("[github] accounts only matter for hooks, and those need a secret")
    for section, rows in (("schedule", config.schedule), ("watch", config.watch), ("hook", config.hook)):
        for row in rows:
            if row.repo and github.match(row.repo) is None:
                found.append(f'[[{section}]] "{row.name}": its repo {row.repo} is no [[github.repo]]')
    return found
