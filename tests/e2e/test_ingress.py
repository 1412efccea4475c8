"""Section 5's table of answers, in its order, against a real listener; and that a full disk is said, not hidden."""

import base64
import hashlib
import hmac
import json
import os
import resource
import socket
import time
import uuid
from urllib.parse import quote_plus

import pytest
from tests.e2e import deliveries
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.deliveries import github_headers, labeled, names, opened, ping
from tests.e2e.homes import standard
from tests.e2e.wire import Answer

LIMIT = 25 * 1024 * 1024
KEY = base64.b64encode(b"nightclaw e2e hook secret").decode()
CONFIG = standard(
    github="""
[github]
owners = ["octocat"]
accounts = ["octo"]
secret = { env = "HUB_SECRET" }
poll = "off"
""",
    repos='[[github.repo]]\nname = "octo/*"\n',
    more="""
[[hook]]
name = "deploys"
secret = { env = "SIGNED" }
prompt = "A deploy finished: {payload.status}"
[[hook]]
name = "plain"
secret = { env = "BEARER" }
prompt = "{payload.text}"
""",
).replace("http://localhost", "https://claw.example.org")

REPO = names("ingress")


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(CONFIG, {"SIGNED": f"whsec_{KEY}", "BEARER": "a-plain-token"}).start()


