"""The two sockets the daemon listens on, bound with the modes and options they must have from the first moment."""

import contextlib
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Protocol

from nightclaw.core.errors import ConfigError, Fault

BACKLOG = 1024
PATH_LIMIT = 103 if sys.platform == "darwin" else 107  # bytes of sun_path without its final zero


class Address(Protocol):
    """Where the ingress listens; port 0 is any free one."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def bind_control(home: Path) -> socket.socket:
    """Bind `run/control.sock` in `home`, mode 0600 in a directory of 0700. The caller holds the lock of the home.

    A socket left by a dead daemon is removed; anything else in its place is not ours to remove. Raises ConfigError.
    """
    path = home / "run" / "control.sock"
    length = len(os.fsencode(path))
    if length > PATH_LIMIT:
        problem = (
            f"the path of the control socket is {length} bytes long, this system takes {PATH_LIMIT}: {path}"
        )
        raise ConfigError([Fault("NIGHTCLAW_HOME", 0, "", problem, "use a home with a shorter path")])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(
                [Fault(str(path), 0, "", "something that is no socket is in its place", "move it away")]
            )
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


def bind_ingress(listen: Address | None) -> socket.socket | None:
    """Bind the TCP listener, None when it is off. Raises OSError (a taken port, an address that is not here)."""
    if listen is None:
        return None
    host = "127.0.0.1" if listen.host in ("localhost", "") else listen.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # IPPROTO_TCP, not 0: asyncio turns Nagle off only then, and Nagle costs 40 ms a request
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.bind((host, listen.port))
        sock.listen(BACKLOG)  # here and not later: until then two sockets may hold one port
    except OSError:
        sock.close()
        raise
    return sock


def address_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
