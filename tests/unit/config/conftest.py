"""A home whose socket path fits, wherever the tests run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="nc-", dir="/tmp"))
    yield home
    shutil.rmtree(home)
