"""What a stranger can do to the TCP side: be turned away in a fixed order, in bounded time, without leaving a row."""

import asyncio
import gzip
import hashlib
import hmac
import json
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from sqlalchemy import Connection
from tests.fakes.listening import SECRET, TOML, House, github_headers, head_of, issue, listening

from nightclaw.ingress import BODY_LIMIT
from nightclaw.store.db import QUEUE_LIMIT

pytestmark = pytest.mark.anyio

BODIES = Path(__file__).parents[3] / "shared" / "data" / "github-webhooks"
HUGE = str(BODY_LIMIT + 1)
FOREIGN = {"Host": "evil.example"}


@pytest.fixture
def home() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="nc-", dir="/tmp")  # a socket's path must be short
    yield Path(folder) / "home"
    shutil.rmtree(folder)


@pytest.fixture
async def house(home: Path) -> AsyncIterator[House]:
    async with listening(home) as found:
        yield found


def signals_in(house: House) -> list[tuple[str, str]]:
    """(id, payload) of every signal that is durable, read past the daemon."""
    with sqlite3.connect(f"file:{house.store.path}?mode=ro", uri=True) as conn:
        return conn.execute("SELECT id, payload FROM signal ORDER BY id").fetchall()


def signed(body: bytes, **headers: str) -> dict[str, str]:
    return github_headers(body) | {name.replace("_", "-"): value for name, value in headers.items()}


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


GOOD = issue()
ZIPPED = gzip.compress(GOOD)
SHA1 = {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), GOOD, "sha1").hexdigest()}
ELSEWHERE = issue(repo="stranger/app")
PING = json.dumps({"zen": "Keep it simple", "repository": {"full_name": "octo/app"}}).encode()
STRANGE_PING = json.dumps({"zen": "Keep it simple", "repository": {"full_name": "stranger/app"}}).encode()

# Each case also has every later fault it can have: only the named order of checks gives these answers.
ORDER = {
    "size before Host": (b"", {**FOREIGN, "Content-Length": HUGE}, 413, "too_large"),
    "Host before signature": (b"no json", FOREIGN, 403, "foreign_host"),
    "Origin before signature": (b"no json", {"Origin": "https://evil.example"}, 403, "foreign_origin"),
    "no signature before shape": (b"no json", {}, 401, "unsigned"),
    "sha1 is none": (GOOD, SHA1, 401, "unsigned"),
    "sha1 beside an empty sha256": (GOOD, {**signed(GOOD), "X-Hub-Signature-256": "sha256="}, 401, "bad_signature"),
    "signature of other bytes": (b"no json", signed(b"no  json"), 401, "bad_signature"),
    "a truncated body": (GOOD[:-1], signed(GOOD), 401, "bad_signature"),
    "signature before headers": (GOOD, without(signed(GOOD + b" "), "X-GitHub-Event"), 401, "bad_signature"),
    "no event": (ELSEWHERE, without(signed(ELSEWHERE), "X-GitHub-Event"), 400, "malformed"),
    "no delivery": (ELSEWHERE, without(signed(ELSEWHERE), "X-GitHub-Delivery"), 400, "malformed"),
    "a compressed body": (ZIPPED, signed(ZIPPED, Content_Encoding="gzip"), 415, "unsupported"),
    "another type": (GOOD, signed(GOOD, **{"Content-Type": "text/plain"}), 415, "unsupported"),
    "another charset": (GOOD, signed(GOOD, **{"Content-Type": "application/json; charset=utf-16"}), 415, "unsupported"),
    "no JSON": (b"no json", signed(b"no json"), 400, "malformed"),
    "not listed": (ELSEWHERE, signed(ELSEWHERE), 403, "not_listed"),
    "not listed before ping": (STRANGE_PING, signed(STRANGE_PING, **{"X-GitHub-Event": "ping"}), 403, "not_listed"),
}  # fmt: skip


