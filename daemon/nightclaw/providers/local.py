"""Kind `local`: a model file (GGUF) on this machine, without any service to install.

It runs in a child process of ours (llama.cpp through the optional package xllamacpp) that listens on loopback and
speaks chat completions. The child starts at the first request, ends when its standard input does, so it cannot outlive
the daemon, and after IDLE_S without a request, so an idle daemon is small again. It gets no keys: only the environment
a program needs to run.
"""

import asyncio
import importlib.util
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

from nightclaw.core.errors import Invalid, ProviderError
from nightclaw.core.ports import Clock, ModelRequest
from nightclaw.core.types import JSON
from nightclaw.providers.openai import OpenAI
from nightclaw.providers.wire import LOCAL, Deadlines, Parts

START_S = 180.0
STOP_S = 5.0
IDLE_S = 600.0
LARGEST_CONTEXT = 32 * 1024
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
IS_WHOLE = "is the file a whole GGUF model, and is there memory for it?"
INSTALL = "pip install xllamacpp (into the daemon's environment), or use Ollama"


class Local:
    """core.ports.Provider. command: what serves the model and prints its address, one JSON line, when ready."""

    kind = "local"

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        clock: Clock,
        deadlines: Deadlines | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._name = name
        self._command = command
        self._clock = clock
        self._deadlines = deadlines or LOCAL
        self._idle_s = idle_s
        self._starting = asyncio.Lock()
        self._child: Process | None = None
        self._speaker: OpenAI | None = None
        self._busy = 0
        self._ending: asyncio.TimerHandle | None = None
        self._stops: set[asyncio.Task[None]] = set()

    async def stream(self, request: ModelRequest) -> Parts:
        self._busy += 1
        try:
            speaker = await self._ready(request.model)
            async with aclosing(speaker.stream(request)) as parts:
                async for part in parts:
                    yield part
        finally:
            self._busy -= 1
            self._rest()

    async def aclose(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        await self._stop()
        if self._stops:
            await asyncio.gather(*self._stops)

    async def _ready(self, model: str) -> OpenAI:
        """The child's address, started if it does not run. Raises ProviderError."""
        async with self._starting:
            if self._child is not None and self._child.returncode is None and self._speaker is not None:
                return self._speaker
            await self._stop()
            environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=environment,
                start_new_session=True,
            )
            try:
                address = await asyncio.wait_for(self._address(self._child), START_S)
            except TimeoutError:
                await self._stop()
                raise ProviderError(
                    f"{self._name} did not load {model} within {START_S:g} s",
                    "use a smaller model",
                    kind="timeout",
                ) from None
            except BaseException:
                await self._stop()
                raise
            self._speaker = OpenAI(self._name, address + "/v1", None, "", self._clock, self._deadlines)
            return self._speaker

    async def _address(self, child: Process) -> str:
        assert child.stdout is not None
        while line := await child.stdout.readline():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and isinstance(said.get("address"), str):
                return said["address"]
            if isinstance(said, dict) and isinstance(said.get("error"), str):
                raise ProviderError(
                    f"{self._name} cannot load its model: {said['error']}", IS_WHOLE, kind="model"
                )
        raise ProviderError(f"{self._name} ended before its model was ready", IS_WHOLE, kind="model")

    def _rest(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if not self._busy and self._child is not None:
            self._ending = asyncio.get_running_loop().call_later(self._idle_s, self._retire)

    def _retire(self) -> None:
        if not self._busy:
            task = asyncio.ensure_future(self._stop())
            self._stops.add(task)
            task.add_done_callback(self._stops.discard)

    async def _stop(self) -> None:
        child, self._child = self._child, None
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            await speaker.aclose()
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), STOP_S)
        except TimeoutError:
            child.kill()
            await child.wait()


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> Local:
    """config: name, path. deps: clock, deadlines (or None). Raises Invalid with what to install or write."""
    given = cast("Mapping[str, Any]", {**config, **deps})
    name, path = str(given["name"]), given.get("path")
    if not path:
        raise Invalid(
            f"[providers.{name}] has no path", f'write [providers.{name}] path = "/path/to/model.gguf"'
        )
    if not Path(path).is_file():
        raise Invalid(f"the model file {path} does not exist", f"check [providers.{name}] path")
    if importlib.util.find_spec("xllamacpp") is None:
        raise Invalid(f"[providers.{name}] needs llama.cpp", INSTALL)
    command = [sys.executable, "-m", "nightclaw.providers.local_server", str(path), str(LARGEST_CONTEXT)]
    return Local(name, command, given["clock"], given.get("deadlines"))
