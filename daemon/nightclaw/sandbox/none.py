"""No wall on this machine: no command runs, and it is said why. Edits in the workspace still work."""

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Command, Ran, Workspace
from nightclaw.core.types import JSON


class NoSandbox:
    """core.tools.Sandbox that refuses everything."""

    kind = "none"

    def __init__(self, why: str) -> None:
        self.why_not: str | None = why

    def describe(self) -> dict[str, JSON]:
        return {"kind": self.kind, "why_not": self.why_not}

    async def run(self, command: Command, workspace: Workspace) -> Ran:
        raise Refused(f"commands do not run here: {self.why_not}")
