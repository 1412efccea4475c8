"""The wall: every level, trust, mode and lane, and what rules, grants and boundaries may change of it."""

import itertools
from dataclasses import dataclass, replace

import pytest

from nightclaw.core.effects import CallEffect, Kind, Level, ResolvedCall, Verb
from nightclaw.core.trust import Label, Trust
from nightclaw.policy.boundaries import Boundary
from nightclaw.policy.gate import CHAT, MODES, UNATTENDED, Stance, judge
from nightclaw.policy.rules import ToolRule, matcher_of

ALLOW, ASK, DENY = Verb.ALLOW, Verb.ASK, Verb.DENY
OWNER, DAEMON, REPO, WORLD = Trust.OWNER, Trust.DAEMON, Trust.REPO, Trust.WORLD

# A call of each level as it comes from `resolve`; those that reach out to a new destination.
CALLS = {
    Level.OBSERVE: ResolvedCall("Read", {}, (CallEffect(Kind.READ, Level.OBSERVE, "/w/a", is_known=True),)),
    Level.NOTE: ResolvedCall("SendUserMessage", {}, (CallEffect(Kind.NOTE, Level.NOTE, "the owner"),)),
    Level.WORKSPACE: ResolvedCall(
        "Bash", {"command": "make"}, (CallEffect(Kind.RUN, Level.WORKSPACE, "make", detail="make"),)
    ),
    Level.OUTWARD: ResolvedCall(
        "Bash", {"command": "curl x"}, (CallEffect(Kind.NETWORK, Level.OUTWARD, "x.org", detail="curl x"),)
    ),
    Level.IRREVERSIBLE: ResolvedCall(
        "Bash",
        {"command": "rm -rf /"},
        (CallEffect(Kind.DELETE, Level.IRREVERSIBLE, "/", detail="rm -rf /"),),
    ),
}
EDIT = ResolvedCall("Edit", {}, (CallEffect(Kind.WRITE, Level.WORKSPACE, "/w/a"),), {"workspace": "/w"})
PUSH = ResolvedCall(
    "Git", {"action": "push"}, (CallEffect(Kind.PUSH, Level.OUTWARD, "origin fix", is_known=True),)
)

# The table of SAFETY section 1, written out once more by hand: mode auto, no rules, not a throw-away worktree.
TABLE = {
    (Level.OBSERVE, OWNER): ALLOW, (Level.OBSERVE, DAEMON): ALLOW,
    (Level.OBSERVE, REPO): ALLOW, (Level.OBSERVE, WORLD): ALLOW,
    (Level.NOTE, OWNER): ALLOW, (Level.NOTE, DAEMON): ALLOW,
    (Level.NOTE, REPO): ALLOW, (Level.NOTE, WORLD): ALLOW,
    (Level.WORKSPACE, OWNER): ALLOW, (Level.WORKSPACE, DAEMON): ALLOW,
    (Level.WORKSPACE, REPO): ALLOW, (Level.WORKSPACE, WORLD): ASK,
    (Level.OUTWARD, OWNER): ASK, (Level.OUTWARD, DAEMON): ASK,
    (Level.OUTWARD, REPO): ASK, (Level.OUTWARD, WORLD): DENY,
    (Level.IRREVERSIBLE, OWNER): ASK, (Level.IRREVERSIBLE, DAEMON): DENY,
    (Level.IRREVERSIBLE, REPO): DENY, (Level.IRREVERSIBLE, WORLD): DENY,
}  # fmt: skip


def stance(trust: Trust, **more: object) -> Stance:
    return replace(Stance(Label(trust), lane=CHAT, mode="auto"), **more)


def rules(*texts: str) -> tuple[ToolRule, ...]:
    return tuple(ToolRule.parse(t) for t in texts)


@dataclass(frozen=True)
class Given:
    tool: str
    matcher: str
    min_trust: Trust


def expected(level: Level, trust: Trust, mode: str, lane: str, in_container: bool) -> Verb:
    """The same wall in other words: first what can never be, then what the mode makes of the rest."""
    by_table = TABLE[level, trust]
    if by_table is DENY or (lane == UNATTENDED and level is Level.IRREVERSIBLE):
        return DENY
    if mode == "bypassPermissions":
        if in_container:
            return ALLOW
        mode = "default"
    if mode == "plan":
        return ALLOW if level <= Level.NOTE else DENY
    if mode == "auto":
        return by_table
    if level <= Level.NOTE:
        return ALLOW
    return DENY if mode == "dontAsk" else ASK


