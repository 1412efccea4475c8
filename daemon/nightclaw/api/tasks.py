"""Tasks: what is being done and was done; ordering, cancelling and trying again."""

from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from nightclaw.api.answers import answer
from nightclaw.api.bodies import After, Body, Id, Limit, LongText, Word
from nightclaw.api.chat import Name
from nightclaw.api.ports import Control, TaskOrder
from nightclaw.core.states import TaskState
from nightclaw.protocol.messages import LIST_DEFAULT
from nightclaw.store import lists


class Order(Body):
    goal: LongText
    subject: Word | None = None
    session: Name | None = None
    repo: Word | None = None
    key: Word | None = None


def add(app: FastAPI, control: Control) -> None:
    @app.get("/v1/tasks")
    async def listed(
        limit: Limit = LIST_DEFAULT,
        after: After = None,
        state: TaskState | None = None,
        session: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """What is being done and was done, newest first."""
        return answer(await control.store.read(lists.tasks, after, limit, state, session))

    @app.post("/v1/tasks", status_code=202)
    async def create(order: Order) -> Response:
        """Have something done."""
        control.presence.touch(control.clock.now_ms())
        task_id = await control.create_task(
            TaskOrder(order.goal, order.subject, order.session, order.repo, order.key)
        )
        return answer(await control.store.read(lists.task_by_id, task_id), 202)

    @app.get("/v1/tasks/{task_id}")
    async def one(task_id: Id) -> Response:
        """A task with its runs, questions and unread messages."""
        return answer(await control.store.read(lists.task_in_full, task_id))

    @app.post("/v1/tasks/{task_id}/cancel")
    async def cancel(task_id: Id) -> Response:
        """Stop a task for good. A running one ends within moments; its open questions are withdrawn."""
        control.presence.touch(control.clock.now_ms())
        await control.store.read(lists.task_by_id, task_id)
        await control.cancel_task(task_id)
        return answer(await control.store.read(lists.task_by_id, task_id))

    @app.post("/v1/tasks/{task_id}/retry", status_code=202)
    async def retry(task_id: Id) -> Response:
        """Try an ended task again, as a new task with this one as its parent."""
        control.presence.touch(control.clock.now_ms())
        await control.store.read(lists.task_by_id, task_id)
        new_id = await control.retry_task(task_id)
        return answer(await control.store.read(lists.task_by_id, new_id), 202)
