"""Bounds on what one dream may do: how much of a topic it may end, how much it may add. Pure."""

from collections import Counter

from nightclaw.core.states import MemoryState
from nightclaw.memory.dream.pieces import Table

LOSS = 0.25
"""Of a topic's active rows a dream may end this share; beyond, it stops and asks."""
GROWTH = 300
"""Rows one dream may add, give or take what a single message says."""


def losses(table: Table) -> Counter[str]:
    """Active rows a dream would end by judgement, by topic. What its date ended, or a newer statement, is no loss."""
    return Counter(
        p.topic
        for p in table.pieces
        if p.row is not None and p.row.state is MemoryState.ACTIVE
        and p.state is MemoryState.RETIRED and p.ended_by == "dream"
    )  # fmt: skip


def at_risk(table: Table) -> dict[str, int]:
    """Topics that would lose more than one row, with the size beyond which the loss is within bounds."""
    return {topic: round(n / LOSS) - 1 for topic, n in losses(table).items() if n > 1}


def too_much(topic: str, n: int) -> str:
    what = f"I would end {n} memories of “{topic}”, more than a quarter, so I stopped."
    return f"{what} Look at them, or forget them yourself."
