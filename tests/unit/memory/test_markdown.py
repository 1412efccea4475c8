"""Pages as text: what is woven reads back the same, and what the owner wrote keeps every byte."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from nightclaw.memory.markdown import KEEP, Frame, Row, body, headed, parse, taken_apart, weave

FRAME = Frame("Deploys", "", "0123456789ab")
A, B, C, D = (f"mem_01J0000000000000000000000{c}" for c in "ABCD")
LINES = (
    *(
        "# Heading\n",
        "\n",
        "prose of mine\n",
        f"- one ^{A}\n",
        "* two\n",
        "  more of it\n",
        "  - inner\n",
        "```\n",
    ),
    *("- in code\n", "<!-- note -->\n", "> quote\n", "| a | b |\n", "1. numbered\n", f"+ three ^{B}\r\n"),
    *("\tdeep\n", "- \n", "---\n", "last line"),
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=80)


def page(*rows: Row) -> str:
    made = weave(None, {}, rows, FRAME)
    assert made is not None
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS.filter(lambda w: body(w, None, is_foreign=False) != ""), max_size=6))
def test_what_is_woven_reads_back(texts: list[str]) -> None:
    rows = [Row(f"mem_{n:026}", body(t, None, is_foreign=n % 2 == 0)) for n, t in enumerate(texts)]
    if not rows:
        return
    parsed = parse(page(*rows))
    assert parsed.fault is None
    assert [(b.id, b.body) for b in parsed.bullets] == [(r.id, r.body) for r in rows]
    assert weave(parsed, {}, rows, FRAME) == page(*rows)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=14))
def test_nothing_of_the_owner_changes_when_rows_come_and_go(lines: list[str]) -> None:
    text = "".join(lines)
    parsed = parse(text)
    assert "".join(parsed.lines) == text
    rows = [Row(b.id, b.body) for b in parsed.bullets if b.id in (A, B)]
    rows = list({r.id: r for r in rows}.values())
    more = weave(parsed, {}, [*rows, Row(C, "new of ours")], FRAME)
    assert more is not None
    if parsed.fault is None:
        again = parse(more)
        assert C in [b.id for b in again.bullets]
        mine = {n: None if b.id == C else KEEP for n, b in enumerate(again.bullets)}
        less = weave(again, mine, rows, FRAME)
        if less is not None and text.strip():
            assert less.rstrip() == text.rstrip()
    for line in lines:
        assert line.strip() in more


def test_bullets_in_code_and_comments_are_not_memories() -> None:
    parsed = parse(f"- real ^{A}\n\n```\n- code ^{B}\n```\n<!--\n- hidden ^{C}\n-->\n- more ^{D}\n")
    assert [b.id for b in parsed.bullets] == [A, D] and parsed.fault is None


def test_an_open_fence_or_comment_is_a_fault() -> None:
    fence, comment = parse("- a\n```\n- b\n"), parse("- a\n\n<!-- oh\n- b\n")
    assert fence.fault is not None and fence.fault.line == 2
    assert comment.fault is not None and comment.fault.line == 3


def test_a_bullet_over_several_lines_is_one_memory() -> None:
    text = "- first part\n  second part\n  - a detail\n\n- other\n"
    one, two = parse(text).bullets
    assert (one.body, two.body) == ("first part second part - a detail", "other")
    made = weave(parse(text), {0: A, 1: B}, [Row(A, one.body), Row(B, two.body)], FRAME)
    assert made is not None
    assert [(b.id, b.body) for b in parse(made).bullets] == [(A, one.body), (B, two.body)]
    assert [b.id for b in parse(f"- outer ^{A}\n  - inner ^{B}\n").bullets] == [A, B]


def test_an_id_is_added_to_the_owners_own_line_and_nothing_else() -> None:
    parsed = parse("# Mine\n\nIntro.\n\n* use uv\n  everywhere\n\nOutro.\n")
    made = weave(parsed, {0: A}, [Row(A, "use uv everywhere")], FRAME)
    assert made == f"# Mine\n\nIntro.\n\n* use uv\n  everywhere ^{A}\n\nOutro.\n"


def test_a_row_that_left_takes_its_line_along_and_comes_back_to_its_place() -> None:
    rows = [Row(A, "a"), Row(B, "b"), Row(C, "c")]
    before = page(*rows)
    parsed = parse(before)
    without = weave(parsed, {1: None}, [rows[0], rows[2]], FRAME)
    assert without is not None and B not in without
    assert weave(parse(without), {}, rows, FRAME) == before


def test_an_emptied_page_of_ours_goes_and_one_with_the_owners_words_stays() -> None:
    ours = parse(page(Row(A, "a")))
    assert weave(ours, {0: None}, [], FRAME) is None
    theirs = parse(page(Row(A, "a")) + "\nA word of mine.\n")
    left = weave(theirs, {0: None}, [], FRAME)
    assert left is not None and "A word of mine." in left and A not in left


def test_line_ends_and_missing_last_line_end_are_kept() -> None:
    text = f"# T\r\n\r\n- a ^{A}\r\n- b"
    parsed = parse(text)
    made = weave(parsed, {1: B}, [Row(A, "a"), Row(B, "b"), Row(C, "c")], FRAME)
    assert made == f"# T\r\n\r\n- a ^{A}\r\n- b ^{B}\r\n- c ^{C}\r\n"


def test_when_a_memory_applies_stands_behind_it() -> None:
    shown = body("tag the release", "deploying", is_foreign=True)
    assert taken_apart(shown) == ("tag the release", "deploying")
    assert taken_apart("plain (with a remark)") == ("plain (with a remark)", None)


def test_title_and_hint_are_read_and_replaced() -> None:
    text = page(Row(A, "a")).replace("-->\n\n", "-->\n\nWhen to look: before a release\n\n")
    parsed = parse(text)
    assert (parsed.title, parsed.hook) == ("Deploys", "before a release")
    changed = headed(parsed, Frame("Shipping", "on Fridays", "0123456789ab"))
    assert parse(changed).title == "Shipping" and parse(changed).hook == "on Fridays"
    assert re.sub(r"^#.*|^When.*", "", changed, flags=re.M) == re.sub(r"^#.*|^When.*", "", text, flags=re.M)
