"""The daemon as its composed parts see it: where it lives, what is configured, its rows, its clock, what is wrong."""

from pathlib import Path
from typing import Protocol

from nightclaw.config import Config
from nightclaw.core.ports import Clock
from nightclaw.problems import Problems
from nightclaw.store.db import Store


class House(Protocol):
    """Each part adds what it alone asks of the daemon."""

    @property
    def home(self) -> Path: ...
    @property
    def config(self) -> Config: ...
    @property
    def store(self) -> Store: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def problems(self) -> Problems: ...
