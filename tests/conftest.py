"""What every test may rely on: asyncio under anyio, a clean environment, and no network but loopback."""

import ipaddress
import os
import socket
import sys

import pytest

OWNERS_ENVIRONMENT = (
    "NIGHTCLAW_",
    "ANTHROPIC_",
    "OPENAI_",
    "OLLAMA_",
    "GITHUB_",
    "GH_",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
)

ASKED_FOR = (
    "NIGHTCLAW_SMALL_MODEL",
    "NIGHTCLAW_ATTACKS",
    "NIGHTCLAW_KILLS",
)  # said on purpose by whoever runs the tests

for _name in [name for name in os.environ if name.startswith(OWNERS_ENVIRONMENT) and name not in ASKED_FOR]:
    del os.environ[_name]  # here and in every child process: no test may reach the owner's home or accounts


def _is_local(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(
            host.decode() if isinstance(host, bytes) else str(host).partition("%")[0]
        )
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _no_network(event: str, args: tuple[object, ...]) -> None:
    """Audit hook; child processes are on their honour."""
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise OSError(f"tests may not reach {address[0]}: the network is off")
    elif event == "socket.getaddrinfo" and not _is_local(args[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests may not look up {args[0]!r}: the network is off")


sys.addaudithook(_no_network)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
