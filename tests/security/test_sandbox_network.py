"""Whom hostile code can reach from inside the wall."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from tests.fakes.hostile import PYTHON, py, until
from tests.fakes.toolbox import House

from nightclaw.core.tools import Command, Sandbox

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls of Linux are tried on Linux"),
]


@contextmanager
def listeners(house: House) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Everything one could phone: (what was heard, where to phone)."""
    heard: list[str] = []
    name = f"nightclaw-test-{os.getpid()}"
    stream, datagram, local, abstract = (
        socket.socket(socket.AF_INET),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX),
    )
    with closing(stream), closing(datagram), closing(local), closing(abstract):
        stream.bind(("127.0.0.1", 0))
        datagram.bind(("127.0.0.1", 0))
        os.chdir(house.home / "run")  # a socket's path is short
        local.bind("control.sock")
        os.chdir("/")
        abstract.bind(f"\0{name}")
        for one in (stream, local, abstract):
            one.listen()
        stop = threading.Event()

        def listen(one: socket.socket, what: str) -> None:
            one.settimeout(0.1)
            while not stop.is_set():
                try:
                    if one is datagram:
                        heard.append(f"{what} {one.recv(100)!r}")
                    else:
                        one.accept()[0].close()
                        heard.append(what)
                except TimeoutError:
                    continue
                except OSError:
                    return

        names = ((stream, "tcp"), (datagram, "udp"), (local, "unix"), (abstract, "abstract"))
        threads = [threading.Thread(target=listen, args=pair) for pair in names]
        for thread in threads:
            thread.start()
        where = {"tcp": str(stream.getsockname()[1]), "udp": str(datagram.getsockname()[1]), "abstract": name}
        try:
            yield heard, where | {"unix": str(house.home / "run" / "control.sock")}
        finally:
            stop.set()
            for thread in threads:
                thread.join()


async def test_no_socket_leads_out(walled_house: House, wall: Sandbox) -> None:
    code = """
import json, os, socket, sys
w = json.loads(sys.argv[1])
def go(what, family, kind, address):
    try:
        s = socket.socket(family, kind); s.settimeout(2); s.connect(address); s.send(b'canary'); print('SENT', what)
    except OSError as e: print('no', what)
S, D = socket.SOCK_STREAM, socket.SOCK_DGRAM
go('tcp', socket.AF_INET, S, ('127.0.0.1', int(w['tcp'])))
go('tcp out', socket.AF_INET, S, ('192.0.2.1', 80))
go('udp out', socket.AF_INET, D, ('192.0.2.1', 53))
go('udp6 out', socket.AF_INET6, D, ('2001:db8::1', 53))
go('unix', socket.AF_UNIX, S, w['unix'])
go('abstract', socket.AF_UNIX, S, '\\0' + w['abstract'])
go('dbus', socket.AF_UNIX, S, '/run/dbus/system_bus_socket')
for what, family, kind in (('vsock', 40, S), ('packet', 17, socket.SOCK_RAW), ('alg', 38, 5), ('xdp', 44, 3),
                           ('bluetooth', 31, 3), ('can', 29, 3), ('tipc', 30, S), ('raw', 2, socket.SOCK_RAW)):
    try: socket.socket(family, kind); print('OPENED', what)
    except OSError: print('no', what)
s = socket.socket(socket.AF_INET, D); s.sendto(b'canary', ('127.0.0.1', int(w['udp'])))  # its own loopback
try: socket.getaddrinfo('example.com', 80); print('RESOLVED')
except OSError: print('no dns')
a, b = socket.socketpair(); l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()
socket.create_connection(l.getsockname(), 2); print('own loopback works')
"""
    with listeners(walled_house) as (heard, where):
        ran = await py(wall, walled_house, code, json.dumps(where))
        assert ran.exit_code == 0, ran.output
        assert "SENT" not in ran.output and "OPENED" not in ran.output and "RESOLVED" not in ran.output
        assert ran.output.endswith("own loopback works\n"), ran.output
        with socket.create_connection(("127.0.0.1", int(where["tcp"]))):
            pass
        assert await until(lambda: heard)
        assert [line.split()[0] for line in heard] == ["tcp"], "only what the test itself sent was heard"


async def test_an_approved_network_does_not_open_the_daemons_doors(
    walled_house: House, wall: Sandbox
) -> None:
    code = """
import json, socket, sys
w = json.loads(sys.argv[1])
for what, address in (('unix', w['unix']), ('abstract', '\\0' + w['abstract'])):
    try: s = socket.socket(socket.AF_UNIX); s.connect(address); print('SENT', what)
    except OSError: print('no', what)
socket.create_connection(('127.0.0.1', int(w['tcp'])), 5); print('network')
"""
    with listeners(walled_house) as (_, where):
        command = Command(
            (PYTHON, "-I", "-c", code, json.dumps(where)), walled_house.root, 20.0, network=True
        )
        ran = await wall.run(command, walled_house.workspace)
    wanted = "no unix\nno abstract\nnetwork\n"
    if getattr(wall, "landlock", 0) < 6:
        wanted = ran.output.replace(
            "SENT abstract", "no abstract"
        )  # only Landlock of Linux 6.12 holds these back
    assert ran.output == wanted
