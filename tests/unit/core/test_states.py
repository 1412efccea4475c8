"""The table of lives: every state is in it, ends are ends, and two kinds never mix."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightclaw.core import states
from nightclaw.core.states import TRANSITIONS, before, may

KINDS = [
    states.TaskState,
    states.RunState,
    states.CallState,
    states.ApprovalState,
    states.EffectState,
    states.NotificationState,
]
EVERY = [s for kind in KINDS for s in kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_has_its_line(kind: type[StrEnum]) -> None:
    assert set(TRANSITIONS[kind]) == set(kind)
    for nexts in TRANSITIONS[kind].values():
        assert all(type(n) is kind for n in nexts)


@given(st.sampled_from(EVERY), st.sampled_from(EVERY))
def test_before_and_may_agree(a: StrEnum, b: StrEnum) -> None:
    assert may(a, b) == (type(a) is type(b) and str(a) in before(b))


@pytest.mark.parametrize("state", sorted(states.TERMINAL_TASK))
def test_an_ended_task_stays_ended(state: StrEnum) -> None:
    assert not TRANSITIONS[states.TaskState][state]
    assert before(state)
