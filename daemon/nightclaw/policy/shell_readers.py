"""Which commands only read, and with which of their options: an allow-list, everything else is not a read.

A long option counts only when written in full; a word that may turn out to be an option counts only where every option
is harmless. What a command reads comes back as paths for the caller to judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from nightclaw.policy.shell_words import Word
from nightclaw.policy.wordlist import names


class Operands(StrEnum):
    PATHS = "paths"
    TEXT = "text"
    PATTERN = "pattern"  # the first is a pattern unless an option gave one, the rest are paths
    ONE_PATH = "one path"
    TWO_PATHS = "two paths"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reader:
    """flags, longs: options without a value. valued, long_valued: with one. free: every option is harmless, listed
    or not. reads: options whose value is a file that is read. pattern: options that give the pattern.
    here: without paths it reads the directory it runs in. globs: a file named like an option does no harm."""

    operands: Operands = Operands.PATHS
    flags: str = ""
    valued: str = ""
    longs: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    free: bool = False
    reads: frozenset[str] = frozenset()
    pattern: frozenset[str] = frozenset()
    here: bool = False
    globs: bool = False


@dataclass(slots=True)
class Parsed:
    """operands: words that are no options. values: (option, value). flags: options seen, without dashes."""

    operands: list[Word] = field(default_factory=list)
    values: list[tuple[str, Word]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)


def _free(
    operands: Operands = Operands.PATHS, valued: str = "", long_valued: str = "", here: bool = False
) -> Reader:
    return Reader(operands, valued=valued, long_valued=names(long_valued), free=True, here=here)


_TEXT = _free(Operands.TEXT)
_SUM = Reader(
    globs=True, flags="bt", longs=names("binary text tag zero"), valued="a", long_valued=names("algorithm")
)
_GREP = Reader(
    Operands.PATTERN,
    free=True,
    valued="efmABCDd",
    long_valued=names(
        "regexp file max-count after-context before-context context include exclude exclude-dir exclude-from devices "
        "directories label binary-files"
    ),
    reads=names("f file exclude-from"),
    pattern=names("e regexp f file"),
)

READERS: Mapping[str, Reader] = {
    "ls": _free(valued="ITw", long_valued="ignore hide tabsize width block-size time-style", here=True),
    "dir": _free(here=True),
    "vdir": _free(here=True),
    "cat": _free(),
    "tac": _free(valued="s"),
    "nl": _free(valued="bdfhilnsvw"),
    "head": _free(valued="nc", long_valued="lines bytes"),
    "tail": _free(valued="ncs", long_valued="lines bytes pid sleep-interval max-unchanged-stats"),
    "wc": Reader(
        globs=True, flags="clLmw", longs=names("bytes chars lines words max-line-length help version")
    ),
    "stat": _free(valued="cft", long_valued="format printf cached"),
    "du": Reader(
        globs=True,
        flags="0abcDhHklLmPsSx",
        valued="dBt",
        longs=names(
            "all apparent-size bytes total human-readable summarize si one-file-system separate-dirs"
        ),
        long_valued=names("max-depth exclude block-size threshold time-style time"),
        here=True,
    ),
    "df": _free(valued="Btx", long_valued="block-size type exclude-type output"),
    "cut": _free(valued="bcdf", long_valued="bytes characters delimiter fields output-delimiter"),
    "tr": _TEXT,
    "paste": _free(valued="d", long_valued="delimiters"),
    "comm": _free(long_valued="output-delimiter"),
    "cmp": _free(valued="in", long_valued="ignore-initial bytes"),
    "join": _free(valued="12aejotv"),
    "fold": _free(valued="w", long_valued="width"),
    "fmt": _free(valued="wpg", long_valued="width prefix goal"),
    "expand": _free(valued="t", long_valued="tabs"),
    "unexpand": _free(valued="t", long_valued="tabs"),
    "rev": _free(),
    "column": _free(valued="csoNRHTWOEdl", long_valued="separator output-separator table-columns"),
    "diff": Reader(
        free=True,
        valued="UCxXIFDW",
        long_valued=names(
            "unified context exclude exclude-from ignore-matching-lines label width color palette"
        ),
        reads=names("X exclude-from from-file to-file"),
    ),
    "diff3": Reader(flags="aAeEimTxX3"),
    "sdiff": Reader(flags="bBdEilstWZ", valued="w"),
    "grep": _GREP,
    "egrep": _GREP,
    "fgrep": _GREP,
    "rg": Reader(
        Operands.PATTERN,
        flags="cFhHiIlLnNopqsSuUvVwxP0.",
        valued="ABCegGjmMrtTfdE",
        longs=names(
            "after-context before-context case-sensitive color colors column count count-matches crlf debug files "
            "files-with-matches files-without-match fixed-strings glob-case-insensitive heading no-heading help hidden "
            "ignore-case include-zero invert-match json line-buffered line-number no-line-number line-regexp "
            "max-columns-preview multiline multiline-dotall no-config no-filename no-ignore no-ignore-vcs "
            "no-ignore-parent no-ignore-global no-messages no-mmap null one-file-system only-matching passthru pcre2 "
            "pretty quiet smart-case stats text trim type-list unrestricted version vimgrep with-filename word-regexp "
            "no-pcre2 binary follow"
        ),
        long_valued=names(
            "after-context before-context context color colors context-separator dfa-size-limit encoding engine "
            "glob iglob max-columns max-count max-depth max-filesize maxdepth path-separator regex-size-limit regexp "
            "replace sort sortr threads type type-not file field-context-separator field-match-separator"
        ),
        reads=names("f file"),
        pattern=names("e regexp f file files type-list"),
        here=True,
    ),
    "fd": Reader(
        Operands.PATTERN,
        flags="HIuspagiFL0qV1",
        valued="detESjc",
        longs=names(
            "hidden no-ignore unrestricted case-sensitive ignore-case glob regex fixed-strings absolute-path "
            "follow full-path print0 quiet show-errors version help"
        ),
        long_valued=names(
            "max-depth min-depth exact-depth extension type exclude size changed-within changed-before color"
        ),
        here=True,
    ),
    "sort": Reader(
        flags="bcCdfghimMnrRsuVz",
        valued="kt",
        longs=names(
            "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort ignore-nonprinting month-sort "
            "human-numeric-sort numeric-sort random-sort reverse version-sort check stable unique zero-terminated merge"
        ),
        long_valued=names("key field-separator"),
    ),
    "uniq": Reader(
        Operands.ONE_PATH,
        flags="cdDiuz",
        valued="fsw",
        longs=names("count repeated ignore-case unique zero-terminated all-repeated"),
        long_valued=names("skip-fields skip-chars check-chars group"),
    ),
    "base64": Reader(
        flags="dDi", valued="w", longs=names("decode ignore-garbage"), long_valued=names("wrap")
    ),
    "base32": Reader(flags="di", valued="w", longs=names("decode ignore-garbage"), long_valued=names("wrap")),
    "file": Reader(
        globs=True,
        flags="bhiLkNprv0E",
        longs=names(
            "brief mime mime-type mime-encoding dereference no-dereference keep-going no-pad raw version extension"
        ),
        valued="F",
        long_valued=names("separator"),
    ),
    "tree": Reader(
        flags="adfilxqNQpugshDFnCSJXrtcUv",
        valued="LIP",
        longs=names(
            "dirsfirst du si noreport prune gitignore inodes device filesfirst version help matchdirs ignore-case"
        ),
        long_valued=names("filelimit charset timefmt sort"),
        here=True,
    ),
    "xxd": Reader(Operands.ONE_PATH, flags="abeEipuCd", valued="cglnos"),
    "od": _free(valued="AjNStw"),
    "hexdump": Reader(flags="bcCdovx", valued="ns"),
    "hd": Reader(flags="bcCdovx", valued="ns"),
    "strings": Reader(
        flags="aw", valued="ntee", longs=names("all"), long_valued=names("bytes radix encoding")
    ),
    "readelf": Reader(flags="aehlSstgrdVAIW", longs=names("all file-header headers symbols wide")),
    "md5sum": _SUM,
    "sha1sum": _SUM,
    "sha224sum": _SUM,
    "sha256sum": _SUM,
    "sha384sum": _SUM,
    "sha512sum": _SUM,
    "b2sum": _SUM,
    "shasum": _SUM,
    "md5": Reader(flags="qr"),
    "cksum": _SUM,
    "sum": Reader(flags="rs"),
    "readlink": _free(),
    "realpath": _free(long_valued="relative-to relative-base"),
    "basename": _TEXT,
    "dirname": _TEXT,
    "echo": _TEXT,
    "true": _TEXT,
    "false": _TEXT,
    ":": _TEXT,
    "expr": _TEXT,
    "seq": _TEXT,
    "factor": _TEXT,
    "numfmt": _TEXT,
    "pwd": _free(Operands.NONE),
    "whoami": _free(Operands.NONE),
    "id": _TEXT,
    "groups": _TEXT,
    "uname": _free(Operands.NONE),
    "arch": Reader(Operands.NONE),
    "nproc": _free(Operands.NONE),
    "tty": _free(Operands.NONE),
    "uptime": _free(Operands.NONE),
    "logname": _free(Operands.NONE),
    "users": _free(Operands.NONE),
    "free": _free(Operands.NONE, valued="sc"),
    "lscpu": _free(Operands.NONE),
    "cal": _TEXT,
    "ncal": _TEXT,
    "locale": _free(Operands.NONE),
    "getconf": _TEXT,
    "hostname": Reader(
        Operands.NONE, flags="sfiIdAay", longs=names("short fqdn long ip-address all-ip-addresses domain")
    ),
    "which": _TEXT,
    "type": _TEXT,
    "whereis": Reader(Operands.TEXT, flags="bmsu"),
    "sleep": Reader(Operands.TEXT),
    "tsort": _free(),
    "look": Reader(Operands.PATTERN, flags="bdf"),
    "cloc": Reader(flags="", longs=names("quiet json csv md by-file"), here=True),
    "tokei": Reader(flags="fC", valued="s", longs=names("files compact")),
    "wait": Reader(Operands.NONE),
    "break": _TEXT,
    "continue": _TEXT,
    "return": _TEXT,
    "exit": _TEXT,
    "shift": _TEXT,
    "umask": Reader(Operands.NONE, flags="Sp"),
    "jobs": Reader(Operands.NONE, flags="lprs"),
    "help": _TEXT,
    "times": Reader(Operands.NONE),
    "lsb_release": _free(Operands.NONE),
    "sw_vers": _free(Operands.NONE),
    "ps": Reader(
        Operands.NONE,
        flags="AaefFHlLMTuxw",
        valued="opCGgstU",
        longs=names("forest help version no-headers"),
        long_valued=names("sort pid ppid user"),
    ),
    "pgrep": Reader(Operands.TEXT, flags="aclnovwxi", valued="dgGPstuU"),
    "jq": Reader(
        Operands.PATTERN,
        flags="acCejMnrRsSj",
        longs=names(
            "compact-output raw-output raw-input null-input slurp sort-keys ascii-output color-output "
            "monochrome-output exit-status join-output tab seq stream raw-output0 version help"
        ),
        long_valued=names("indent"),
    ),
    "zcat": Reader(),
    "ss": Reader(Operands.NONE, flags="tulnpas"),
    "netstat": Reader(Operands.NONE, flags="tulnpar"),
}

VERSIONS: Mapping[str, frozenset[str]] = {
    name: names(flags)
    for programs, flags in {
        "python python3 python3.11 python3.12 python3.13 python3.14 pip pip3 ruby": "--version -V",
        "node npm npx yarn pnpm deno bun tsc": "--version -v",
        "go": "version env",
        "rustc cargo rustup": "--version -V",
        "java javac": "-version --version",
        "gcc g++ clang clang++ cc make cmake ninja ld ar git docker podman curl wget tar gzip zip bash zsh sh sed awk "
        "gawk jq rg fd find grep sqlite3 uv ruff mypy poetry rsync ssh perl php terraform kubectl gh": "--version",
        "perl php": "-v --version",
    }.items()
    for name in programs.split()
}
"""Programs that may be asked for their version, and how."""


def parse(reader: Reader, words: Sequence[Word]) -> Parsed | None:
    """The options and operands of a command's words after its name; None when one of them is not allowed."""
    found = Parsed()
    waiting: str | None = None
    is_over = False
    for word in words:
        if waiting is not None:
            found.values.append((waiting, word))
            waiting = None
            continue
        start = word.text if word.text is not None else word.prefix
        if is_over or start == "-":
            found.operands.append(word)
        elif word.is_sure and word.text == "--":
            is_over = True
        elif start.startswith("-"):
            if word.text is None:
                if not (reader.free and reader.operands is Operands.TEXT):
                    return None
                found.operands.append(word)
                continue
            waiting, ok = _option(reader, start, word, found)
            if not ok:
                return None
        elif not reader.free and not (reader.globs and word.glob) and _may_be_option(word):
            return None
        else:
            found.operands.append(word)
    return found


