"""Hosts and addresses as the network will see them, whatever way they are spelled.

`127.1`, `0x7f000001`, `①②⑦.0.0.1`, `[::ffff:127.0.0.1]` and `localhost.` are the same place; a host is never taken from
the user part of an address. Nothing is resolved here: whoever connects must check the address it got once more.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Destination:
    """host: lower case, ASCII (IDN as `xn--`), an address in its usual form. odd: what about the spelling is made to
    mislead, '' when nothing is."""

    scheme: str
    host: str
    port: int | None
    odd: str = ""

    @property
    def is_private(self) -> bool:
        return is_private(self.host)


_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//([^/?#]*)(.*)", re.DOTALL)
_PORTS = {"http": 80, "https": 443, "ftp": 21, "ssh": 22, "git": 9418}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL_ENDINGS = (
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home",
    ".corp",
    ".private",
    ".home.arpa",
    ".localdomain",
    ".test",
    ".invalid",
    ".example",
    ".onion",
    ".svc",
    ".cluster.local",
)
_POINTS_INWARD = (".nip.io", ".sslip.io", ".xip.io", ".lvh.me", ".localtest.me", ".vcap.me", ".lacolhost.com")
_POINTS_INWARD += (".traefik.me", ".1u.ms", ".rbndr.us")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_CGNAT = ipaddress.IPv4Network("100.64.0.0/10")


def parse_url(text: str) -> Destination | None:
    """Where an address leads; None when it is none. A missing scheme counts as http, as command line tools do."""
    odd = ""
    if any(unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp") for c in text):
        odd = "hidden characters or blanks in the address"
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf"))
    if "\\" in text:
        odd, text = "backslashes in the address", text.replace("\\", "/")
    found = _URL.match(text if "//" in text.split("?")[0] else "//" + text)
    if not found:
        return None
    scheme, authority = (found[1] or "http").lower(), found[2]
    if "@" in authority:
        odd, authority = odd or "a user part before the host", authority.rpartition("@")[2]
    host, port = _split_port(authority)
    if "%" in host and not host.startswith("["):
        odd, host = odd or "an escaped host", unquote(host)
    plain = normal_host(host)
    if plain is None or port == -1:
        return None
    if plain.startswith("xn--") or ".xn--" in plain:
        odd = odd or "a host of other letters"
    elif _address(plain) is not None and plain != host.strip("[]").lower():
        odd = odd or "an address in an odd spelling"
    return Destination(scheme, plain, port if port is not None else _PORTS.get(scheme), odd)


def _split_port(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        authority, tail = host + bracket, rest
    else:
        authority, colon, number = authority.partition(":")
        tail = colon + number
    if tail in ("", ":"):
        return authority, None
    if not re.fullmatch(r":[0-9]{1,5}", tail):
        return authority, -1
    return authority, int(tail[1:])


def normal_host(host: str) -> str | None:
    """The host in the one spelling that is compared; None when it is no host."""
    host = host.strip().rstrip(".")
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1].partition("%")[0]))
        except ValueError:
            return None
    folded = unicodedata.normalize("NFKC", host).casefold()
    folded = re.sub("[\u3002\uff0e\uff61]", ".", folded).rstrip(".")
    if not folded or len(folded) > 253:
        return None
    if ":" in folded:
        try:
            return str(ipaddress.IPv6Address(folded.partition("%")[0]))
        except ValueError:
            return None
    number = _odd_ipv4(folded)
    if number is not None:
        return str(number)
    try:
        ascii_host = folded if folded.isascii() else folded.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return ascii_host if all(_LABEL.fullmatch(label) for label in ascii_host.split(".")) else None


def _odd_ipv4(host: str) -> ipaddress.IPv4Address | None:
    """Every spelling `inet_aton` takes: decimal, octal, hex, one to four parts."""
    parts = host.split(".")
    if len(parts) > 4:
        return None
    numbers: list[int] = []
    for part in parts:
        if re.fullmatch(r"0x[0-9a-f]*", part):
            numbers.append(int(part[2:] or "0", 16))
        elif re.fullmatch(r"0[0-7]+", part):
            numbers.append(int(part, 8))
        elif re.fullmatch(r"[0-9]+", part):
            numbers.append(int(part))
        else:
            return None
    *heads, last = numbers
    if any(n > 255 for n in heads) or last >= 256 ** (4 - len(heads)):
        return None
    value = last
    for k, head in enumerate(heads):
        value |= head << (8 * (3 - k))
    return ipaddress.IPv4Address(value)


def _address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_private(host: str) -> bool:
    """Whether a host is not plainly on the public internet: own machine, own network, link, metadata, unheard of."""
    plain = normal_host(host if not re.fullmatch(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", host) else f"[{host}]")
    if plain is None:
        return True
    address = _address(plain)
    if address is not None:
        return not is_public_address(address)
    dotted = "." + plain
    return "." not in plain or dotted.endswith(_LOCAL_ENDINGS) or dotted.endswith(_POINTS_INWARD)


def is_public_address(address: IPAddress) -> bool:
    """Whether an address is one of the public internet, also the one inside a mapped, 6to4, Teredo or NAT64 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            return False
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and int(address) >> 32 == 0:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(inner)
        if address.is_site_local:
            return False
    elif address in _CGNAT:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def is_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host is on an allow-list of `docs.python.org` and `*.example.org` (its sub-domains, not itself)."""
    plain = normal_host(host)
    if plain is None or is_private(plain):
        return False
    for pattern in patterns:
        if pattern.startswith("*."):
            parent = normal_host(pattern[2:])
            if parent and "." in parent and plain.endswith("." + parent):
                return True
        elif normal_host(pattern) == plain:
            return True
    return False
