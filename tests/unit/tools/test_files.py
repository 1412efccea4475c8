"""Read, Write and Edit: what the model is told, and what is left of a file that was changed."""

import os
import stat
from pathlib import Path

import pytest
from tests.fakes.toolbox import call, context

from nightclaw.core.tools import Redo, ToolContext, Workspace
from nightclaw.core.trust import Trust
from nightclaw.tools import edit, read, write

pytestmark = pytest.mark.anyio

HOME = Path("/nowhere/nightclaw")
READ, WRITE, EDIT = (module.build({}, {"home": HOME}) for module in (read, write, edit))


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    (tmp_path / "a.py").write_text("one\ntwo\nthree\n")
    return context(Workspace(tmp_path, repo="octo/app", is_private=True))


async def test_lines_are_numbered_as_cat_does(ctx: ToolContext) -> None:
    result = await call(READ, ctx, file_path="a.py")
    assert result.text == "     1\tone\n     2\ttwo\n     3\tthree" and not result.is_error
    assert result.label is not None and (result.label.trust, result.label.private) == (Trust.REPO, True)
    assert result.label.origins == {"octo/app"}
    assert (await call(READ, ctx, file_path=str(ctx.workspace.root / "a.py"))).text == result.text
    assert (await call(READ, ctx, file_path="a.py", offset=2, limit=1)).text.startswith(
        "     2\ttwo\n[more lines"
    )
    assert (await call(READ, ctx, file_path="a.py", offset="3")).text == "     3\tthree"
    past = await call(READ, ctx, file_path="a.py", offset=9)
    assert past.is_error and "3 lines" in past.text


async def test_long_files_and_lines_are_cut_and_say_where_to_go_on(ctx: ToolContext) -> None:
    (ctx.workspace.root / "long").write_text("".join(f"{n}\n" for n in range(1, 5001)))
    text = (await call(READ, ctx, file_path="long")).text
    assert text.splitlines()[-1] == "[more lines follow; go on with offset 2001]" and "  2000\t2000" in text
    assert (await call(READ, ctx, file_path="long", offset=2001)).text.startswith("  2001\t2001\n")
    (ctx.workspace.root / "wide").write_text("x" * 5000 + "\nshort\n")
    text = (await call(READ, ctx, file_path="wide")).text
    assert text == "     1\t" + "x" * 2000 + " [line cut]\n     2\tshort"
    (ctx.workspace.root / "heavy").write_text(("y" * 1900 + "\n") * 1000)
    text = (await call(READ, ctx, file_path="heavy")).text
    assert len(text) < 62_000 and "go on with offset" in text


async def test_a_huge_file_is_scanned_not_swallowed(ctx: ToolContext) -> None:
    path = ctx.workspace.root / "huge"
    with path.open("w") as file:
        for _ in range(20):
            file.write("z" * 1_000_000)  # one line of twenty megabytes
        file.write("\nlast\n")
    text = (await call(READ, ctx, file_path="huge")).text
    assert text.endswith("[line cut]\n     2\tlast")
    big = await call(EDIT, ctx, file_path="huge", old_string="last", new_string="x")
    assert big.is_error and "more than 10 MB" in big.text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "(the file is empty)"),
        (b"\xef\xbb\xbfbom\n", "     1\tbom"),
        ("utf-16 ä\n".encode("utf-16"), "     1\tutf-16 ä"),
        (b"crlf\r\nend\r\n", "     1\tcrlf\n     2\tend"),
        (b"latin \xe4\n", "     1\tlatin ä"),
        (b"no end", "     1\tno end"),
        ("form\x0cfeed\u2028one line\n".encode(), "     1\tform\x0cfeed\u2028one line"),
    ],
)
async def test_text_of_any_kind_is_read(ctx: ToolContext, data: bytes, shown: str) -> None:
    (ctx.workspace.root / "f").write_bytes(data)
    assert (await call(READ, ctx, file_path="f")).text == shown


