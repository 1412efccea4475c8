"""What kind of memory words are, when nobody says: user, feedback, project, reference or procedure. Pure."""

import re

from nightclaw.core.topic import GENERAL, slug

__all__ = ["GENERAL", "kind_of", "slug", "title", "topic_for"]

_TOPICS = {
    "user": "user", "owner": "user", "profile": "user", "about-me": "user",
    "feedback": "feedback", "preferences": "feedback", "style": "feedback",
    "references": "reference", "links": "reference", "procedures": "procedure", "howto": "procedure",
}  # fmt: skip
_FEEDBACK = re.compile(
    r"(?i)\b(?:(?:i|we) (?:prefer|like|want|hate|dislike|love|never|always)|please|always|never|do(?: no|n[o'’])t|avoid"
    r"|instead of|stop (?:using|doing)|no need to)\b"
)
_USER = re.compile(
    r"(?i)^(?:i(?:['’]m| am| live| work| have| was)\b|my (?:name|wife|husband|partner|job|role|team|birthday"
    r"|time ?zone|email|kids?|dog|cat|home|office|employer|boss)\b|the owner\b|(?:the )?user\b)"
)
_PROCEDURE = re.compile(r"(?i)^(?:to \w+[^.]{0,60}[,:]|how to\b|first\b.*\bthen\b|run `|steps?:)")
_REFERENCE = re.compile(
    r"(?i)\bhttps?://|\bwww\.|\b(?:documented|described|see|lives?|found) (?:in|at|under)\b"
)


def kind_of(text: str, topic: str) -> str:
    """The likeliest kind of a memory; a topic's name says most."""
    if topic in _TOPICS:
        return _TOPICS[topic]
    for pattern, kind in (
        (_USER, "user"),
        (_FEEDBACK, "feedback"),
        (_PROCEDURE, "procedure"),
        (_REFERENCE, "reference"),
    ):
        if pattern.search(text):
            return kind
    return "project"


def topic_for(kind: str) -> str:
    """Where words go that were given no topic."""
    return {
        "user": "user",
        "feedback": "preferences",
        "procedure": "procedures",
        "reference": "references",
    }.get(kind, GENERAL)


def title(name: str) -> str:
    """A topic's name as a heading."""
    words = name.replace("-", " ").strip()
    return words[:1].upper() + words[1:]
