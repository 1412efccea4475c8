"""Verbs of conversation; what they do stands in `clawctl.chat`, loaded when it is needed."""

from clawctl.render import Column
from clawctl.usage import Call
from clawctl.verbs.lists import show_list

SESSIONS: list[Column] = [
    ("ID", "id"),
    ("AGE", "@updated_at"),
    ("CREATED", "@created_at"),
    ("TITLE", "title"),
]


def attach(call: Call) -> int:
    from clawctl.chat.attach import attach

    return attach(call)


def chat(call: Call) -> int:
    from clawctl.chat.once import chat

    return chat(call)


def sessions(call: Call) -> int:
    return show_list(call, "/v1/sessions", SESSIONS, "no conversations yet: `clawctl chat TEXT` begins one")
