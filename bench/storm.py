"""A storm of webhooks across a kill: 10,000 deliveries on 200 connections, shuffled, a fifth of them sent twice.

    python bench/storm.py [--quick]

The daemon is killed -9 in the middle. Whoever got no answer sends again, as GitHub's redelivery does. Afterwards every
delivery that was answered with a 2xx must be one row, and every row must have been decided once.
"""

import asyncio
import json
import random
import sqlite3
import time

from house import House, github_headers, house, is_quick, percentile, say

DELIVERIES = 1_000 if is_quick() else 10_000
CONNECTIONS = 50 if is_quick() else 200
SUBJECTS = 300


def body(number: int) -> bytes:
    """A comment on one of a few hundred issues, so that many belong to the same subject."""
    user = {"login": "mallory", "id": 2, "type": "User"}
    issue = {"node_id": f"I_{number % SUBJECTS}", "number": number % SUBJECTS, "title": "Bug", "user": user,
             "state": "open", "created_at": "2026-11-20T06:54:00Z"}  # fmt: skip
    comment = {"id": number, "node_id": f"IC_{number}", "body": "It fails here too. " * 100, "user": user,
               "created_at": "2026-11-20T06:54:00Z", "updated_at": "2026-11-20T06:54:00Z"}  # fmt: skip
    repository = {"full_name": f"octo/app{number % 50}", "private": False, "default_branch": "main"}
    made = {"action": "created", "issue": issue, "comment": comment, "repository": repository, "sender": user}
    return json.dumps(made).encode()


def request(number: int) -> bytes:
    raw = body(number)
    fields = {
        "Host": "localhost",
        "Content-Length": str(len(raw)),
        **github_headers("issue_comment", raw, f"storm-{number}"),
    }
    return (
        b"POST /hooks/github HTTP/1.1\r\n"
        + "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode()
        + b"\r\n"
        + raw
    )


class Storm:
    """What is still to be sent, and what was answered."""

    def __init__(self, made: House) -> None:
        self.made = made
        numbers = [*range(DELIVERIES), *random.sample(range(DELIVERIES), DELIVERIES // 5)]
        random.shuffle(numbers)
        self.waiting = numbers
        self.kept: dict[int, str] = {}
        self.answers: dict[int, int] = {}
        self.took: list[float] = []
        self.resent = 0
        self.up = asyncio.Event()
        self.up.set()
        self.half = asyncio.Event()

    async def client(self) -> None:
        reader = writer = None
        while self.waiting:
            number = self.waiting.pop()
            try:
                if reader is None or writer is None:
                    await self.up.wait()
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.made.port)
                began = time.perf_counter()
                writer.write(request(number))
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                answer = json.loads(await reader.readexactly(length))
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self.waiting.append(number)
                self.resent += 1
                reader = writer = None
                await asyncio.sleep(0.05)
                continue
            status = int(head.split()[1])
            self.answers[status] = self.answers.get(status, 0) + 1
            if status in (200, 202):
                self.took.append(time.perf_counter() - began)
                first = self.kept.setdefault(number, answer["signal"])
                assert first == answer["signal"], "two signals of one delivery"
                if len(self.kept) >= DELIVERIES // 2:
                    self.half.set()
            else:
                self.waiting.append(number)
                await asyncio.sleep(0.2)
        if writer is not None:
            writer.close()

    async def rage(self) -> float:
        """Send everything; seconds from the kill to ready again."""
        clients = [asyncio.create_task(self.client()) for _ in range(CONNECTIONS)]
        await self.half.wait()
        self.up.clear()
        self.made.kill9()
        back = await asyncio.to_thread(self.made.start)
        self.up.set()
        await asyncio.gather(*clients)
        return back


def main() -> None:
    random.seed(20261120)
    with house() as made:
        made.start()
        storm = Storm(made)
        began = time.perf_counter()
        back = asyncio.run(storm.rage())
        took = time.perf_counter() - began
        say("storm.answered", sum(storm.answers.values()), "answers")
        say("storm.rate", len(storm.took) / took, "acks/s")
        say("storm.ack_p50", percentile(storm.took, 0.5) * 1000, "ms")
        say("storm.ack_p99", percentile(storm.took, 0.99) * 1000, "ms")
        say("storm.refused_busy", storm.answers.get(503, 0), "answers")
        say("storm.sent_again", storm.resent, "deliveries")
        say("storm.ready_after_kill", back, "s")
        made.settle(300)
        say("storm.decided_after", time.perf_counter() - began, "s")
        say("storm.memory_after", made.memory()[1], "MB")
        made.stop()
        judge(made, storm)


def judge(made: House, storm: Storm) -> None:
    rows = sqlite3.connect(f"file:{made.home / 'nightclaw.db'}?mode=ro", uri=True)
    held = dict(rows.execute("SELECT id, dedupe_key FROM signal WHERE source = 'github'").fetchall())
    decided = rows.execute(
        "SELECT count(*) FROM signal WHERE source = 'github' AND decision_id IS NOT NULL"
    ).fetchone()[0]
    twice = rows.execute(
        "SELECT count(*) FROM (SELECT dedupe_key FROM notification GROUP BY dedupe_key HAVING count(*) > 1)"
    ).fetchone()[0]
    decisions = rows.execute("SELECT count(*) FROM decision").fetchone()[0]
    rows.close()
    say("storm.lost", sum(signal not in held for signal in storm.kept.values()), "signals")
    say("storm.doubled", len(held) - len(set(held.values())) + len(held) - len(storm.kept), "signals")
    say("storm.undecided", len(held) - decided, "signals")
    say("storm.notes_twice", twice, "notes")
    say("storm.decisions", decisions, "decisions")


if __name__ == "__main__":
    main()
