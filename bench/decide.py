"""From a signal to its decision, beyond the quiet window its subject is given: rules only, one at a time and many.

python bench/decide.py [--quick]
"""

import json
import sqlite3
import time

from house import House, house, is_quick, percentile, say


def opened(number: int) -> bytes:
    user = {"login": "mallory", "id": 2, "type": "User"}
    issue = {"node_id": f"I_{number}", "number": number, "title": f"Bug {number}", "user": user, "state": "open",
             "created_at": "2026-11-20T06:54:00Z", "updated_at": "2026-11-20T06:54:00Z",
             "body": "It fails. " * 900}  # fmt: skip
    repository = {"full_name": f"octo/app{number % 50}", "private": False, "default_branch": "main"}
    return json.dumps({"action": "opened", "issue": issue, "repository": repository, "sender": user}).encode()


def late(made: House) -> list[float]:
    """ms from the end of each signal's quiet window to its decision's commit."""
    rows = sqlite3.connect(f"file:{made.home / 'nightclaw.db'}?mode=ro", uri=True)
    found = rows.execute(
        "SELECT d.created_at - s.ready_at FROM signal s JOIN decision d ON d.id = s.decision_id"
        " WHERE s.source = 'github'"
    ).fetchall()
    rows.close()
    return [float(row[0]) for row in found]


def main() -> None:
    alone, burst = (10, 100) if is_quick() else (60, 1000)
    with house() as made:
        made.start()
        for n in range(alone):
            made.deliver("issues", opened(n), f"alone-{n}")
            time.sleep(0.1)
        made.settle()
        took = late(made)
        say("decide.p50", percentile(took, 0.5), "ms")
        say("decide.p95", percentile(took, 0.95), "ms")
    with house() as made:
        made.start()
        for n in range(burst):
            made.deliver("issues", opened(n), f"burst-{n}")
        made.settle()
        say("decide.burst_p95", percentile(late(made), 0.95), "ms")


if __name__ == "__main__":
    main()
