"""The house that hostile code is let loose beside."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import toolbox
from tests.fakes.toolbox import House

from nightclaw.core.tools import Sandbox


@pytest.fixture
def walled_house(tmp_path: Path) -> Iterator[House]:
    yield toolbox.build(tmp_path)


@pytest.fixture
def wall(walled_house: House) -> Sandbox:
    found = walled_house.wall()
    if found.why_not is not None:
        pytest.skip(f"no wall can be built here: {found.why_not}")
    return found