def _may_be_option(word: Word) -> bool:
    if word.text is None:
        return word.prefix == ""
    return word.glob and word.text[:1] in "*?["


def _option(reader: Reader, text: str, word: Word, found: Parsed) -> tuple[str | None, bool]:
    """(the option that still waits for its value, whether all of it is allowed)"""
    if text.startswith("--"):
        name, equals, value = text[2:].partition("=")
        found.flags.add(name)
        if equals:
            if name not in reader.long_valued and not reader.free:
                return None, False
            found.values.append((name, Word(word.raw, value, prefix=value)))
            return None, True
        if name in reader.longs:
            return None, True
        if name in reader.long_valued:
            return name, True
        return None, reader.free
    cluster = text[1:]
    for k, char in enumerate(cluster):
        if char in reader.valued:
            rest = cluster[k + 1 :]
            found.flags.add(char)
            if rest:
                found.values.append((char, Word(word.raw, rest, prefix=rest)))
                return None, True
            return char, True
        if char not in reader.flags and not reader.free and not char.isdigit():
            return None, False
        found.flags.add(char)
    return None, True


def paths_read(reader: Reader, parsed: Parsed) -> tuple[list[Word], bool] | None:
    """The words that name what is read, and whether the current directory is read too; None when there are too many."""
    paths = [value for name, value in parsed.values if name in reader.reads]
    operands = list(parsed.operands)
    if reader.operands in (Operands.TEXT, Operands.NONE):
        if reader.operands is Operands.NONE and operands and not reader.free:
            return None
        return paths, False
    if reader.operands is Operands.PATTERN:
        given = any(name in reader.pattern for name, _ in parsed.values) or bool(
            parsed.flags & reader.pattern
        )
        operands = operands if given else operands[1:]
    if reader.operands is Operands.ONE_PATH and len(operands) > 1:
        return None
    recursive = bool(parsed.flags & {"r", "R", "recursive", "dereference-recursive"})
    return [*paths, *(o for o in operands if o.text != "-")], not operands and (reader.here or recursive)
