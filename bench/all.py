"""Every number we hold ourselves to, beside its goal: what `make bench` runs.

    python bench/all.py [--quick] [install start idle status attach …]

Each benchmark is a command of its own under bench/ that prints `name value unit` a line. Machines are noisy: a missed
line is a reason to look, not a verdict, and the exit code is 0 as long as every benchmark ran.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
BENCHES: dict[str, list[str]] = {
    "install": [],
    "start": [],
    "idle": [],
    "status": [],
    "attach": [],
    "ingress": [],
    "storm": [],
    "decide": [],
    "files": [],
    "big_home": [],
    "day": [],
    "recall_speed": [],
    "dream": ["--seed", "1"],
    "lift": [],
    "agent": [],
}
QUICK: dict[str, list[str]] = {"ingress": ["1"], "files": ["1000"], "dream": []}  # what takes no --quick
GOALS: dict[str, tuple[str, float]] = {
    "install.packages": ("<=", 45),
    "install.size_with_bytecode": ("<=", 110),
    "start.cpu": ("<=", 0.7),
    "idle.pss": ("<=", 70),
    "idle.pss_all_routes": ("<=", 80),
    "idle.cpu": ("<=", 0.10),
    "idle.wakeups_main": ("<=", 2),
    "status.cpu": ("<=", 0.040),
    "attach.first_frame": ("<=", 0.15),
    "ingress.1.over_bare_insert": ("<=", 2.5),
    "ingress.32.rate": (">=", 2000),
    "ingress.32.p99": ("<=", 150),
    "storm.ack_p99": ("<=", 1000),
    "storm.lost": ("<=", 0),
    "storm.doubled": ("<=", 0),
    "storm.undecided": ("<=", 0),
    "storm.notes_twice": ("<=", 0),
    "decide.p95": ("<=", 50),
    "files_edit_beyond_quiet_max": ("<=", 150),
    "files_ready": ("<=", 2),
    "files_idle_cpu": ("<=", 0.10),
    "agent.hello": ("<=", 3000),
    "agent.triage": ("<=", 800),
    "agent.cached": (">=", 0.90),
    "agent.step_cpu": ("<=", 15),
    "agent.killed_over_whole": ("<=", 1.3),
    "day.disk": ("<=", 5),
    "day.idle_model_calls": ("<=", 0),
    "day.idle_tokens": ("<=", 0),
    "day.idle_notes": ("<=", 0),
    "recall_speed.10000.engine_p50": ("<=", 1),
    "recall_speed.100000.engine_p50": ("<=", 4),
    "recall_speed.1000000.engine_p50": ("<=", 30),
    "dream.duplicates_merged": (">=", 0.95),
    "dream.contradictions_resolved": (">=", 0.90),
    "dream.stale_retired": (">=", 0.90),
    "dream.facts_lost": ("<=", 0.02),
    "dream.dates_absolute": (">=", 1),
    "dream.provenance": (">=", 1),
    "dream.value_match": (">=", 0.98),
    "dream.no_loss_points": ("<=", 0.5),
    "dream.conflict_current": (">=", 1),
    "dream.conflict_history": (">=", 1),
    "dream.false_merges": ("<=", 0),
    "dream.idempotent_changes": ("<=", 0),
    "dream.junk_promoted": ("<=", 0),
    "dream.cost_ratio": ("<=", 1.10),
    "dream.nights30_lost": ("<=", 0),
}
# A number, what it is held against, and how much more it may be: as with an empty home.
RATIOS: dict[str, tuple[str, float]] = {
    "big_home.full.start_cpu": ("big_home.empty.start_cpu", 1.15),
    "big_home.full.status_cpu": ("big_home.empty.status_cpu", 1.15),
    "big_home.full.status_daemon_cpu": ("big_home.empty.status_daemon_cpu", 1.25),
    "big_home.full.ready_after_kill": ("big_home.empty.ready_after_kill", 1.25),
}
SLOPES: dict[str, tuple[str, float]] = {
    "big_home.full.anonymous": ("big_home.tenth.anonymous", 1.0),
}


def against(name: str, value: float, seen: dict[str, float]) -> str:
    """The goal of a number and whether it is met; empty where there is none."""
    if name in GOALS:
        sign, goal = GOALS[name]
        is_met = value <= goal if sign == "<=" else value >= goal
        return f"{sign} {goal:g}  {'met' if is_met else 'MISSED'}"
    if name in RATIOS and RATIOS[name][0] in seen:
        other, share = RATIOS[name]
        return (
            f"<= {share:g} x {other.split('.', 1)[1]}  {'met' if value <= share * seen[other] else 'MISSED'}"
        )
    if name in SLOPES and SLOPES[name][0] in seen:
        other, more = SLOPES[name]
        return f"<= {other.split('.', 1)[1]} + {more:g}  {'met' if value <= seen[other] + more else 'MISSED'}"
    return ""


def run(name: str, is_quick: bool, seen: dict[str, float]) -> bool:
    """Run one benchmark and show its lines as they come. False when it failed."""
    more = (QUICK.get(name, ["--quick"]) if is_quick else []) + BENCHES[name]
    child = subprocess.Popen(
        [sys.executable, HERE / f"{name}.py", *more], stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    )
    assert child.stdout is not None
    for line in child.stdout:
        words = line.split()
        try:
            seen[words[0]] = value = float(words[1])
        except (IndexError, ValueError):
            print(line, end="")
            continue
        print(
            f"{words[0]:<34} {words[1]:>10} {words[2]:<10} {against(words[0], value, seen)}".rstrip(),
            flush=True,
        )
    return child.wait() == 0


def main() -> int:
    is_quick = "--quick" in sys.argv[1:]
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")] or [*BENCHES]
    if unknown := [name for name in chosen if name not in BENCHES]:
        print(f"no benchmark {unknown[0]}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    seen: dict[str, float] = {}
    failed: list[str] = []
    for name in chosen:
        began = time.monotonic()
        print(f"== {name}", flush=True)
        if not run(name, is_quick, seen):
            failed.append(name)
        print(f"   took {time.monotonic() - began:.0f} s", flush=True)
    for name in failed:
        print(f"{name} did not run to its end", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
