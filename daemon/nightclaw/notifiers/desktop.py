"""`desktop://`: a note on this machine's own screen, by notify-send (Linux) or osascript (macOS)."""

import asyncio
import contextlib
import html
import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from nightclaw.core.errors import DeliveryError
from nightclaw.core.ports import Note
from nightclaw.core.types import JSON

DEADLINE_S = 10.0
# all that the two programs need to find the owner's desktop; nothing else of our environment reaches them
_ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
_BUS = "DBUS_SESSION_BUS_ADDRESS"
_SCRIPT = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "DesktopNotifier":
    """deps may hold "environ" (Mapping[str, str]); default: the process's own."""
    environ = deps.get("environ", os.environ)
    assert isinstance(environ, Mapping)
    return DesktopNotifier({str(k): str(v) for k, v in environ.items()}, sys.platform)


def arguments(platform: str, note: Note) -> list[str]:
    """The command line, never a shell's. notify-send reads its text as markup, so it is escaped."""
    if platform == "darwin":
        lines = [part for line in _SCRIPT for part in ("-e", line)]
        return ["osascript", *lines, note.title, note.body]
    return ["notify-send", "--app-name=Nightclaw", "--", note.title, html.escape(note.body, quote=False)]


class DesktopNotifier:
    """core.ports.Notifier for the local screen."""

    name = "desktop://"

    def __init__(self, environ: Mapping[str, str], platform: str) -> None:
        self._environ = {k: environ[k] for k in (*_ENVIRONMENT, _BUS) if k in environ}
        self._platform = platform

    async def deliver(self, note: Note) -> None:
        argv = arguments(self._platform, note)
        program = shutil.which(argv[0], path=self._environ.get("PATH"))
        if program is None:
            raise DeliveryError(f"{argv[0]} is not on this machine", _remedy(self._platform), permanent=True)
        code, said = await self._run([program, *argv[1:]])
        if code != 0:
            hint = "" if self._platform == "darwin" or _BUS in self._environ else f"; {_BUS} is not set"
            raise DeliveryError(
                f"{argv[0]} failed: {said or f'exit code {code}'}", f"is a desktop session open?{hint}"
            )

    async def _run(self, argv: Sequence[str]) -> tuple[int, str]:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self._environ),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                _, stderr = await child.communicate()
        except TimeoutError:
            raise DeliveryError(f"{argv[0]} did not end within {DEADLINE_S:.0f} s", uncertain=True) from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return child.returncode or 0, " ".join(stderr.decode(errors="replace").split())[:200]


def _remedy(platform: str) -> str:
    if platform == "darwin":
        return "osascript belongs to macOS: is /usr/bin on the PATH?"
    return "install it: apt install libnotify-bin, or dnf install libnotify"
