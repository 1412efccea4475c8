"""The slash commands of an attached terminal. Most are the verbs of the same name, run in place."""

import io
from collections.abc import Callable

from clawctl.api import Row, words
from clawctl.chat.attach import Chat
from clawctl.exits import USAGE, Failure
from clawctl.render import Out
from clawctl.usage import Line
from clawctl.verbs.approvals import settle

HELP = """\
/help                  this
/status /doctor        how the daemon is; what is wrong and the fix
/clear                 begin a new conversation
/session [ID]          conversations; go over to one
/cost                  what was spent
/tasks                 what is being done
/approvals             what waits for your word
/approve ID [always]   let it happen
/deny ID [NOTE]        do not
/answer ID TEXT        answer a question
/why ID                why something happened
/log                   today's log
/memory [WORDS]        what is remembered; what answers these words
/dream                 tidy memory up now
/pause /resume         stop all proactive work; take it up again
/config                where the config is
/version               versions of both sides
/detach                leave; work goes on (Ctrl-C does the same)
Anything else is a message; while an answer is being written it joins at the next step."""

_VERBS = (
    "status",
    "doctor",
    "cost",
    "approvals",
    "tasks",
    "why",
    "log",
    "pause",
    "resume",
    "version",
    "sessions",
)


def run(chat: Chat, line: str) -> bool:
    """Do what a line that begins with a slash says; False when the owner leaves. Raises Failure."""
    name, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    if name in ("detach", "quit", "exit"):
        return False
    if name in _VERBS:
        _run_verb(chat, [name, *rest.split()])
        return True
    command = _COMMANDS.get(name)
    if command is None:
        from difflib import get_close_matches

        near = get_close_matches(name, [*_VERBS, *_COMMANDS, "detach"], 1)
        raise Failure(
            f"no command /{name}", USAGE, f"did you mean /{near[0]}?" if near else "/help lists them"
        )
    command(chat, rest)
    return True


def _help(chat: Chat, rest: str) -> None:
    chat.screen.say(HELP)


def _clear(chat: Chat, rest: str) -> None:
    chat.enter("new")


def _session(chat: Chat, rest: str) -> None:
    if rest:
        chat.enter(rest)
    else:
        _run_verb(chat, ["sessions"])
        chat.screen.say(f"here: {chat.session or 'a new conversation'}", "dim")


def _config(chat: Chat, rest: str) -> None:
    _run_verb(chat, ["config", "path"])


def _memory(chat: Chat, rest: str) -> None:
    words = rest.split()
    if words and words[0] in ("list", "search", "show", "add", "forget"):
        _run_verb(chat, ["memory", *words])
    else:
        _run_verb(chat, ["memory", "search", *words] if words else ["memory", "list"])


def _dream(chat: Chat, rest: str) -> None:
    _run_verb(chat, ["dream", *(rest.split() or ["--now"])])


def _approve(chat: Chat, rest: str) -> None:
    name, _, how = rest.partition(" ")
    _settle(chat, name, {"decision": "allow", **({"always": True} if how.strip() == "always" else {})})


def _deny(chat: Chat, rest: str) -> None:
    name, _, note = rest.partition(" ")
    _settle(chat, name, {"decision": "deny", **({"note": note.strip()} if note.strip() else {})})


def _answer(chat: Chat, rest: str) -> None:
    name, _, text = rest.partition(" ")
    if not text.strip():
        raise Failure("an answer needs its text", USAGE, "/answer ID TEXT")
    _settle(chat, name, {"decision": "allow", "answer": text.strip()})


def _settle(chat: Chat, name: str, body: Row) -> None:
    if not name:
        raise Failure("which one?", USAGE, "/approvals lists what waits")
    settle(chat.api, name, body)
    chat.screen.say(f"  {name}: {words(body['decision'])}", "dim")


def _run_verb(chat: Chat, argv: list[str]) -> None:
    """Run a verb of the command line and show what it prints in one piece."""
    call = Line([*argv, "--home", chat.call.home]).call()
    printed = io.StringIO()
    call.out = Out(False, printed)
    module, _, function = call.verb[3].partition(":")
    getattr(__import__(f"clawctl.verbs.{module}", fromlist=[function]), function)(call)
    chat.screen.say(printed.getvalue().rstrip("\n"))


_COMMANDS: dict[str, Callable[[Chat, str], None]] = {
    "help": _help,
    "clear": _clear,
    "session": _session,
    "config": _config,
    "memory": _memory,
    "dream": _dream,
    "approve": _approve,
    "deny": _deny,
    "answer": _answer,
}