async def test_what_is_no_text_is_named(ctx: ToolContext) -> None:
    root = ctx.workspace.root
    (root / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    (root / "b").write_bytes(b"abc\0def")
    (root / "folder").mkdir()
    for path, word in (("p.png", "PNG image of 58 bytes"), ("b", "a binary file"), ("folder", "a directory")):
        result = await call(READ, ctx, file_path=path)
        assert result.is_error and word in result.text
    missing = await call(READ, ctx, file_path="b.py")
    assert missing.is_error and missing.text == "b.py does not exist. In its directory there is a.py."
    assert "Glob" in (await call(READ, ctx, file_path="no/such")).text


@pytest.mark.parametrize("tool", [READ, WRITE, EDIT])
async def test_wrong_arguments_are_explained(ctx: ToolContext, tool: read.Read) -> None:
    for args in ({}, {"file_path": 3}, {"path": "a.py"}, {"file_path": None}):
        result = await call(tool, ctx, **args)
        assert result.is_error and ("must be" in result.text or "known:" in result.text.lower())
    for args in ({"offset": "x"}, {"offset": True}, {"limit": 0}, {"limit": 1.5}):
        assert (await call(READ, ctx, file_path="a.py", **args)).is_error


async def test_a_written_file_is_whole_and_keeps_its_mode(ctx: ToolContext) -> None:
    root = ctx.workspace.root
    result = await call(WRITE, ctx, file_path="new/deep/b.txt", content="ä\nb")
    assert result.text == "Created new/deep/b.txt (2 lines, 4 bytes)."
    assert (root / "new" / "deep" / "b.txt").read_text() == "ä\nb"
    (root / "run.sh").write_text("old")
    (root / "run.sh").chmod(0o750)
    result = await call(WRITE, ctx, file_path="./run.sh", content="")
    assert result.text == "Replaced run.sh (0 lines, 0 bytes)."
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o750 and (root / "run.sh").read_text() == ""
    assert (await call(WRITE, ctx, file_path="a.py/x", content="")).is_error
    assert (await call(WRITE, ctx, file_path="new", content="")).is_error
    assert (await call(WRITE, ctx, file_path="x/", content="")).is_error
    assert sorted(p.name for p in root.iterdir()) == ["a.py", "new", "run.sh"], "nothing is left over"
    assert WRITE.spec.redo is Redo.KEYED


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny", b"x\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\n", "a", "x\nz", b"x\r\nz\r\nb\r\n"),
        (b"a\r\nb\nc\n", "b\nc", "x\ny", b"a\r\nx\ny\n"),
        (b"\xef\xbb\xbfa\n", "a", "b", b"\xef\xbb\xbfb\n"),
        ("aä\n".encode("utf-16"), "aä", "ö", "ö\n".encode("utf-16")),
        (b"lat\xe4n \xff\n", "latän", "lätin", b"l\xe4tin \xff\n"),
        (b"no newline", "newline", "end", b"no end"),
        (b"tabs\tand \xc2\xa0\n", "\t", "    ", b"tabs    and \xc2\xa0\n"),
        (b"delete me\n", "delete me\n", "", b""),
    ],
)
async def test_an_edit_keeps_what_it_was_not_asked_to_change(
    ctx: ToolContext, before: bytes, old: str, new: str, after: bytes
) -> None:
    path = ctx.workspace.root / "f"
    path.write_bytes(before)
    path.chmod(0o640)
    result = await call(EDIT, ctx, file_path="f", old_string=old, new_string=new)
    assert not result.is_error, result.text
    assert path.read_bytes() == after and stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_an_edit_shows_what_became_of_it(ctx: ToolContext) -> None:
    result = await call(EDIT, ctx, file_path="a.py", old_string="two", new_string="2a\n2b")
    assert (
        result.text == "Edited a.py in 1 place:\n     1\tone\n     2\t2a\n     3\t2b\n     4\tthree\n     5\t"
    )


async def test_an_ambiguous_edit_is_refused(ctx: ToolContext) -> None:
    (ctx.workspace.root / "d").write_text("x = 1\ny\nx = 1\n")
    result = await call(EDIT, ctx, file_path="d", old_string="x = 1", new_string="x = 2")
    assert result.is_error and "2 times (lines 1, 3)" in result.text
    result = await call(EDIT, ctx, file_path="d", old_string="x = 1", new_string="x = 2", replace_all=True)
    assert "2 places" in result.text and (ctx.workspace.root / "d").read_text() == "x = 2\ny\nx = 2\n"


async def test_a_near_miss_says_how_near(ctx: ToolContext) -> None:
    path = ctx.workspace.root / "m.py"
    path.write_text("def f(value):\n\tif value:\n\t\treturn value + 1\n")
    for old, word in (
        ("def f(value):\n    if value:\n        return value + 1", "only its white space differs; line 1"),
        ("     1\tdef f(value):\n     2\t\tif value:", "line numbers"),
        ("def f(valu):", "the nearest line is 1: def f(value):"),
        ("something else altogether 12345", "read the file again"),
    ):
        result = await call(EDIT, ctx, file_path="m.py", old_string=old, new_string="x")
        assert result.is_error and word.lower() in result.text.lower(), result.text
    same = await call(EDIT, ctx, file_path="m.py", old_string="def", new_string="def")
    assert same.is_error and "the same" in same.text
    (path.parent / "l1").write_bytes(b"\xe4\n")
    unholdable = await call(EDIT, ctx, file_path="l1", old_string="ä", new_string="日")
    assert (
        unholdable.is_error
        and "latin-1" in unholdable.text
        and (path.parent / "l1").read_bytes() == b"\xe4\n"
    )


async def test_an_edit_with_nothing_to_replace_makes_the_file(ctx: ToolContext) -> None:
    result = await call(EDIT, ctx, file_path="n/new.py", old_string="", new_string="made\n")
    assert not result.is_error and (ctx.workspace.root / "n" / "new.py").read_text() == "made\n"
    again = await call(EDIT, ctx, file_path="n/new.py", old_string="", new_string="other")
    assert again.is_error and (ctx.workspace.root / "n" / "new.py").read_text() == "made\n"


async def test_recovery_finds_out_whether_an_edit_happened(ctx: ToolContext) -> None:
    assert EDIT.spec.redo is Redo.PROBE
    path = ctx.workspace.root / "p"
    for before, old, new in (
        ("alpha beta", "beta", "gamma"),
        ("alpha beta", "beta", "beta and more"),
        ("alpha beta", "beta", ""),
        ("line\nline2\n", "line\n", "line\nx\n"),
    ):
        path.write_text(before)
        args = {"file_path": "p", "old_string": old, "new_string": new}
        assert await EDIT.probe(args, ctx) is None, "not yet"
        assert not (await EDIT.run(args, ctx)).is_error
        done = await EDIT.probe(args, ctx)
        assert done is not None and not done.is_error
    os.unlink(path)
    assert await EDIT.probe({"file_path": "p", "old_string": "a", "new_string": "b"}, ctx) is None


async def test_a_missing_workspace_is_told(tmp_path: Path) -> None:
    result = await call(READ, context(Workspace(tmp_path / "gone")), file_path="a")
    assert result.is_error and "is not there" in result.text