@pytest.mark.parametrize("case", ORDER)
async def test_checks_run_in_the_promised_order_and_leave_nothing(house: House, case: str) -> None:
    body, headers, status, code = ORDER[case]
    answer = await house.post("/hooks/github", body, headers)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    assert signals_in(house) == []


async def test_a_delivery_is_durable_before_its_202(house: House) -> None:
    answer = await house.deliver(GOOD)
    assert answer.status == 202
    assert [row[0] for row in signals_in(house)] == [answer.json["signal"]]


async def test_a_ping_is_answered_and_kept_nowhere(house: House) -> None:
    answer = await house.deliver(PING, **{"X-GitHub-Event": "ping"})
    assert answer.status == 200
    assert signals_in(house) == []


async def test_what_is_held_already_is_a_duplicate(house: House) -> None:
    first = await house.deliver(GOOD)
    again = await house.deliver(GOOD)
    replayed = await house.deliver(GOOD, **{"X-GitHub-Delivery": "another-guid"})
    retold = await house.deliver(issue(extra="same occurrence, other bytes"))
    for answer in (again, replayed, retold):
        assert answer.status == 200
        assert answer.json == {"duplicate": True, "signal": first.json["signal"]}
    assert len(signals_in(house)) == 1


async def test_github_may_send_a_form(house: House) -> None:
    body = b"payload=" + quote_plus(GOOD).encode()
    answer = await house.post(
        "/hooks/github", body, signed(body, **{"Content-Type": "application/x-www-form-urlencoded"})
    )
    assert answer.status == 202
    assert (await house.deliver(GOOD)).json == {"duplicate": True, "signal": answer.json["signal"]}