@pytest.mark.parametrize("lane", [CHAT, UNATTENDED])
@pytest.mark.parametrize("mode", MODES)
def test_the_whole_table(mode: str, lane: str) -> None:
    for level, trust, in_container in itertools.product(Level, Trust, (False, True)):
        held = stance(trust, mode=mode, lane=lane, in_container=in_container)
        ruling = judge(CALLS[level], held)
        assert ruling.verb is expected(level, trust, mode, lane, in_container), (
            level,
            trust,
            mode,
            lane,
            ruling,
        )
        assert ruling.level is level
        assert ruling.reason and ruling.rule


@pytest.mark.parametrize("mode", MODES)
def test_no_mode_and_no_allowing_lifts_the_tables_deny(mode: str) -> None:
    for level, trust in TABLE:
        if TABLE[level, trust] is not DENY:
            continue
        call = CALLS[level]
        held = stance(
            trust,
            mode=mode,
            allow=rules("Bash", "Bash(*)", "Git", "*"),
            grants=(Given(call.tool, matcher_of(call) or "", WORLD),),
            in_container=True,
            throwaway=True,
        )
        assert judge(call, held).verb is DENY


@pytest.mark.parametrize("lane", [CHAT, UNATTENDED])
@pytest.mark.parametrize("mode", MODES)
def test_a_deny_rule_holds_in_every_mode(mode: str, lane: str) -> None:
    for level, trust in itertools.product(Level, Trust):
        call = CALLS[level]
        held = stance(
            trust,
            mode=mode,
            lane=lane,
            in_container=True,
            deny=rules(call.tool),
            allow=rules(call.tool),
            ask=rules(call.tool),
        )
        ruling = judge(call, held)
        assert ruling.verb is DENY and ruling.rule == f"deny {call.tool}"


def test_deny_goes_before_ask_goes_before_allow() -> None:
    call = CALLS[Level.WORKSPACE]
    both = {"allow": rules("Bash(make *)"), "ask": rules("Bash(make *)")}
    assert judge(call, stance(OWNER, mode="default", allow=rules("Bash(make *)"))).verb is ALLOW
    assert judge(call, stance(OWNER, **both)).verb is ASK
    assert judge(call, stance(OWNER, **both, in_container=True, mode="bypassPermissions")).verb is ASK
    assert judge(call, stance(OWNER, **both, deny=rules("Bash(make *)"))).verb is DENY


def test_an_allow_rule_spares_the_question_up_to_level_3() -> None:
    for level, verb in ((Level.WORKSPACE, ALLOW), (Level.OUTWARD, ALLOW), (Level.IRREVERSIBLE, ASK)):
        assert judge(CALLS[level], stance(OWNER, mode="default", allow=rules("Bash"))).verb is verb
    assert judge(CALLS[Level.OUTWARD], stance(REPO, allow=rules("Bash(curl *)"))).verb is ALLOW
    assert (
        judge(CALLS[Level.WORKSPACE], stance(OWNER, mode="dontAsk", allow=rules("Bash(make *)"))).verb
        is ALLOW
    )
    assert judge(CALLS[Level.WORKSPACE], stance(OWNER, mode="plan", allow=rules("Bash(make *)"))).verb is DENY


def test_outside_text_is_asked_about_before_it_reaches_out_even_to_known_places() -> None:
    for mode in MODES:
        if mode in ("plan", "dontAsk", "bypassPermissions"):
            continue
        assert judge(PUSH, stance(WORLD, mode=mode, allow=rules("Git(push)"), throwaway=True)).verb is ASK
    assert judge(PUSH, stance(REPO, allow=rules("Git(push)"))).verb is ALLOW
    new = replace(PUSH, effects=(replace(PUSH.effects[0], is_known=False),))
    assert judge(new, stance(WORLD)).verb is DENY


def test_what_is_not_understood_asks_in_every_trust() -> None:
    call = ResolvedCall("Bash", {}, (CallEffect(Kind.UNKNOWN, Level.OUTWARD, "$x", detail="$x"),))
    for trust in Trust:
        assert judge(call, stance(trust, throwaway=True)).verb is ASK


def test_a_listed_host_is_the_only_level_3_that_runs_by_itself() -> None:
    listed = replace(
        CALLS[Level.OUTWARD],
        effects=(CallEffect(Kind.NETWORK, Level.OUTWARD, "docs.python.org", is_known=True),),
    )
    assert judge(listed, stance(OWNER)).verb is ALLOW
    assert judge(PUSH, stance(OWNER)).verb is ASK
    for trust in (DAEMON, REPO, WORLD):
        assert judge(listed, stance(trust)).verb is ASK


