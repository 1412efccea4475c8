"""`clawctl attach`: a terminal that stays in step with one conversation.

What is shown comes from the event stream, whoever caused it: other clients' messages and answers appear here too, and
nothing is lost or doubled over a restart of the daemon. What is typed is sent at once and joins a running turn at its
next step. Leaving leaves the work alone.
"""

import os
import signal
import sys
import threading

from clawctl.api import Api, Row, as_row, rows_of, words
from clawctl.chat.ctrl_c import CtrlC
from clawctl.chat.message import Answer, Sent, plain, send
from clawctl.chat.screen import Screen
from clawctl.exits import DONE, NOT_FOUND, Failure, NotRunning
from clawctl.render import local_time, one_line
from clawctl.stream import BACK, LOST, RETURN_S, Stream
from clawctl.transport import quoted
from clawctl.usage import Call

TAIL = 10
"""How many messages of the conversation are shown when one attaches."""
AT_WORK = ("ready", "running")


def attach(call: Call) -> int:
    is_typing = sys.stdin.isatty() and call.out.is_tty
    chat = Chat(call, call.text("SESSION", "main"), is_typing)
    with CtrlC():
        chat.open()
        try:
            chat.read_input()
        except KeyboardInterrupt:
            pass
        finally:
            chat.screen.close()
    if chat.fault:
        raise chat.fault
    if is_typing:
        call.out.line(f"detached; work goes on. `clawctl attach {chat.session or 'main'}` comes back")
    return DONE


