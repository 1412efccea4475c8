"""`/metrics`: Prometheus text by hand. Counters begin when this process did; a scrape counts only what is new."""

import asyncio
import os
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from nightclaw.api.ports import Control
from nightclaw.store import tallies
from nightclaw.store.tallies import EventTally

DAY_MS = 24 * 3600 * 1000


class Metrics:
    def __init__(self, control: Control) -> None:
        self._control = control
        self._tally = EventTally(control.store.head.cursor)
        self._counting = asyncio.Lock()

    async def text(self) -> str:
        """One scrape. Raises StoreError."""
        control = self._control
        tally = self._tally
        async with self._counting:
            while await control.store.read(tallies.count_on, tally):
                pass
        now = control.clock.now_ms()
        pending = await control.store.read(tallies.signals_pending)
        tasks = await control.store.read(tallies.task_counts)
        asked = await control.store.read(tallies.approvals_pending)
        notes = await control.store.read(tallies.notifications_since, now - DAY_MS)
        lines: list[str] = []
        gauge, counter = "gauge", "counter"
        _put(lines, "nightclaw_up", gauge, "1 while the daemon answers", [({}, 1)])
        _put(lines, "nightclaw_info", gauge, "the version that runs", [({"version": control.version}, 1)])
        _put(
            lines,
            "nightclaw_uptime_seconds",
            gauge,
            "since the start",
            [({}, (now - control.started_at) / 1000)],
        )
        _put(
            lines,
            "nightclaw_paused",
            gauge,
            "1 while proactive work is paused",
            [({}, int(control.is_paused()))],
        )
        _put(lines, "nightclaw_problems", gauge, "parts that are not well", [({}, len(control.problems()))])
        _put(lines, "nightclaw_signals", gauge, "signals by state", [({"state": "pending"}, pending)])
        _put(lines, "nightclaw_signals_total", counter, "signals taken in", _by("source", tally.signals))
        _put(lines, "nightclaw_decisions_total", counter, "decisions made", _by("verdict", tally.decisions))
        _put(lines, "nightclaw_events_total", counter, "events by kind", _by("kind", tally.kinds))
        open_tasks = {state: int(tasks[state]) for state in ("ready", "running", "parked")}
        _put(lines, "nightclaw_tasks", gauge, "tasks by state", _by("state", open_tasks))
        _put(lines, "nightclaw_approvals_pending", gauge, "questions that wait for the owner", [({}, asked)])
        _put(
            lines,
            "nightclaw_notifications_day",
            gauge,
            "notes of the last 24 h by state",
            _by("state", notes),
        )
        _put(
            lines, "nightclaw_write_queue_depth", gauge, "writes that wait", [({}, control.store.queue_depth)]
        )
        _put(
            lines, "nightclaw_event_head", gauge, "the newest event cursor", [({}, control.store.head.cursor)]
        )
        _put(lines, "nightclaw_followers", gauge, "clients on the event stream", [({}, len(control.frames))])
        ages = [({"loop": name}, age) for name, age in control.loops().items()]
        _put(lines, "nightclaw_loop_age_seconds", gauge, "since a loop beat last", ages)
        _put(lines, "process_cpu_seconds_total", counter, "CPU time", [({}, time.process_time())])
        _put(lines, "process_resident_memory_bytes", gauge, "resident memory", [({}, resident_bytes())])
        return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """Resident memory now on Linux, its peak elsewhere."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _by(label: str, counts: Mapping[str, int]) -> list[tuple[dict[str, str], float]]:
    return [({label: key}, counts[key]) for key in sorted(counts)]


def _put(
    lines: list[str], name: str, kind: str, what: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> None:
    lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        pairs = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items())
        lines.append(f"{name}{{{pairs}}} {value:.10g}" if pairs else f"{name} {value:.10g}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
