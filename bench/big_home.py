"""A home with a million signals against an empty one: start, `status`, memory, and ready again after kill -9.

python bench/big_home.py [--quick]     (--quick: 100,000)
"""

import os
import sqlite3
import time
from pathlib import Path

from house import BIN, House, child_cpu, house, is_quick, median, say

ROWS = 100_000 if is_quick() else 1_000_000
SETTLE_S = 3.0 if is_quick() else 10.0
WORDS = "'A title of the usual length, as issues have them'"
FILL = (
    """WITH RECURSIVE c(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM c WHERE n < :last)
    INSERT INTO decision (id, verdict, reason, rule, floor, cap, policy_version, presence, created_at)
    SELECT printf('dec_%026d', n), 'record', 'r', 'default:record', 'record', 'record', 'v', 'away', :start + n * 6000
    FROM c""",
    f"""WITH RECURSIVE c(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM c WHERE n < :last)
    INSERT INTO signal (id, source, kind, subject, dedupe_key, title, trust, attrs, payload, created_at, ready_at,
                        decision_id)
    SELECT printf('sig_%026d', n), CASE n % 9 WHEN 0 THEN 'tick' ELSE 'github' END, 'issues.opened',
           'octo/app' || (n % 50) || '#' || n, 'issues.opened:I_' || n, {WORDS}, 'WORLD',
           json_object('number', n, 'action', 'opened'), randomblob(200), :start + n * 6000, :start + n * 6000,
           printf('dec_%026d', n) FROM c""",
    """WITH RECURSIVE c(n) AS (SELECT :first * 2 - 1 UNION ALL SELECT n + 1 FROM c WHERE n < :last * 2)
    INSERT INTO event (kind, at, data) SELECT CASE n % 2 WHEN 0 THEN 'signal.received' ELSE 'decision.made' END,
           :start + n * 3000, json_object('signal', printf('sig_%026d', n / 2), 'source', 'github') FROM c""",
    """INSERT INTO notification (id, title, body, dedupe_key, kind, subject, state, due_at, created_at)
    SELECT replace(id, 'sig', 'ntf'), 't', 'b', id, 'ci', 's', 'sent', created_at, created_at
    FROM signal
    WHERE rowid % 100 = 0 AND id >= printf('sig_%026d', :first) AND id <= printf('sig_%026d', :last)""",
)  # fmt: skip


def fill(path: Path, first: int, last: int) -> None:
    """Put the signals from `first` to `last` into the store, decided and told; the newest is of just now."""
    rows = sqlite3.connect(path, isolation_level=None)
    rows.execute("PRAGMA synchronous = OFF")
    rows.execute("BEGIN")
    start = int(time.time() * 1000) - (ROWS * 2 + 10) * 3_000
    for statement in FILL:
        named = {"first": first, "last": last, "start": start}
        rows.execute(statement, {name: value for name, value in named.items() if f":{name}" in statement})
    rows.execute("COMMIT")
    rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows.close()


def measure(made: House, name: str) -> None:
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range(3):
        walls.append(made.start())
        cpus.append(made.cpu())
        made.stop()
    say(f"{name}.start_cpu", median(cpus), "s")
    say(f"{name}.start_wall", median(walls), "s")
    made.start()
    time.sleep(SETTLE_S)
    say(f"{name}.anonymous", made.memory()[1], "MB")
    child_cpu([BIN / "clawctl", "status"], made.env)
    before = made.cpu()
    took = [child_cpu([BIN / "clawctl", "status"], made.env) for _ in range(10)]
    say(f"{name}.status_cpu", median(took), "s")
    say(f"{name}.status_daemon_cpu", (made.cpu() - before) * 100, "ms")
    walls = []
    for _ in range(3):
        made.kill9()
        walls.append(made.start())
    say(f"{name}.ready_after_kill", median(walls), "s")
    made.stop()
    say(f"{name}.database", os.stat(made.home / "nightclaw.db").st_size / 1e6, "MB")


def main() -> None:
    with house() as made:
        made.start()
        made.stop()
        measure(made, "big_home.empty")
        fill(made.home / "nightclaw.db", 1, ROWS // 10)
        say("big_home.tenth.anonymous", caught_up(made), "MB")  # here the page caches are full
        began = time.perf_counter()
        fill(made.home / "nightclaw.db", ROWS // 10 + 1, ROWS)
        say("big_home.filled_in", time.perf_counter() - began, "s")
        caught_up(made)
        measure(made, "big_home.full")


def caught_up(made: House) -> float:
    """Start, let the log catch up with what it never saw, and stop; MB after a second start."""
    made.start()
    logged(made)
    made.stop()
    made.start()
    time.sleep(SETTLE_S)
    anonymous = made.memory()[1]
    made.stop()
    return anonymous


def logged(made: House) -> None:
    """Wait until the daemon is idle again."""
    while True:
        used = made.cpu()
        time.sleep(3)
        if made.cpu() - used < 0.05:
            return


if __name__ == "__main__":
    main()
