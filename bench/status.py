"""What one `clawctl status` costs, interpreter and all, asked of a live daemon.

python bench/status.py [--quick]
"""

import sys

from house import BIN, child_cpu, house, is_quick, median, say


def main() -> None:
    with house() as made:
        made.start()
        runs = 5 if is_quick() else 20
        child_cpu([BIN / "clawctl", "status"], made.env)
        say(
            "status.cpu", median([child_cpu([BIN / "clawctl", "status"], made.env) for _ in range(runs)]), "s"
        )
        bare = [child_cpu([sys.executable, "-c", "pass"], made.env) for _ in range(runs)]
        say("status.bare_python_cpu", median(bare), "s")
        made.ask("GET", "/v1/status")
        before = made.cpu()
        for _ in range(50):
            made.ask("GET", "/v1/status")
        say("status.daemon_cpu", (made.cpu() - before) / 50 * 1000, "ms")


if __name__ == "__main__":
    main()
