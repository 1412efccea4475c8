"""One place has one name, however it is spelled, and what is not plainly public counts as private."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightclaw.policy.hosts import is_allowed, is_private, is_public_address, normal_host, parse_url

LOOPBACK = [
    "http://127.0.0.1/",
    "http://127.1",
    "http://2130706433/",
    "http://0x7f000001:8080/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://sub.localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]:80/",
    "http://[0:0:0:0:0:ffff:7f00:1]",
    "http://[::127.0.0.1]",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://good.example.com@127.0.0.1/",
    "http://good.example.com:80@127.0.0.1:81/",
    "http://127.0.0.1.nip.io/",
    "http://0/",
    "http://0.0.0.0:8787/",
    "//127.0.0.1/x",
    "127.0.0.1:8787/hooks",
    "http://127.0.0.1\\@example.com/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%2f@example.com@127.0.0.1/",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.254",
    "fd00::1",
    "fe80::1",
    "fec0::1",
    "::",
    "224.0.0.1",
    "255.255.255.255",
    "metadata.google.internal",
    "router.local",
    "db.lan",
    "intranet",
    "x.home.arpa",
    "kubernetes.default.svc",
    "",
    "..",
    "a..b",
    "exa mple.com",
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_no_spelling_hides_the_own_machine(url: str) -> None:
    found = parse_url(url)
    assert found is None or found.is_private or found.odd, found
    assert found is None or found.host != "example.com" or found.odd


@pytest.mark.parametrize("host", PRIVATE)
def test_what_is_not_plainly_public_is_private(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize(
    "host", ["docs.python.org", "github.com", "1.1.1.1", "2606:4700::1111", "EXAMPLE.com."]
)
def test_public_hosts_are_public(host: str) -> None:
    assert not is_private(host)


def test_tricks_are_named() -> None:
    odd = {
        "http://user:pw@github.com/": "a user part before the host",
        "http://127.1/": "an address in an odd spelling",
        "http://git\u200bhub.com/": "hidden characters or blanks in the address",
        "http://gіthub.com/": "a host of other letters",
        "http://github.com\\.evil.com/": "backslashes in the address",
    }
    for url, why in odd.items():
        found = parse_url(url)
        assert found is not None and found.odd == why, (url, found)
    plain = parse_url("https://github.com/octo/app?x=//127.0.0.1/")
    assert plain is not None and (plain.host, plain.port, plain.odd) == ("github.com", 443, "")


@pytest.mark.parametrize(
    "url", ["", "http://", "http:///x", "mailto:a@b", "https://:80/", "http://a:99999999/", "javascript:x"]
)
def test_no_address_is_no_destination(url: str) -> None:
    found = parse_url(url)
    assert found is None or found.is_private or "." not in found.host


def test_the_list_matches_whole_names() -> None:
    listed = ("docs.python.org", "*.example.org")
    assert is_allowed("docs.python.org", listed)
    assert is_allowed("DOCS.Python.org.", listed)
    assert is_allowed("a.example.org", listed)
    for host in (
        "example.org",
        "evildocs.python.org",
        "docs.python.org.evil.com",
        "python.org",
        "aexample.org",
        "127.0.0.1",
    ):
        assert not is_allowed(host, listed), host
    assert not is_allowed("127.0.0.1", ("127.0.0.1",))
    assert not is_allowed("a.com", ("*.com", "*"))


@given(
    st.integers(min_value=0, max_value=2**32 - 1),
    st.sampled_from(["dotted", "decimal", "hex", "octal", "mixed", "mapped"]),
)
def test_every_spelling_of_an_address_is_the_same_place(value: int, how: str) -> None:
    address = ipaddress.IPv4Address(value)
    a, b, c, d = address.packed
    spelled = {
        "dotted": str(address),
        "decimal": str(value),
        "hex": f"0x{value:x}",
        "octal": f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        "mixed": f"0x{a:x}.{(b << 16) | (c << 8) | d}",
        "mapped": f"[::ffff:{address}]",
    }[how]
    found = parse_url(f"http://{spelled}/")
    assert found is not None
    assert found.is_private is not is_public_address(address)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_harm(text: str) -> None:
    found = parse_url(text)
    if found is not None:
        assert found.host == normal_host(found.host if ":" not in found.host else f"[{found.host}]")
    is_private(text)
    is_allowed(text, [text])