def _raw(daemon: Daemon, head: str, body: bytes = b"") -> bytes:
    """Speak HTTP by hand: the status line of the answer."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as line:
        line.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return line.recv(4096).split(b"\r\n")[0]


def test_a_body_over_the_limit_is_refused_before_it_is_read(daemon: Daemon) -> None:
    """413 comes first: before the host, the signature and the body."""
    head = f"POST /hooks/github HTTP/1.1\nHost: evil.example\nContent-Length: {LIMIT + 1}"
    assert b" 413 " in _raw(daemon, head)
    assert b" 413 " in _raw(daemon, head.replace("/hooks/github", "/hooks/deploys"))


def test_a_body_without_a_length_is_cut_at_the_limit(daemon: Daemon) -> None:
    head = "POST /hooks/github HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked"
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as line:
        line.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        try:
            for _ in range(27):
                line.sendall(chunk)
        except OSError:
            pass  # it hung up on us: also a refusal
        try:
            said = line.recv(4096)
        except OSError:
            said = b""
    assert said == b"" or b" 413 " in said or b" 401 " in said, said
    assert daemon.tcp("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "claw.example.org.evil.example"},
        {"Host": "10.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_a_foreign_host_or_origin_is_403_before_the_signature(
    daemon: Daemon, headers: dict[str, str]
) -> None:
    body = opened(next(REPO), 1)
    assert daemon.deliver("issues", body, **headers).status == 403
    assert daemon.deliver("issues", body, X_Hub_Signature_256="sha256=00", **headers).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "claw.example.org", "localhost:8787"])
def test_own_hosts_are_served(daemon: Daemon, host: str) -> None:
    assert daemon.deliver("issues", opened(next(REPO), 1), Host=host).status == 202


def test_a_bad_absent_or_sha1_signature_is_401_before_anything_is_parsed(daemon: Daemon) -> None:
    before = daemon.status["event_head"]
    good = json.dumps(opened(next(REPO), 1)).encode()
    foreign = json.dumps(opened("evil/app", 1)).encode()
    sha1 = "sha1=" + hmac.new(deliveries.SECRET.encode(), good, hashlib.sha1).hexdigest()
    wrong = github_headers("issues", good, secret="not the secret")["X-Hub-Signature-256"]
    for raw in (good, foreign, b"not json", b""):
        for signature in (
            {"X-Hub-Signature-256": wrong},
            {"X-Hub-Signature-256": "sha256="},
            {"X-Hub-Signature": sha1},
            {},
        ):
            headers = github_headers("issues", raw)
            headers.pop("X-Hub-Signature-256")
            assert daemon.tcp("POST", "/hooks/github", raw, headers | signature).status == 401, (
                raw,
                signature,
            )
    assert daemon.status["event_head"] == before, "nothing is kept of what nobody signed"


def _deep(n: int) -> bytes:
    return b'{"a":' + b"[" * n + b"]" * n + b"}"


@pytest.mark.parametrize(
    "raw",
    [b"", b"not json", b"[]", b"3", b"null", b'{"a": "\xff"}', b'{"a": NaN', _deep(100_000)],
    ids=["empty", "text", "list", "number", "null", "charset", "cut", "deep"],
)
def test_a_signed_body_that_is_no_delivery_is_400(daemon: Daemon, raw: bytes) -> None:
    began = time.monotonic()
    answer = daemon.deliver("issues", raw)
    assert answer.status in (400, 415), answer.body
    assert answer.code and answer.json["error"]["message"]
    assert time.monotonic() - began < 5


def test_missing_delivery_headers_and_other_content_types_are_400_or_415(daemon: Daemon) -> None:
    raw = json.dumps(opened(next(REPO), 1)).encode()
    for name in ("X-GitHub-Event", "X-GitHub-Delivery"):
        headers = github_headers("issues", raw)
        headers.pop(name)
        assert daemon.tcp("POST", "/hooks/github", raw, headers).status == 400, name
    form = b"payload=" + quote_plus(raw).encode()
    kept = daemon.deliver("issues", form, Content_Type="application/x-www-form-urlencoded")
    assert kept.status in (202, 400, 415), "GitHub's other content type is understood or refused"
    if kept.status == 202:
        (row,) = [row for row in daemon.signals(source="github") if row["id"] == kept.json["signal"]]
        assert row["kind"] == "issues.opened", "and understood means understood"


def test_a_repository_or_account_not_listed_is_403(daemon: Daemon) -> None:
    assert daemon.deliver("issues", opened("evil/app", 1)).status == 403
    elsewhere = {"action": "created", "sender": {"login": "mallory"}, "organization": {"login": "evil"}}
    assert daemon.deliver("organization", elsewhere).status == 403
    here = elsewhere | {"organization": {"login": "octo"}}
    assert daemon.deliver("organization", here).status == 202


def test_a_ping_is_200_and_no_signal(daemon: Daemon) -> None:
    assert daemon.deliver("ping", ping("evil/app")).status == 403
    before = len(daemon.items("/v1/signals"))
    assert daemon.deliver("ping", ping(next(REPO))).status == 200
    assert len(daemon.items("/v1/signals")) == before


def test_what_is_held_already_is_200_and_names_the_signal(daemon: Daemon) -> None:
    """The same delivery, and the same occurrence under another delivery id."""
    body = opened(next(REPO), 1)
    delivery = str(uuid.uuid4())
    first = daemon.deliver("issues", body, delivery=delivery)
    assert first.status == 202
    held = {"duplicate": True, "signal": first.json["signal"]}
    for again in (daemon.deliver("issues", body, delivery=delivery), daemon.deliver("issues", body)):
        assert (again.status, again.json) == (200, held)


def test_unknown_events_and_actions_are_kept(daemon: Daemon) -> None:
    body = opened(next(REPO), 1) | {"action": "teleported"}
    new = daemon.take("issues", body)
    strange = daemon.take("quantum_entanglement", opened(next(REPO), 1) | {"action": "observed"})
    kinds = {row["id"]: row["kind"] for row in daemon.signals(source="github")}
    assert (kinds[new], kinds[strange]) == ("issues.teleported", "quantum_entanglement.observed")
    assert daemon.decision(strange)["verdict"] in ("ignore", "record")


def test_label_unlabel_label_are_three_occurrences(daemon: Daemon) -> None:
    repo = next(REPO)
    for off in (False, True, False):
        daemon.take("issues", labeled(repo, 1, "bug", off=off))
    subject = f"{repo}#1"
    kinds = [row["kind"] for row in reversed(daemon.signals(subject=subject))]
    assert kinds == ["issues.labeled", "issues.unlabeled", "issues.labeled"]


def test_the_ingress_is_never_control(daemon: Daemon) -> None:
    for method, path in (("GET", "/v1/status"), ("POST", "/v1/pause"), ("GET", "/"), ("GET", "/metrics")):
        assert daemon.tcp(method, path).status == 404, path
    assert daemon.tcp("POST", "/hooks/unheard-of", b"{}").status in (401, 404)
    assert daemon.tcp("GET", "/hooks/github").status in (404, 405)


def _signed(raw: bytes, message: str, at: float | None = None, key: str = KEY) -> dict[str, str]:
    stamp = str(int(at if at is not None else time.time()))
    secret = base64.b64decode(key)
    mark = base64.b64encode(
        hmac.new(secret, f"{message}.{stamp}.".encode() + raw, "sha256").digest()
    ).decode()
    named = {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mark}"}
    return named | {"Content-Type": "application/json"}


def _hook(daemon: Daemon, name: str, raw: bytes, headers: dict[str, str]) -> Answer:
    return daemon.tcp("POST", f"/hooks/{name}", raw, headers)


def test_a_named_hook_takes_standard_webhooks_signatures(daemon: Daemon) -> None:
    raw = b'{"status": "green"}'
    first = _hook(daemon, "deploys", raw, _signed(raw, "msg_1"))
    assert first.status == 202
    (row,) = [row for row in daemon.signals(source="hook") if row["id"] == first.json["signal"]]
    assert "deploys" in row["subject"] + row["kind"]
    again = _hook(daemon, "deploys", raw, _signed(raw, "msg_1"))
    assert (again.status, again.json) == (200, {"duplicate": True, "signal": first.json["signal"]})
    rotated = _signed(raw, "msg_2")
    rotated["webhook-signature"] = "v1,AAAA v2,xx " + rotated["webhook-signature"]
    assert _hook(daemon, "deploys", raw, rotated).status == 202, "one good signature of several is enough"


def test_a_named_hook_refuses_forged_stale_and_future_messages(daemon: Daemon) -> None:
    raw = b'{"status": "green"}'
    other = base64.b64encode(b"another secret").decode()
    assert _hook(daemon, "deploys", raw, _signed(raw, "msg_3", key=other)).status == 401
    assert _hook(daemon, "deploys", raw + b" ", _signed(raw, "msg_4")).status == 401
    for away in (-3600, 3600):
        assert _hook(daemon, "deploys", raw, _signed(raw, "msg_5", at=time.time() + away)).status == 401
    assert _hook(daemon, "deploys", raw, {"Content-Type": "application/json"}).status == 401


def test_a_named_hook_takes_a_bearer(daemon: Daemon) -> None:
    headers = {"Content-Type": "application/json"}
    good = _hook(daemon, "plain", b'{"text": "hi"}', headers | {"Authorization": "Bearer a-plain-token"})
    assert good.status == 202
    assert daemon.decision(good.json["signal"])["verdict"] != "act", "a hook is nobody's order"
    for wrong in ("Bearer a-plain-tokem", "Bearer ", "Basic a-plain-token", "a-plain-token"):
        assert _hook(daemon, "plain", b"{}", headers | {"Authorization": wrong}).status == 401, wrong
    foreign = headers | {"Authorization": "Bearer a-plain-token", "Host": "evil.example"}
    assert _hook(daemon, "plain", b"{}", foreign).status == 403


def test_a_disk_that_refuses_is_503_and_comes_back(hatch: Hatch) -> None:
    """Never a 202 for what is not kept; after space returns, so does the daemon, and nothing accepted is lost."""
    daemon = hatch(standard()).start()
    kept = [daemon.take("issues", opened(next(REPO), 1))]
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    try:
        refused = daemon.deliver("issues", opened(next(REPO), 1))
        assert refused.status == 503, refused.body
        assert int(refused.headers["retry-after"]) > 0
    finally:
        if daemon.running:
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)

    def accepted() -> str | None:
        answer = daemon.deliver("issues", opened(next(REPO), 1))
        assert answer.status in (202, 503), answer.body
        return answer.json["signal"] if answer.status == 202 else None

    kept.append(until(accepted, "deliveries are taken again", 60) or "")
    assert {row["id"] for row in daemon.signals(source="github")} >= set(kept)
    for signal_id in kept:
        daemon.decision(signal_id)
    until(lambda: daemon.status["health"] == "ok", "the trouble is over", 60)
    assert os.path.exists(daemon.socket) and daemon.clawctl("log", "--verify").code == 0


def test_slow_clients_do_not_keep_others_waiting(daemon: Daemon) -> None:
    """200 connections that say nothing more: health and control stay quick."""
    idle = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in range(200)]
    try:
        for line in idle:
            line.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n")
        began = time.monotonic()
        assert daemon.status["pid"] == daemon.pid
        assert time.monotonic() - began < 2
        assert daemon.deliver("issues", opened(next(REPO), 1)).status in (202, 503)
    finally:
        for line in idle:
            line.close()
    until(lambda: daemon.tcp("GET", "/healthz").status == 200, "healthy again")
