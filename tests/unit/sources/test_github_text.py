"""Who is called by a text on GitHub, and what is said to the daemon: as GitHub itself would read it."""

import time

import pytest

from nightclaw.sources.github_text import command, mentions, plain


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("@octocat please", ["octocat"]),
        ("cc @Octo-Cat, @hubot. (@mona)", ["octo-cat", "hubot", "mona"]),
        ("@octo/maintainers and @octo/maintainers", ["octo/maintainers"]),
        ("write to me@example.org or a.b@c", []),
        ("see https://x.org/@octocat", []),
        ("`@octocat` and ``a ` @hubot`` but @mona", ["mona"]),
        ("it's `broken\n\n@octocat look at `this`", ["octocat"]),
        ("it's `broken\r\n\r\n@octocat look at `this`", ["octocat"]),
        ("```\n@octocat\n```\n@hubot", ["hubot"]),
        ("````\n```\n@octocat\n````\n@hubot", ["hubot"]),
        ("~~~ text\n@octocat", []),
        ("> @octocat said\n@hubot answers", ["hubot"]),
        ("<!-- @octocat -->@hubot", ["hubot"]),
        ("<!-- @octocat", []),
        ("`<!--` @octocat", ["octocat"]),
        ("@-no @a--b @" + "x" * 60, []),
        ("@octocat@hubot", []),
        ("", []),
    ],
)
def test_mentions(text: str, called: list[str]) -> None:
    assert mentions(text) == called


def test_mentions_are_bounded() -> None:
    assert len(mentions(" ".join(f"@u{i}" for i in range(500)))) == 20
    assert mentions(None) == mentions(7) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@nightclaw fix this", "fix this"),
        ("Hello\n\n@NightClaw: run `pytest -x`\nand tell me", "run `pytest -x` and tell me"),
        ("@octo-bot please", "please"),
        ("  @nightclaw, go", "go"),
        ("@nightclaw answer\n> quoted\nthe rest", "answer the rest"),
        ("hey @nightclaw fix this", None),
        ("> @nightclaw fix this", None),
        ("```\n@nightclaw fix this\n```", None),
        ("@nightclaw", None),
        ("@nightclawful fix", None),
        ("@nightclaw/team fix", None),
        ("no call", None),
    ],
)
def test_commands(text: str, said: str | None) -> None:
    assert command(text, ("nightclaw", "octo-bot")) == said


def test_a_long_command_is_clipped() -> None:
    assert len(command("@nightclaw " + "do it " * 2000, ("nightclaw",)) or "") == 2000


@pytest.mark.parametrize(
    "text",
    [
        "`" * 60_000 + "@octocat",
        "".join("`" * (i % 300 + 1) + " " for i in range(400)) + "@octocat",
        "<!--" * 15_000 + "@octocat",
        "@a." * 20_000,
        "@" * 60_000,
        "> \n" * 20_000 + "@octocat",
        "\x1b]" * 30_000,
        "@a-" * 20_000,
    ],
)
def test_hostile_text_is_read_in_bounded_time(text: str) -> None:
    start = time.process_time()
    found = mentions(text), command(text, ("nightclaw",)), plain(text)
    assert len(found[0]) <= 20 and len(found[2]) <= 200
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("  plain  ", "plain"),
        ("two\nlines", "two lines"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\u202eb\u2069c", "abc"),
        ("tag\U000e0041s", "tags"),
        ("x" * 300, "x" * 199 + "…"),
        (12, ""),
        (None, ""),
    ],
)
def test_plain(value: object, line: str) -> None:
    assert plain(value) == line
