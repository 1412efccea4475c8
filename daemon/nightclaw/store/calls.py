"""Tool calls as rows: requested with their step, settled one by one, so that a crash knows exactly where it was.

States: requested → denied | waiting → approved → running → ok | error | unknown (the table of core.states).
"""

import json
import zlib
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from nightclaw.core.ids import new_id
from nightclaw.core.states import CallState, before
from nightclaw.core.types import JSON, JSONObject
from nightclaw.store import events
from nightclaw.store.schema import step, tool_call

SETTLED = (CallState.OK, CallState.ERROR, CallState.DENIED, CallState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Call:
    """use_id: the model's own id of the call. result: what it is told, None until it is settled."""

    id: str
    step_id: str
    task_id: str
    n: int
    use_id: str
    tool: str
    args: JSONObject
    digest: str
    state: CallState
    redo: str
    approval_id: str | None
    result: str | None
    started_at: int | None
    matcher: str | None

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED


def _call(row: Row[tuple[object, ...]]) -> Call:
    r = row._mapping
    return Call(
        id=r["id"],
        step_id=r["step_id"],
        task_id=r["task_id"],
        n=r["n"],
        use_id=r["use_id"],
        tool=r["tool"],
        args=json.loads(r["args"]),
        digest=r["digest"],
        state=CallState(r["state"]),
        redo=r["redo"],
        approval_id=r["approval_id"],
        result=zlib.decompress(r["result"]).decode() if r["result"] is not None else None,
        started_at=r["started_at"],
        matcher=r["matcher"],
    )


def request(conn: Connection, step_id: str, task_id: str, uses: list[JSONObject], now: int) -> list[str]:
    """One row for each tool_use block of a saved step, in their order; their ids."""
    made: list[str] = []
    for n, use in enumerate(uses, 1):
        call_id = new_id("cal", now)
        given = use.get("input")
        conn.execute(
            insert(tool_call).values(
                id=call_id,
                step_id=step_id,
                task_id=task_id,
                n=n,
                use_id=str(use.get("id", "")),
                tool=str(use.get("name", "")),
                args=events.dumps(given if isinstance(given, dict) else {}),
                state=str(CallState.REQUESTED),
            )
        )
        made.append(call_id)
    return made


def get(conn: Connection, call_id: str) -> Call | None:
    row = conn.execute(select(tool_call).where(tool_call.c.id == call_id)).first()
    return _call(row) if row else None


def of_step(conn: Connection, step_id: str) -> list[Call]:
    rows = conn.execute(select(tool_call).where(tool_call.c.step_id == step_id).order_by(tool_call.c.n))
    return [_call(r) for r in rows]


def of_last_step(conn: Connection, task_id: str) -> list[Call]:
    """The calls of a task's newest step, in order; [] when it made none."""
    newest = (
        select(step.c.id)
        .where(step.c.task_id == task_id)
        .order_by(step.c.created_at.desc(), step.c.n.desc(), step.c.id.desc())
        .limit(1)
    )
    step_id = conn.execute(newest).scalar()
    return of_step(conn, str(step_id)) if step_id is not None else []


def move(conn: Connection, call_id: str, wanted: CallState, **values: object) -> bool:
    """A guarded change of state; True when it landed."""
    return (
        conn.execute(
            update(tool_call)
            .where(tool_call.c.id == call_id, tool_call.c.state.in_(before(wanted)))
            .values(state=str(wanted), **values)
        ).rowcount
        == 1
    )


def note(conn: Connection, call_id: str, *, digest: str, level: int, rule: str, matcher: str | None) -> None:
    """What the gate saw, whatever it said: the audit row of a call. matcher: what `always` would allow."""
    conn.execute(
        update(tool_call)
        .where(tool_call.c.id == call_id)
        .values(digest=digest, level=level, rule=rule, matcher=matcher)
    )


def settle(
    conn: Connection, call: Call, wanted: CallState, text: str, object_ids: tuple[str, ...], now: int
) -> bool:
    """Write what the model will be told; False when the call was settled before."""
    return move(
        conn,
        call.id,
        wanted,
        result=zlib.compress(text.encode("utf-8", "replace"), 6),
        object_ids=events.dumps(list(object_ids)),
        ended_at=now,
    )


def cut(conn: Connection, call: Call, text: str, now: int) -> None:
    """End an open call where it stands, whatever it waited for."""
    conn.execute(
        update(tool_call)
        .where(tool_call.c.id == call.id, tool_call.c.state.notin_([str(s) for s in SETTLED]))
        .values(state=str(CallState.ERROR), result=zlib.compress(text.encode()), ended_at=now)
    )


def trail(conn: Connection, task_id: str, limit: int) -> list[tuple[str, str]]:
    """(tool, args) of a task's newest calls, newest first: for seeing repetition."""
    rows = conn.execute(
        select(tool_call.c.tool, tool_call.c.args)
        .where(tool_call.c.task_id == task_id)
        .order_by(tool_call.c.id.desc())
        .limit(limit)
    )
    return [(str(r.tool), str(r.args)) for r in rows]


def results(calls: list[Call]) -> list[JSONObject]:
    """The tool_result blocks for settled calls, in their order: exactly one for each tool_use."""
    blocks: list[JSONObject] = []
    for call in calls:
        block: dict[str, JSON] = {
            "type": "tool_result",
            "tool_use_id": call.use_id,
            "content": call.result or "(no output)",
        }
        if call.state is not CallState.OK:
            block["is_error"] = True
        blocks.append(block)
    return blocks
