"""Destinations for real: an HTTP server on loopback, a child process, a stream; reasons without secrets."""

import asyncio
import io
import json
import socket
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.sink import Sink

from nightclaw.core.errors import DeliveryError, Invalid
from nightclaw.core.ports import Note
from nightclaw.notifiers import apprise, desktop, log
from nightclaw.notifiers.destinations import build_all

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings(
        "ignore:'imghdr' is deprecated:DeprecationWarning"
    ),  # Apprise's own, before 3.13
]
NOTE = Note("ntf_1", "CI is red", "tests <failed> & more\nsecond line :smile: \\n")
SECRET = "s3cr3tTopicOrToken"


@dataclass(frozen=True)
class Address:
    url: str
    private: bool = False


async def refusal(url: str, clock: FakeClock) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await apprise.build({"url": url}, {"clock": clock}).deliver(NOTE)
    assert SECRET not in str(raised.value) and SECRET not in raised.value.hint
    return raised.value


async def test_a_note_arrives_word_for_word(sink: Sink, clock: FakeClock) -> None:
    await apprise.build({"url": f"json://{sink.address}/{SECRET}"}, {"clock": clock}).deliver(NOTE)
    (body,) = sink.bodies
    assert body["title"] == NOTE.title and body["message"] == NOTE.body


async def test_forms_and_ntfy_too(sink: Sink, clock: FakeClock) -> None:
    await apprise.build({"url": f"form://{sink.address}/x"}, {"clock": clock}).deliver(NOTE)
    await apprise.build({"url": f"ntfy://{sink.address}/my-topic"}, {"clock": clock}).deliver(NOTE)
    form, ntfy = sink.bodies
    assert "CI+is+red" in str(form["raw"])
    said = ntfy if "message" in ntfy else json.loads(str(ntfy["raw"]))
    assert said["topic"] == "my-topic" and said["title"] == NOTE.title and said["message"] == NOTE.body


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "retry_after"),
    [
        (401, {}, True, None),
        (404, {}, True, None),
        (413, {}, True, None),
        (429, {"Retry-After": "120"}, False, 120.0),
        (429, {}, False, None),
        (503, {"Retry-After": "Fri, 20 Nov 2026 12:05:00 GMT"}, False, 300.0),
        (503, {"Retry-After": "soon"}, False, None),
        (500, {}, False, None),
    ],
)
async def test_a_refusal_says_what_it_is(
    sink: Sink,
    clock: FakeClock,
    status: int,
    headers: dict[str, str],
    permanent: bool,
    retry_after: float | None,
) -> None:
    sink.answers = [(status, headers)]
    error = await refusal(f"json://user:{SECRET}@{sink.address}/{SECRET}", clock)
    assert f"answered {status} " in error.message and not error.uncertain
    assert (error.permanent, error.retry_after_s) == (permanent, retry_after)


async def test_nobody_there_is_worth_another_try(clock: FakeClock) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    error = await refusal(f"json://127.0.0.1:{port}/{SECRET}", clock)
    assert error.message == "connection refused" and not error.permanent and not error.uncertain
    error = await refusal(f"json://{SECRET}.invalid/x", clock)
    assert "looked up" in error.message and not error.permanent and not error.uncertain


async def test_a_line_that_breaks_after_the_request_is_uncertain(sink: Sink, clock: FakeClock) -> None:
    sink.drop = True
    error = await refusal(f"json://{sink.address}/{SECRET}", clock)
    assert error.uncertain and len(sink.bodies) == 1


async def test_a_server_that_never_answers_is_uncertain(sink: Sink, clock: FakeClock) -> None:
    sink.hangs = True
    error = await refusal(f"json://{sink.address}/{SECRET}?rto=0.2", clock)
    assert error.uncertain and len(sink.bodies) == 1


async def test_two_at_once_do_not_hear_each_others_answers(sink: Sink, clock: FakeClock) -> None:
    other = Sink()
    try:
        other.answers = [(401, {})] * 8
        good = [apprise.build({"url": f"json://{sink.address}"}, {"clock": clock}) for _ in range(8)]
        bad = [apprise.build({"url": f"json://{other.address}"}, {"clock": clock}) for _ in range(8)]
        said = await asyncio.gather(*(n.deliver(NOTE) for n in good + bad), return_exceptions=True)
    finally:
        other.close()
    assert said[:8] == [None] * 8
    assert all(isinstance(e, DeliveryError) and e.permanent for e in said[8:])


