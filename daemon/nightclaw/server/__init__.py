"""One HTTP server on two listeners: the control socket (unix) and the ingress (TCP), told apart by one dispatcher.

Guarantees. Nothing wakes while nothing happens. Headers, bodies and idle connections on TCP have deadlines and their
number is bounded, the longest waiting one making room for a new one. A peer of the control socket that may not steer
us gets 403. A taken port is a problem in status and is tried again, not the end of the daemon. Stopping is bounded:
streams end by the drain event, what is left after `stop_s` is cut.
"""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
from uvicorn.server import ServerState

from nightclaw.core.ports import Problems
from nightclaw.ingress import Receive, Scope, Send, respond
from nightclaw.server.connection import Connection, Limits, PeerOf
from nightclaw.server.sockets import BACKLOG, Address, address_of, bind_control, bind_ingress

__all__ = ["DEFAULTS", "Limits", "bind_control", "bind_ingress", "dispatch", "serve"]

DEFAULTS = Limits()
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def dispatch(control: App, ingress: App) -> App:
    """unix → control, if the peer may; TCP → ingress. `scope["state"]["peer"]` of a control request is its Peer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["server"] is None or scope["server"][1] is not None:
            await ingress(scope, receive, send)
            return
        refusal = scope["state"]["peer"].refusal
        if refusal is None:
            await control(scope, receive, send)
            return
        error = {"code": "forbidden", "message": refusal, "hint": "run clawctl as the daemon's own user"}
        await respond(send, 403, {"error": error}, {"connection": "close"})

    return app


class _Server:
    """The listeners and their connections. uvicorn's own Server is not used: it wakes ten times a second, takes the
    signals, and dies of them."""

    def __init__(self, app: App, limits: Limits, peer_of: PeerOf) -> None:
        self.limits = limits
        self.peer_of = peer_of
        self._guests: dict[Connection, None] = {}  # on TCP, oldest first
        self._empty = asyncio.Event()
        self._most = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._listeners: list[asyncio.Server] = []
        self._state = ServerState()
        self._config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            access_log=False,
            log_config=None,
            log_level="error",
        )
        self._config.load()

    def enter(self, guest: Connection) -> bool:
        if len(self._guests) >= self._most:
            oldest = next((g for g in self._guests if g.is_waiting), None)
            if oldest is None:
                return False
            del self._guests[oldest]
            oldest.transport.abort()
        self._guests[guest] = None
        return True

    def leave(self, gone: Connection) -> None:
        self._guests.pop(gone, None)
        if not self._state.connections:
            self._empty.set()

    async def listen(self, sock: socket.socket) -> None:
        def connection() -> asyncio.Protocol:
            return Connection(self, self._config, self._state)

        loop = asyncio.get_running_loop()
        self._listeners.append(await loop.create_server(connection, sock=sock, backlog=BACKLOG))

    async def close(self, drain: asyncio.Event) -> None:
        """Refuse new connections, end streams, let answers finish for `stop_s`, cut the rest."""
        for listener in self._listeners:
            listener.close()
        drain.set()
        connections, tasks = self._state.connections, self._state.tasks
        for connection in list(connections):
            connection.shutdown()
        self._empty.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.stop_s):
                if connections:
                    await self._empty.wait()
                if tasks:
                    await asyncio.wait(list(tasks))
        for task in list(tasks):
            task.cancel()
        for connection in list(connections):
            connection.transport.abort()
        if tasks:
            await asyncio.wait(list(tasks), timeout=1)


class _Ingress:
    """The TCP listener, which may come later than the rest; `note` is the file that says where it is."""

    def __init__(
        self,
        server: _Server,
        listen: Address | None,
        note: Path,
        problems: Problems,
        on_ingress: Callable[[str | None], object],
    ) -> None:
        self._server = server
        self._listen = listen
        self._note = note
        self._problems = problems
        self._on_ingress = on_ingress
        note.unlink(missing_ok=True)

    async def open(self) -> bool:
        """False when the address cannot be had now; the problem is told."""
        try:
            sock = bind_ingress(self._listen)
        except OSError as error:
            why = error.strerror or str(error)
            hint = "stop what holds the port or set another [ingress] listen; it is tried again by itself"
            self._problems.set("ingress", f"cannot listen on {self._listen}: {why}", hint)
            return False
        self._problems.set("ingress", None)
        if sock is not None:
            await self._server.listen(sock)
            fresh = self._note.with_suffix(".new")
            fresh.write_text(address_of(sock))
            fresh.replace(self._note)
            self._on_ingress(address_of(sock))
        return True

    async def keep_trying(self) -> None:
        is_open = False
        while not is_open:
            await asyncio.sleep(self._server.limits.retry_s)
            is_open = await self.open()

    def withdraw(self) -> None:
        self._note.unlink(missing_ok=True)
        self._on_ingress(None)


async def serve(
    control_app: App,
    ingress_app: App,
    control_sock: socket.socket,
    ingress_listen: Address | None,
    problems: Problems,
    stop: asyncio.Event,
    drain: asyncio.Event,
    on_ready: Callable[[], object],
    *,
    peer_of: PeerOf,
    on_ingress: Callable[[str | None], object] = lambda address: None,
    limits: Limits = DEFAULTS,
) -> None:
    """Serve until `stop` is set, then drain and return; both sockets and their files are gone after it.

    `on_ready` is called once when both listeners stand, or the ingress's port proved to be taken; `on_ingress`
    with the real host:port each time the ingress begins to listen, and with None when it ends.
    """
    path = Path(control_sock.getsockname())
    inode = path.stat().st_ino
    server = _Server(dispatch(control_app, ingress_app), limits, peer_of)
    ingress = _Ingress(server, ingress_listen, path.parent / "ingress.addr", problems, on_ingress)
    retry: asyncio.Task[None] | None = None
    try:
        await server.listen(control_sock)
        if not await ingress.open():
            retry = asyncio.create_task(ingress.keep_trying(), name="ingress-retry")
        on_ready()
        await stop.wait()
    finally:
        if retry is not None:
            retry.cancel()
        ingress.withdraw()
        with contextlib.suppress(OSError):
            if path.stat().st_ino == inode:  # another daemon's socket is not ours to remove
                path.unlink()
        await server.close(drain)
