"""Secrets are seen, named without being repeated, and cut out whole; ordinary words about them stay."""

import pytest

from nightclaw.core.secrets import CUT, secret_in, without_secrets

HOLDS = [
    ("use ghp_" + "a1B2c3D4e5" * 4 + " for it", "ghp_" + "a1B2c3D4e5" * 4),
    ("postgres://app:s3cr3tpw@db.local/app", "s3cr3tpw"),
    ("the wifi password is Tr0ub4dor&3.", "Tr0ub4dor&3"),
    ("PIN: 4711", "4711"),
    ("api key for staging = a8f3e2d1c0b9", "a8f3e2d1c0b9"),
    ("Authorization: Bearer abcdEFGH12345678ijklMNOP", "abcdEFGH12345678ijklMNOP"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----\nthe rest", "MIIEow"),
    ("aws_secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzKEYab12", "wJalrXUtnFEMIK7MDENG"),
]
HOLDS_NONE = [
    "the password is in the vault",
    "the password is kept by Ada",
    "the token is $TOKEN",
    "the key is <your key>",
    "the api key is env:STAGING_KEY",
    "reset your password on Monday",
    "commit 3f2a9c1d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39",
    "the PIN was changed",
    "see https://example.com/docs",
]


@pytest.mark.parametrize(("text", "secret"), HOLDS)
def test_a_secret_is_named_and_cut_out(text: str, secret: str) -> None:
    what = secret_in(text)
    assert what and secret not in what
    assert secret not in without_secrets(text) and CUT in without_secrets(text)
    assert without_secrets(without_secrets(text)) == without_secrets(text)


@pytest.mark.parametrize("text", HOLDS_NONE)
def test_words_about_secrets_are_no_secrets(text: str) -> None:
    assert secret_in(text) is None and without_secrets(text) == text


def test_values_known_to_be_secret_are_cut_out_wherever_they_stand() -> None:
    assert without_secrets("xx correct-horse yy correct-horse", ["correct-horse"]) == f"xx {CUT} yy {CUT}"
    assert without_secrets("short", ["short"[:3]]) == "short"


def test_what_stands_around_a_secret_stays() -> None:
    text = HOLDS[6][0]
    assert without_secrets(text) == f"{CUT}\nthe rest"