def test_a_throwaway_worktree_lets_outside_text_work() -> None:
    assert judge(CALLS[Level.WORKSPACE], stance(WORLD, lane=UNATTENDED, throwaway=True)).verb is ALLOW
    assert judge(CALLS[Level.WORKSPACE], stance(WORLD, lane=UNATTENDED)).verb is ASK
    assert judge(EDIT, stance(WORLD, throwaway=True)).verb is ALLOW


def test_outside_text_reads_only_its_own_workspace() -> None:
    other = ResolvedCall("Read", {}, (CallEffect(Kind.READ, Level.OBSERVE, "/other/a", is_known=False),))
    assert judge(other, stance(REPO)).verb is ALLOW
    assert judge(other, stance(WORLD, throwaway=True)).verb is DENY


def test_outside_text_has_twenty_notes_an_hour() -> None:
    note = CALLS[Level.NOTE]
    assert judge(note, stance(WORLD, notes_last_hour=19)).verb is ALLOW
    assert judge(note, stance(WORLD, notes_last_hour=20)).verb is DENY
    assert judge(note, stance(REPO, notes_last_hour=200)).verb is ALLOW


def test_accept_edits_runs_edits_and_nothing_else() -> None:
    assert judge(EDIT, stance(OWNER, mode="acceptEdits")).verb is ALLOW
    assert judge(CALLS[Level.WORKSPACE], stance(OWNER, mode="acceptEdits")).verb is ASK
    gone = replace(EDIT, effects=(replace(EDIT.effects[0], kind=Kind.DELETE),))
    assert judge(gone, stance(OWNER, mode="acceptEdits")).verb is ASK


def test_the_strictest_effect_decides() -> None:
    mixed = replace(
        CALLS[Level.OUTWARD], effects=(*CALLS[Level.OBSERVE].effects, *CALLS[Level.IRREVERSIBLE].effects)
    )
    assert judge(mixed, stance(REPO)).verb is DENY
    assert judge(mixed, stance(OWNER)).verb is ASK
    hidden = replace(mixed, effects=(*CALLS[Level.OUTWARD].effects, *CALLS[Level.WORKSPACE].effects))
    assert judge(hidden, stance(WORLD, throwaway=True)).verb is DENY


def test_a_grant_covers_the_same_call_and_no_other() -> None:
    call = CALLS[Level.OUTWARD]
    grant = Given("Bash", matcher_of(call) or "", REPO)
    assert judge(call, stance(REPO, grants=(grant,))).verb is ALLOW
    assert judge(call, stance(OWNER, mode="default", grants=(grant,))).verb is ALLOW
    other = replace(call, args={"command": "curl x | sh"})
    assert judge(other, stance(REPO, grants=(grant,))).verb is ASK
    assert judge(call, stance(WORLD, grants=(grant,))).verb is DENY
    low = Given("Git", matcher_of(PUSH) or "", WORLD)
    assert judge(PUSH, stance(WORLD, grants=(low,))).verb is ALLOW
    assert judge(PUSH, stance(WORLD, grants=(Given("Git", matcher_of(PUSH) or "", OWNER),))).verb is ASK
    assert matcher_of(CALLS[Level.IRREVERSIBLE]) is None


def test_a_grant_for_words_said_outside_is_for_these_words() -> None:
    def comment(body: str) -> ResolvedCall:
        effect = CallEffect(Kind.COMMENT, Level.OUTWARD, "octo/app#5", is_known=True)
        return ResolvedCall("GitHub", {"action": "comment", "body": body}, (effect,))

    grant = Given("GitHub", matcher_of(comment("thanks")) or "", WORLD)
    assert judge(comment("thanks"), stance(WORLD, grants=(grant,))).verb is ALLOW
    assert judge(comment("the key is …"), stance(WORLD, grants=(grant,))).verb is ASK


def test_an_owners_sentence_holds() -> None:
    never = Boundary("deny", "Git(push)", "never push")
    first = Boundary("ask", "Bash(make *)", "ask me before running make")
    ruling = judge(
        PUSH,
        stance(OWNER, boundaries=(never,), allow=rules("Git"), in_container=True, mode="bypassPermissions"),
    )
    assert ruling.verb is DENY and "never push" in ruling.reason
    ruling = judge(CALLS[Level.WORKSPACE], stance(OWNER, boundaries=(first,), allow=rules("Bash")))
    assert ruling.verb is ASK and "ask me before" in ruling.reason


def test_a_mode_nobody_knows_asks() -> None:
    assert judge(CALLS[Level.WORKSPACE], stance(OWNER, mode="whatever")).verb is ASK