class Chat:
    """One attached terminal. The main thread reads what is typed, a second one shows what happens."""

    def __init__(self, call: Call, wanted: str, is_typing: bool) -> None:
        self.call = call
        self.api: Api = call.api
        self.screen = Screen(call.out, is_typing)
        self.session = ""
        self.fault: Failure | None = None
        self._is_typing = is_typing
        self._wanted = wanted
        self._answers: dict[str, Answer] = {}
        self._asked: dict[str, int] = {}
        self._mine: set[str] = set()
        self._sending = threading.Lock()
        self._moved = threading.Condition()
        self._is_over = False
        self._is_reading = False
        self._head = 0

    def open(self) -> None:
        """Show where things stand and begin to listen. Raises Failure."""
        snapshot = as_row(self.api.get("/v1/snapshot"))
        head = snapshot.get("head")
        self._head = head if isinstance(head, int) else 0
        self.screen.say(f"nightclaw · {self.call.home} · /help, Ctrl-C detaches", "dim")
        self._enter(self._wanted, rows_of(snapshot.get("sessions")))
        for approval in rows_of(snapshot.get("approvals")):
            self.show_approval(approval)
        stream = Stream(
            self.api,
            self._head,
            return_s=1e9 if self._is_typing else RETURN_S,
            client=f"clawctl-attach-{os.getpid()}",
        )
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    def read_input(self) -> None:
        """Send what is typed until the owner leaves; at the end of a file wait for what is still being answered."""
        from clawctl.chat.commands import run

        while not self._is_over:
            try:
                self._is_reading = True
                line = plain(self.screen.read_line()).strip()
            except EOFError:
                break
            finally:
                self._is_reading = False
            if not line:
                continue
            try:
                if line.startswith("/"):
                    if not run(self, line):
                        return
                else:
                    self.say(line)
            except Failure as failure:
                self.screen.say(
                    one_line(f"! {failure.message}{f' — {failure.hint}' if failure.hint else ''}"), "bad"
                )
        if not self._is_typing:
            self._wait_for_answers()

    def say(self, text: str) -> None:
        """Send one message into this conversation, waiting for a daemon that restarts."""
        with self._sending:
            sent: Sent = send(self.api, text, self.session or self._wanted, RETURN_S)
            self._mine.add(sent.signal)
            self.session = sent.session or self.session
            for line in sent.remembered:
                self.screen.say(one_line(f"  {line}"), "dim")
            if sent.task:
                with self._moved:
                    self._asked[sent.task] = max(sent.cursor, self._asked.get(sent.task, 0))

    def enter(self, wanted: str) -> None:
        """Go over to another conversation, or to a `new` one, which begins with the next message."""
        self._head = (
            sys.maxsize
        )  # what came in meanwhile stands in the transcript, or is shown by the stream later
        self._enter(wanted, rows_of(as_row(self.api.get("/v1/snapshot")).get("sessions")))

    def _enter(self, wanted: str, known: list[Row]) -> None:
        found = next((row for row in known if wanted in (row.get("id"), row.get("title"))), None)
        name = words(found.get("id")) if found else wanted
        transcript: Row = {}
        if wanted != "new":
            try:
                transcript = as_row(self.api.get(f"/v1/sessions/{quoted(name)}"))
            except Failure as failure:
                if failure.code != NOT_FOUND or wanted != "main":
                    raise
        self._wanted, self.session = wanted, words(transcript.get("id")) or ("" if wanted == "new" else name)
        title = words(transcript.get("title")) or ("a new conversation" if not transcript else "")
        self.screen.say(one_line(f"{self.session}  {title}".strip()), "bold")
        for message in rows_of(transcript.get("transcript"))[-TAIL:]:
            text, cursor = words(message.get("text")).strip(), message.get("cursor")
            is_ahead = isinstance(cursor, int) and cursor > self._head  # the stream is going to tell
            if text and not is_ahead:
                who = "you" if message.get("role") == "user" else "claw"
                self.screen.say(f"{local_time(words(message.get('at')))} {who}> {text}")

    def show_approval(self, row: Row) -> None:
        """Say what waits for the owner's word, and how to give it."""
        name, kind = words(row.get("approval") or row.get("id")), words(row.get("kind"))
        what = " ".join(words(row[key]) for key in ("tool", "title", "args", "facts") if row.get(key))
        how = f"/answer {name} TEXT" if kind == "question" else f"/approve {name} or /deny {name}"
        self.screen.say(one_line(f"? {kind or 'approval'}: {what}"), "warn")
        self.screen.say(one_line(f"  {how}"))

    def _listen(self, stream: Stream) -> None:
        try:
            for event in stream.events():
                self._show(event)
        except Failure as failure:
            self.fault = failure
        except Exception as fault:  # noqa: BLE001  the main thread raises it
            self.fault = Failure(f"unexpected {type(fault).__name__}: {fault}")
        finally:
            with self._moved:
                self._is_over = True
                self._moved.notify_all()
        if self._is_reading:
            os.kill(os.getpid(), signal.SIGINT)  # the only thing that wakes the main thread out of its read

    def _show(self, event: Row) -> None:
        kind, data = words(event.get("kind")), as_row(event.get("data"))
        task = words(event.get("task") or data.get("task"))
        if kind == LOST:
            for answer in self._answers.values():
                answer.break_off()
            self.screen.say("… the daemon went away; waiting for it", "warn")
        elif kind == BACK:
            self.screen.say("… the daemon is back", "good")
        elif kind == "reset":
            self.screen.say("… the daemon's event log began anew; /session shows the conversation", "warn")
        elif kind == "approval.requested":
            self.show_approval(data)
        elif kind == "approval.resolved":
            by = words(data.get("by"))
            said = f"  {words(data.get('approval'))} {words(data.get('state'))}{f' by {by}' if by else ''}"
            self.screen.say(one_line(said), "dim")
        elif kind == "budget.reached":
            which = words(data.get("message") or data.get("name"))
            self.screen.say(one_line(f"! a budget is used up: {which}"), "warn")
        else:
            if kind == "signal.received" and data.get("source") == "chat":
                with self._sending:
                    pass  # what this client is sending right now is known as its own once it was answered
            if self.session and words(event.get("session")) == self.session:
                self._show_ours(kind, task, data)
        if kind in ("turn.finished", "task.finished", "task.parked"):
            self._settle(task, event)

    def _show_ours(self, kind: str, task: str, data: Row) -> None:
        """Show an event of this conversation."""
        if kind == "signal.received" and data.get("source") == "chat":
            if data.get("signal") not in self._mine:
                self.screen.say(f"you (elsewhere)> {words(data.get('title'))}", "dim")
        elif kind == "text.delta":
            self._answer(task).add(words(data.get("text")))
        elif kind == "tool.started":
            self._answer(task).end_line()
            tool = words(data.get("tool") or data.get("name"))
            self.screen.say(one_line(f"· {tool} {words(data.get('title'))}"), "dim")
        elif kind == "turn.finished":
            if error := words(data.get("error")):
                self._answer(task).break_off()
                self.screen.say(one_line(f"! {error}"), "bad")
            else:
                self._answer(task).finish(words(data.get("text")))
            self.screen.rest()

    def _answer(self, task: str) -> Answer:
        return self._answers.setdefault(task, Answer(self.screen.stream))

    def _settle(self, task: str, event: Row) -> None:
        cursor = event.get("cursor")
        with self._moved:
            if isinstance(cursor, int) and cursor >= self._asked.get(task, cursor + 1):
                del self._asked[task]
            self._moved.notify_all()

    def _wait_for_answers(self) -> None:
        """Return once every message sent here has its answer."""
        with self._moved:
            while self._asked and not self._is_over:
                self._moved.wait()
        # A message that came too late for the turn it was sent into is answered by a further one of the same task.
        while not self._is_over and self._is_working():
            with self._moved:
                self._moved.wait(1.0)

    def _is_working(self) -> bool:
        try:
            snapshot = as_row(self.api.get("/v1/snapshot"))
        except NotRunning:
            return True  # the stream knows when to give up
        return any(
            row.get("session") == self.session and row.get("state") in AT_WORK
            for row in rows_of(snapshot.get("tasks"))
        )