BAD_BODIES = {
    "nothing": b"",
    "an array": b"[1]",
    "depth 100,000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "depth 100,000, lists": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "depth 150": b'{"a":' + b"[" * 150 + b"]" * 150 + b"}",
    "a million keys": ("{" + ",".join(f'"k{i}":0' for i in range(1_000_000)) + "}").encode(),
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": 1e999}',
    "a number of 100,000 digits": b'{"a": ' + b"9" * 100_000 + b"}",
    "a key twice": b'{"repository": {"full_name": "octo/app"}, "repository": {"full_name": "x/y"}}',
    "UTF-16": '{"a": "b"}'.encode("utf-16"),
    "Latin-1": '{"a": "ü"}'.encode("latin-1"),
    "cut": GOOD[: len(GOOD) // 2],
    "a repository without a name": b'{"repository": {"full_name": 5}}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_signed_body_of_no_use_is_400(house: House, name: str) -> None:
    answer = await house.deliver(BAD_BODIES[name])
    assert (answer.status, answer.code) == (400, "malformed")
    assert signals_in(house) == []
    assert (await house.deliver(GOOD)).status == 202


async def test_text_that_no_file_can_hold_is_made_holdable(house: House) -> None:
    body = GOOD.replace(b"Bug 1", b"Bug \\ud800 \\ud83d\\ude00 \\udc00")
    assert (await house.deliver(body)).status == 202
    with sqlite3.connect(house.store.path) as conn:
        [(title,)] = conn.execute("SELECT title FROM signal").fetchall()
    assert "Bug ? 😀 ?" in title


async def test_an_announced_giant_is_refused_before_it_is_read(house: House) -> None:
    async with await house.tcp() as line:
        await line.write(head_of("POST", "/hooks/github", signed(b"", Host="localhost", Content_Length=HUGE)))
        answer = await line.read()
    assert answer is not None and answer.status == 413


async def test_a_giant_without_a_length_is_refused_while_it_is_read(house: House) -> None:
    async with await house.tcp() as line:
        fields = {"Host": "localhost", "Transfer-Encoding": "chunked", **signed(b"")}
        await line.write(head_of("POST", "/hooks/github", fields))
        chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
        for _ in range(26):
            await line.write(chunk)
        answer = await line.read()
    assert answer is not None and answer.status == 413
    assert (await house.deliver(GOOD)).status == 202


async def test_the_largest_body_is_taken(house: House) -> None:
    body = GOOD[:-1] + b', "padding": "' + b"x" * (BODY_LIMIT - len(GOOD) - 15) + b'"}'
    assert len(body) == BODY_LIMIT
    assert (await house.deliver(body)).status == 202


async def test_a_client_that_was_refused_early_may_send_its_body_and_go_on(house: House) -> None:
    body = b"x" * 300_000
    async with await house.tcp() as line:
        refused = await line.request("POST", "/hooks/github", body)
        taken = await line.request("POST", "/hooks/github", GOOD, signed(GOOD))
    assert (refused.status, taken.status) == (401, 202)


async def test_the_control_socket_answers_while_bad_bodies_come(house: House) -> None:
    bad = [BAD_BODIES["depth 100,000"], BAD_BODIES["a million keys"], b"x" * BODY_LIMIT] * 2
    storm = asyncio.gather(*(house.deliver(body) for body in bad))
    served = 0
    async with await house.unix() as line:
        while not storm.done():
            assert (await line.request("GET", "/v1/status")).status == 200
            served += 1
    assert {answer.status for answer in await storm} <= {400, 503}
    assert served > len(bad)


HOSTS = {
    200: ["localhost", "LOCALHOST:8787", "127.0.0.1:1", "127.8.9.1", "[::1]:8787", "claw.example.org",
          "claw.example.org:443"],
    403: ["", "evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example", "::1", "0.0.0.0",
          "localhost@evil.example", "localhost:80:80", "127.0.0.1:x", "169.254.169.254"],
}  # fmt: skip
ORIGINS = {
    200: ["https://claw.example.org", "http://localhost:8787"],
    403: ["http://localhost:3000", "http://localhost", "null", "", "https://claw.example.org.evil.example",
          "https://evil.example"],
}  # fmt: skip


async def test_only_names_of_this_machine_are_served(house: House) -> None:
    async with await house.tcp() as line:
        for expected, hosts in HOSTS.items():
            answers = {host: await line.request("GET", "/healthz", headers={"Host": host}) for host in hosts}
            assert {host: answer.status for host, answer in answers.items()} == dict.fromkeys(hosts, expected)


async def test_pages_of_other_sites_are_turned_away(house: House) -> None:
    async with await house.tcp() as line:
        for expected, origins in ORIGINS.items():
            for origin in origins:
                headers = {"Host": "localhost:8787", "Origin": origin}
                assert (await line.request("GET", "/healthz", headers=headers)).status == expected, origin


async def test_nothing_else_is_there(house: House) -> None:
    paths = [
        "/",
        "/v1/status",
        "/v1/pause",
        "/hooks",
        "/hooks/",
        "/hooks/nobody",
        "/metrics",
        "/docs",
        "/hooks/github/",
    ]
    async with await house.tcp() as line:
        for path in paths:
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                answer = await line.request(method, path)
                assert (answer.status, answer.code) == (404, "not_found"), (method, path)


@pytest.mark.parametrize(
    ("method", "path", "allow"), [("GET", "/hooks/github", "POST"), ("POST", "/healthz", "GET")]
)
async def test_another_method_is_405(house: House, method: str, path: str, allow: str) -> None:
    async with await house.tcp() as line:
        answer = await line.request(method, path)
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", allow)


async def test_health_names_what_is_stuck(house: House) -> None:
    async with await house.tcp() as line:
        well = await line.request("GET", "/healthz")
        house.stuck.append("initiative has been silent for 100 s")
        ill = await line.request("GET", "/healthz")
    assert (well.status, well.json) == (200, {"ok": True})
    assert ill.status == 503
    assert ill.json["stuck"] == ["initiative has been silent for 100 s"]


async def test_without_a_secret_every_delivery_is_refused_with_the_way_out(home: Path) -> None:
    async with listening(home, toml=TOML.replace('secret = { env = "GH_SECRET" }', "", 1)) as house:
        answer = await house.deliver(GOOD)
    assert answer.status == 401
    assert "[github] secret" in str(answer.json)


async def test_with_nothing_listed_the_refusal_says_what_to_write(home: Path) -> None:
    toml = '[ingress]\nlisten = ":0"\n[github]\nsecret = { env = "GH_SECRET" }\n'
    async with listening(home, toml=toml) as house:
        answer = await house.deliver(GOOD)
    assert answer.status == 403
    assert "[[github.repo]]" in str(answer.json)


async def test_an_event_without_a_repository_needs_a_listed_account(house: House) -> None:
    def installed(account: str) -> bytes:
        return json.dumps({"action": "created", "organization": {"login": account}, "id": account}).encode()

    assert (await house.deliver(installed("octo"), **{"X-GitHub-Event": "organization"})).status == 202
    assert (await house.deliver(installed("evil"), **{"X-GitHub-Event": "organization"})).status == 403


async def test_a_switched_off_door_keeps_nothing_and_says_so(house: House) -> None:
    house.off.add("github")
    answer = await house.deliver(GOOD)
    assert (answer.status, answer.code) == (503, "switched_off")
    assert signals_in(house) == []
    house.off.clear()
    assert (await house.deliver(GOOD)).status == 202


async def test_a_full_queue_says_when_to_come_back_and_then_takes_it(house: House) -> None:
    gate = threading.Event()

    def wait(conn: Connection) -> None:
        gate.wait(30)

    waiting = [asyncio.ensure_future(house.store.write(wait)) for _ in range(QUEUE_LIMIT)]
    await asyncio.sleep(0)
    refused = await house.deliver(GOOD)
    gate.set()
    await asyncio.gather(*waiting)
    assert (refused.status, refused.code) == (503, "busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await house.deliver(GOOD)).status == 202


async def test_a_store_that_cannot_keep_it_is_503(house: House) -> None:
    await house.store.close()
    answer = await house.deliver(GOOD)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_storm_over_200_connections_keeps_each_occurrence_once(house: House) -> None:
    bodies = [issue(number) for number in range(300)] * 2
    lines = [await house.tcp() for _ in range(200)]
    shares = [bodies[n::200] for n in range(200)]

    async def send(n: int) -> list[int]:
        return [(await lines[n].request("POST", "/hooks/github", b, signed(b))).status for b in shares[n]]

    statuses = [status for each in await asyncio.gather(*(send(n) for n in range(200))) for status in each]
    for line in lines:
        line.writer.close()
    assert sorted(statuses) == [200] * 300 + [202] * 300
    assert len(signals_in(house)) == 300


async def test_real_deliveries_of_every_kind_come_in(home: Path) -> None:
    if not BODIES.is_dir():
        pytest.skip("the recorded webhook bodies are not on this machine")
    rows = [json.loads(row) for row in (BODIES / "MANIFEST.jsonl").read_text().splitlines()]
    toml = TOML.replace('accounts = ["octo"]', 'accounts = ["*"]').replace("octo/*", "*/*")
    refused: list[str] = []
    async with listening(home, toml=toml) as house:
        async with await house.tcp() as line:
            for row in rows:
                body = (BODIES / row["file"]).read_bytes()
                headers = signed(
                    body, **{"X-GitHub-Event": row["event"], "X-GitHub-Delivery": row["file"][:100]}
                )
                answer = await line.request("POST", "/hooks/github", body, headers)
                if answer.status not in (200, 202):
                    refused.append(f"{row['file']}: {answer.status} {answer.body[:200]!r}")
    assert not refused
    assert len(rows) > 100


async def test_the_signature_is_over_the_very_bytes(house: House) -> None:
    body = json.dumps(json.loads(GOOD), indent=2).encode()
    assert (await house.post("/hooks/github", body, signed(GOOD))).status == 401
    assert hashlib.sha256(body).digest() != hashlib.sha256(GOOD).digest()
