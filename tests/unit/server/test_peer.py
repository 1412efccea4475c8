"""Parents are read from /proc; what cannot be read is not taken for harmless."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nightclaw.api import peer

linux = pytest.mark.skipif(sys.platform != "linux", reason="parents are read from /proc")


def family(proc: Path, parents: dict[int, int]) -> Path:
    for pid, parent in parents.items():
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "stat").write_text(f"{pid} (a ) 1 (b) S {parent} 1 1 0 -1")
    return proc


def test_a_chain_of_parents_is_followed_to_its_end(tmp_path: Path) -> None:
    proc = family(tmp_path, {50: 40, 40: 30, 30: 1, 1: 0, 60: 1, 70: 0})
    assert peer.descends_from(50, 30, proc)
    assert peer.descends_from(50, 1, proc)
    assert not peer.descends_from(50, 60, proc)
    assert not peer.descends_from(60, 30, proc)
    assert not peer.descends_from(70, 1, proc)


def test_a_parent_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        peer.descends_from(50, 1, family(tmp_path, {50: 40}))


def test_a_ring_ends(tmp_path: Path) -> None:
    assert peer.descends_from(50, 7, family(tmp_path, {50: 40, 40: 50}))


@linux
def test_a_real_grandchild_is_found() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        grandchild = int(shell.stdout.readline())
        try:
            assert peer.parent_of(grandchild) == shell.pid
            assert peer.descends_from(grandchild, os.getpid())
            assert not peer.descends_from(os.getppid(), os.getpid())
        finally:
            os.kill(grandchild, 9)
