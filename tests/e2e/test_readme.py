"""The README is run: every `sh` block in its order, on a home of its own, as a newcomer would paste it.

A block may carry a mark after `sh`: `background` keeps running beside the others, `no-run REASON` is not run here (it
installs from an index, needs the outside, or touches the service manager). What is replaced is only what a test must
not touch: the public ntfy server, GitHub's address, the port that another daemon may hold.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.daemon import BIN, free_port, short_folder, until
from tests.fakes.sink import Sink

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = ("pipx install", "make run", "clawctl github connect", "clawctl service uninstall")
"""One line of each block that is not run; a new one must be added here on purpose."""


@dataclass(frozen=True)
class Block:
    mark: str
    text: str


BLOCKS = [
    Block(info[2:].strip(), text)
    for info, text in FENCE.findall(README)
    if info == "sh" or info.startswith("sh ")
]


class Newcomer:
    """An empty home directory and a shell whose PATH has the installed program."""

    def __init__(self, sink: Sink) -> None:
        self.folder = short_folder()
        self.sink = sink
        self.env = {
            "PATH": f"{BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(self.folder),
            "NIGHTCLAW_HOME": str(self.folder / ".nightclaw"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def paste(self, block: Block) -> str:
        """Run a block to its end; what it printed. A failing command fails the test."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.harmless(block.text)],
            env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"{block.text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def harmless(self, text: str) -> str:
        return text.replace("ntfy://ntfy.sh/", f"ntfy://127.0.0.1:{self.sink.port}/")

    def keep_running(self, block: Block) -> None:
        """Run a block beside the others, and wait until the daemon answers."""
        self.paste(Block("", "clawctl config set ingress.listen '\":0\"'"))
        self.paste(Block("", f"clawctl config set github.api_url '\"http://127.0.0.1:{free_port()}\"'"))
        with (self.folder / "said").open("ab") as said:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {block.text}"], env=self.env, cwd=self.folder,
                    stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                )
            )  # fmt: skip
        until(lambda: "is ready" in (self.folder / "said").read_text(), "the daemon is ready", 20)

    def leave(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        said = self.folder / "said"
        assert not said.exists() or "Traceback" not in said.read_text()
        shutil.rmtree(self.folder)


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    sink = Sink()
    arrived = Newcomer(sink)
    yield arrived
    arrived.leave()
    sink.close()


def test_every_block_says_whether_it_is_run() -> None:
    marked = [block for block in BLOCKS if block.mark not in ("", "background")]
    assert all(re.fullmatch(r"no-run \w.*", block.mark) for block in marked), "a mark gives its reason"
    known = [next((line for line in LEFT_OUT if line in block.text), None) for block in marked]
    assert known == list(LEFT_OUT)
    assert len(BLOCKS) - len(marked) >= 6


def test_a_newcomer_gets_what_the_readme_says(newcomer: Newcomer) -> None:
    said: dict[str, str] = {}
    for block in BLOCKS:
        if block.mark == "background":
            newcomer.keep_running(block)
        elif not block.mark:
            for name in re.findall(
                r"memory/topics/[\w-]+\.md", block.text
            ):  # no hand is quicker than the daemon
                until(lambda name=name: (newcomer.folder / ".nightclaw" / name).exists(), f"{name} is there")
            said[block.text.splitlines()[0]] = newcomer.paste(block)
    heard = until(
        lambda: [body for body in newcomer.sink.bodies if "stretch" in str(body)], "the note arrives"
    )
    assert len(heard) == 1, "once"
    assert "stretch" in said["clawctl status"], "and stands in the list"
    looked = next(text for line, text in said.items() if line.startswith("clawctl chat"))
    assert "the log is whole" in looked and "resumed" in looked
    until(lambda: "Osprey" in newcomer.paste(Block("", "clawctl memory list")), "the edit by hand holds")
    held = newcomer.paste(Block("", "clawctl memory list"))
    assert "Falcon" not in held and "[redacted] is called Kevin" in held and "Thursday" in held


def test_every_verb_the_readme_names_exists() -> None:
    listed = subprocess.run([BIN / "clawctl", "help"], capture_output=True, text=True, timeout=20).stdout
    verbs = {" ".join(line.split()[:2]) for line in listed.splitlines() if line.startswith("  ")}
    verbs |= {verb.split()[0] for verb in verbs} | {"help"}
    named = set(re.findall(r"clawctl ([a-z]+(?: [a-z]+)?)", README))
    assert named and {name for name in named if name not in verbs and name.split()[0] not in verbs} == set()


def test_every_page_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert "docs/configuration.md" in links
    assert [link for link in links if not (ROOT / link).is_file()] == []
