"""From `clawctl attach` to its prompt on a terminal, with a conversation to show.

python bench/attach.py [--quick]
"""

import os
import pty
import re
import select
import signal
import time

from house import BIN, House, house, is_quick, median, say

PROMPT = re.compile(rb"(^|\n|\x1b\[\?2004h)> ")


def first_frame(made: House) -> float:
    """Seconds until the prompt stands."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "clawctl", ["clawctl", "attach"], {**made.env, "TERM": "xterm"})
    shown = b""
    while not PROMPT.search(shown):
        if not select.select([terminal], [], [], 20)[0]:
            raise SystemExit(f"no prompt came: {shown!r}")
        shown += os.read(terminal, 65536)
    took = time.perf_counter() - began
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    return took


def main() -> None:
    with house() as made:
        made.start()
        made.ask("POST", "/v1/chat", {"text": "what happened today?", "key": "bench"})
        while any(task["state"] != "done" for task in made.get("/v1/tasks")["items"]):
            time.sleep(0.05)
        first_frame(made)
        say("attach.first_frame", median([first_frame(made) for _ in range(3 if is_quick() else 10)]), "s")


if __name__ == "__main__":
    main()
