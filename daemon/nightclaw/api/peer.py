"""Who is on the other end of the control socket: the same user, and not a process the daemon itself started.

File modes keep other users out; this check holds even where a mode was loosened or a descriptor was handed on.
What we started (a shell command of a task, an MCP server) must not give orders to its own master, so descendants
are refused too: on Linux by walking the parents of the peer's pid.
"""

import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2  # <sys/un.h> of macOS and the BSDs
_XUCRED = struct.Struct("=IIh")  # cr_version, cr_uid, cr_ngroups; the groups follow
_WALK_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Peer:
    """`pid` None: not visible from here (another pid namespace). `refusal` None: may talk to us."""

    pid: int | None
    uid: int | None
    refusal: str | None = None


def credentials(sock: socket.socket) -> tuple[int | None, int]:
    """(pid, uid) of the process that connected, as the kernel saw it. Raises OSError."""
    if hasattr(socket, "SO_PEERCRED"):
        pid, uid, _ = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return (pid or None), uid
    _, uid, _ = _XUCRED.unpack_from(sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76))
    pid = int.from_bytes(sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4), sys.byteorder)
    return (pid or None), uid


def parent_of(pid: int, proc: Path = Path("/proc")) -> int:
    """The parent's pid, 0 at the root of the namespace. Raises OSError when there is no such process."""
    stat = (proc / str(pid) / "stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split()[1])  # the name before it may hold anything, also ")"


def descends_from(pid: int, ancestor: int, proc: Path = Path("/proc")) -> bool:
    """True when `ancestor` is among the parents of `pid`. Raises OSError when the chain cannot be read."""
    for _ in range(_WALK_LIMIT):
        pid = parent_of(pid, proc)
        if pid == ancestor:
            return True
        if pid <= 1:
            return False
    return True  # no honest chain is that long


def judge(sock: socket.socket) -> Peer:
    """The peer of a connected unix socket; what cannot be proven is refused."""
    try:
        pid, uid = credentials(sock)
    except OSError as error:
        return Peer(None, None, f"the peer cannot be identified: {error.strerror}")
    if uid != os.geteuid():
        return Peer(pid, uid, "the control socket serves the daemon's own user only")
    if pid is None or pid == os.getpid() or sys.platform != "linux":
        return Peer(pid, uid)
    for attempt in (1, 2, 3):
        try:
            refused = descends_from(pid, os.getpid())
        except OSError:
            if (
                attempt == 3
            ):  # a parent that ends under our eyes is read again; a peer that is gone needs no answer
                return Peer(pid, uid, "the peer's parents cannot be read")
        else:
            return Peer(pid, uid, "processes started by the daemon may not steer it" if refused else None)
    raise AssertionError("unreachable")