async def test_an_address_nobody_understands(clock: FakeClock) -> None:
    for url in (f"nosuch://{SECRET}", f"tgram://{SECRET}"):
        assert (await refusal(url, clock)).permanent


async def test_a_thread_that_hangs_is_left_behind() -> None:
    forever = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            await apprise.in_thread(forever.wait, 0.05)
    finally:
        forever.set()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"json://user:{SECRET}@127.0.0.1:8080/{SECRET}?token={SECRET}", "json://127.0.0.1:8080"),
        (f"ntfy://{SECRET}", "ntfy://…"),
        (f"ntfy://user:pw@ntfy.example/{SECRET}", "ntfy://ntfy.example"),
        (f"tgram://{SECRET}:A/123", "tgram://…"),
        (f"discord://{SECRET}/{SECRET}", "discord://…"),
        (f"mailto://me:{SECRET}@example.org", "mailto://example.org"),
        (f"JSONS://host/{SECRET}", "jsons://host"),
    ],
)
def test_a_name_holds_no_secret(url: str, name: str) -> None:
    assert apprise.shown(url) == name


def test_apprises_own_words_lose_every_part_of_the_address() -> None:
    said = f"Failed to reach https://api.example/{SECRET} with key {SECRET} at chat 123456"
    assert (
        apprise.without_secrets(said, f"tgram://{SECRET}/123456") == "Failed to reach … with key … at chat …"
    )


def script(folder: Path, name: str, body: str) -> dict[str, str]:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:/usr/bin:/bin", "NIGHTCLAW_SECRET": SECRET, "HOME": str(folder)}


async def test_the_desktop_gets_arguments_and_no_secrets(tmp_path: Path) -> None:
    environ = script(tmp_path, "notify-send", 'printf "%s\\n" "$@" > "$HOME/args"; env > "$HOME/env"')
    hostile = Note("n", "-u critical; $(touch pwned)", "<b>bold</b> `touch pwned`")
    await desktop.DesktopNotifier(environ, "linux").deliver(hostile)
    args = (tmp_path / "args").read_text().splitlines()
    assert args == [
        "--app-name=Nightclaw", "--", "-u critical; $(touch pwned)", "&lt;b&gt;bold&lt;/b&gt; `touch pwned`",
    ]  # fmt: skip
    assert SECRET not in (tmp_path / "env").read_text()


async def test_the_mac_gets_its_texts_as_arguments(tmp_path: Path) -> None:
    environ = script(tmp_path, "osascript", 'printf "%s\\n" "$@" > "$HOME/args"')
    await desktop.DesktopNotifier(environ, "darwin").deliver(Note("n", 'a" & b', "c"))
    assert (tmp_path / "args").read_text().splitlines()[-2:] == ['a" & b', "c"]


async def test_a_desktop_that_is_not_there_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="notify-send is not on this machine") as raised:
        await desktop.DesktopNotifier({"PATH": str(tmp_path)}, "linux").deliver(NOTE)
    assert raised.value.permanent and "libnotify" in raised.value.hint


async def test_a_desktop_that_fails_is_tried_again(tmp_path: Path) -> None:
    environ = script(tmp_path, "notify-send", 'echo "no bus" >&2; exit 3')
    with pytest.raises(DeliveryError, match="notify-send failed: no bus") as raised:
        await desktop.DesktopNotifier(environ, "linux").deliver(NOTE)
    assert not raised.value.permanent and "DBUS_SESSION_BUS_ADDRESS is not set" in raised.value.hint


async def test_the_journal_gets_one_line() -> None:
    stream = io.StringIO()
    await log.build({"url": "log://"}, {"stream": stream}).deliver(Note("ntf_1", "a\nb", "c\x1b[31m\nd"))
    assert stream.getvalue() == "note ntf_1: a b: c d\n"


async def test_the_word_before_the_colon_chooses(clock: FakeClock) -> None:
    addresses = [Address("desktop://"), Address("log://"), Address("ntfy://ntfy.sh/x", private=True)]
    names = [n.name for n in build_all(addresses, {"clock": clock})]
    assert names == ["desktop://", "log://", "ntfy://ntfy.sh"]
    for url in ("webpush", "webpush://x"):
        with pytest.raises(Invalid, match="not in this version"):
            build_all([Address(url)], {"clock": clock})
