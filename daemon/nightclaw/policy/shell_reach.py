"""How far the paths that a shell command names would reach: read, written or merely mentioned."""

from dataclasses import dataclass, field

from nightclaw.core.effects import CallEffect, Kind, Level
from nightclaw.policy.paths import Area, Spot, locate, may_be_secret, within
from nightclaw.policy.place import Place
from nightclaw.policy.shell_flow import Simple
from nightclaw.policy.shell_words import Word


@dataclass(slots=True)
class Reach:
    """Collects effects. line: the simple command being judged, which becomes the detail of its effects. files: what
    its words name in the workspace."""

    place: Place
    effects: list[CallEffect] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    line: str = ""

    def add(self, kind: Kind, level: Level, target: str, detail: str, **more: bool) -> None:
        self.effects.append(
            CallEffect(kind, level, target, more.get("is_known", False), more.get("is_secret", False), detail)
        )

    def say(self, kind: Kind, level: Level, target: str, **more: bool) -> None:
        self.add(kind, level, target, self.line, **more)

    def named(self, word: Word, simple: Simple) -> None:
        """A word of a command that may do anything with it: secrets and our own state are seen wherever they stand."""
        text = word.text if word.text is not None else word.prefix
        for part in {
            text,
            text.partition("=")[2],
            text.lstrip("-@"),
            text[2:],
            text.rpartition("@")[2],
            text.rpartition(":")[2],
        }:
            if not part or len(part) > 4000:
                continue
            spots = [locate(part, c, self.place) for c in simple.cwds] or [locate(part, "/", self.place)]
            for spot in spots:
                if spot.area is Area.WORKSPACE and not word.glob:
                    self.files.append(spot.path)
                if spot.area is Area.OWN:
                    self.say(Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path)
                elif spot.is_secret or (word.glob and may_be_secret(part)):
                    self.say(Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path, is_secret=True)

    def has_own_repository(self, cwd: str) -> bool:
        """Whether git, started in `cwd`, would find a repository before it comes to the workspace's: its config could
        make git run anything."""
        root = self.place.realpath(str(self.place.workspace.root))
        at = self.place.realpath(cwd)
        while within(at, root) and at != root:
            if any(
                self.place.file_hash(f"{at}/{name}") is not None for name in ("HEAD", ".git", ".git/HEAD")
            ):
                return True
            at = at.rpartition("/")[0]
        return False

    def spots(self, word: Word, cwds: tuple[str, ...]) -> list[Spot] | None:
        """Where a word leads from each directory; for a glob, where its fixed beginning does. None: unknown."""
        text = word.text
        if text is None or (not cwds and not text.startswith("/")) or "\0" in text:
            return None
        if word.glob:
            head, _, tail = _glob_head(text)
            if ".." in tail.split("/"):
                return None
            text = head or "."
        return [locate(text, cwd, self.place) for cwd in cwds or ("/",)]

    def reads(self, word: Word, cwds: tuple[str, ...], detail: str) -> None:
        spots = self.spots(word, cwds)
        if spots is None:
            self.add(Kind.RUN, Level.WORKSPACE, f"reads {word}"[:200], detail)
            return
        for spot in spots:
            self.add(
                *_reading(spot, word),
                detail,
                is_known=spot.area is not Area.FURTHER,
                is_secret=spot.is_secret,
            )

    def writes(self, word: Word, cwds: tuple[str, ...], kind: Kind, detail: str) -> None:
        spots = self.spots(word, cwds)
        if spots is None:
            self.add(Kind.RUN, Level.WORKSPACE, f"{kind.value}s {word}"[:200], detail)
            return
        for spot in spots:
            if spot.area is Area.DEVICE and kind is Kind.WRITE:
                continue
            if spot.area is Area.OWN:
                self.add(Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path, detail)
            elif spot.is_secret:
                self.add(Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path, detail, is_secret=True)
            elif spot.may_write and not (
                kind is Kind.DELETE and spot.path == self.place.realpath(str(self.place.workspace.root))
            ):
                self.add(kind, Level.WORKSPACE, spot.path, detail)
            else:
                self.add(kind, Level.IRREVERSIBLE, spot.path, detail)


def _glob_head(pattern: str) -> tuple[str, str, str]:
    """A glob's directories without wildcards, and the rest."""
    parts = pattern.split("/")
    for k, part in enumerate(parts):
        if any(c in part for c in "*?["):
            head = "/".join(parts[:k])
            return (head or "/") if pattern.startswith("/") else head, "/", "/".join(parts[k:])
    return pattern, "", ""


def _reading(spot: Spot, word: Word) -> tuple[Kind, Level, str]:
    if spot.area is Area.OWN:
        return Kind.OWN_STATE, Level.IRREVERSIBLE, spot.path
    if spot.is_secret or (word.glob and may_be_secret(word.text or "")):
        return Kind.CREDENTIALS, Level.IRREVERSIBLE, spot.path
    if spot.area is Area.OUTSIDE:
        return Kind.READ, Level.IRREVERSIBLE, spot.path
    return Kind.READ, Level.WORKSPACE if spot.area is Area.SCRATCH else Level.OBSERVE, spot.path
