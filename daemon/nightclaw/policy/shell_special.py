"""Commands whose arguments are small programs or have a grammar of their own, judged for reading only.

Each function takes the words after the name and answers the words that name what is read, `HERE` among them for the
current directory; None means: not surely a read. All are allow-lists of what is understood.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase as fnmatch

from nightclaw.policy.shell_programs import Reads, Words, awk, sed
from nightclaw.policy.shell_readers import READERS, parse, paths_read
from nightclaw.policy.shell_words import Word
from nightclaw.policy.wordlist import names

HERE = Word(".", ".", prefix=".")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _sure(words: Words) -> list[str] | None:
    texts = [w.text for w in words if w.is_sure and w.text is not None]
    return texts if len(texts) == len(words) else None


_FIND_PLAIN = names(
    """-name -iname -path -ipath -wholename -iwholename -regex -iregex -lname -ilname -type -xtype -size
    -mtime -mmin -atime -amin -ctime -cmin -perm -user -group -uid -gid -links -inum -maxdepth -mindepth
    -regextype -printf -used -fstype -context -flags"""
)
_FIND_ALONE = names(
    """-print -print0 -ls -prune -quit -empty -readable -writable -executable -true -false -not -and -or -a
    -o ! ( ) , -depth -d -daystart -follow -mount -xdev -noleaf -nouser -nogroup -ignore_readdir_race
    -warn -nowarn"""
)
_FIND_FILES = frozenset({"-newer", "-anewer", "-cnewer", "-samefile"})
_FIND_ACTS = ("-delete", "-exec", "-execdir", "-ok", "-okdir", "-fls", "-fprint", "-fprint0", "-fprintf")
_FIND_TESTS_OF_NAMES = frozenset({"-name", "-iname", "-path", "-ipath", "-wholename", "-regex", "-iregex"})


def find(words: Words) -> Reads:
    """`find` with tests and printing; `-exec` is unwrapped elsewhere and never comes here."""
    reads: list[Word] = []
    k = 0
    while k < len(words) and (
        words[k].text in ("-H", "-L", "-P") or not str(words[k]).startswith(("-", "(", "!", ","))
    ):
        if words[k].text is None or (words[k].glob and (words[k].text or "")[:1] in "*?["):
            return None
        if words[k].text not in ("-H", "-L", "-P"):
            reads.append(words[k])
        k += 1
    while k < len(words):
        word = words[k]
        # an unquoted pattern may have become other names by now, but never a test
        if word.text is None or (word.glob and (word.text[:1] in "*?[" or word.text.startswith("-"))):
            return None
        if word.text in _FIND_ALONE:
            k += 1
        elif word.text in _FIND_PLAIN or word.text in _FIND_FILES or word.text.startswith("-newer"):
            if k + 1 >= len(words) or words[k + 1].text is None:
                return None
            if word.text in _FIND_FILES or word.text.startswith("-newer"):
                reads.append(words[k + 1])
            if words[k + 1].many and any(fnmatch(act, str(words[k + 1])) for act in _FIND_ACTS):
                return None
            k += 2
        else:
            return None
    return reads or [HERE]


def find_names(words: Words) -> list[str]:
    """The patterns of names that a `find` looks for."""
    return [str(words[k + 1]) for k, w in enumerate(words[:-1]) if w.text in _FIND_TESTS_OF_NAMES]


_JQ_NEVER = re.compile(
    r"\b(?:env|ENV|import|include|input_filename|modulemeta|get_search_list|halt_error)\b|\$__prog"
)


def jq(words: Words) -> Reads:
    kept: list[Word] = []
    k = 0
    while k < len(words):
        if words[k].text in ("--arg", "--argjson"):
            k += 3
            continue
        if words[k].text in ("--args", "--jsonargs"):
            return None
        kept.append(words[k])
        k += 1
    parsed = parse(READERS["jq"], kept)
    if parsed is None or not parsed.operands or not parsed.operands[0].is_sure:
        return [] if parsed is not None and not parsed.operands else None
    if _JQ_NEVER.search(parsed.operands[0].text or ""):
        return None
    return parsed.operands[1:]


_DATE_WORD = re.compile(
    r"\+.*|-[uR]+|-I\w*|--utc|--universal|--iso-8601(=\w+)?|--rfc-3339=\w+|--rfc-email|--date=.*|-d.+",
    re.DOTALL,
)


def date(words: Words) -> Reads:
    reads: list[Word] = []
    k = 0
    while k < len(words):
        text = words[k].text if words[k].is_sure else None
        if text is None:
            return None
        if text in ("-d", "--date", "-r", "--reference"):
            k += 1
            if k >= len(words) or words[k].text is None:
                return None
            if text in ("-r", "--reference"):
                reads.append(words[k])
        elif not _DATE_WORD.fullmatch(text):
            return None
        k += 1
    return reads


_TEST_NUMBERS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


def test(words: Words) -> Reads:
    """`[ … ]` and `test`. Paths are only looked at, but looked at they are."""
    if any(w.text in ("-v", "-R") for w in words):
        return None
    return [w for w in words if w.is_sure and ("/" in (w.text or "") or (w.text or "").startswith(".."))]


def double_test(words: Words) -> Reads:
    """`[[ … ]]`: its number tests evaluate what they are given, so that must be numbers."""
    for k, word in enumerate(words):
        if word.text in _TEST_NUMBERS:
            around = (words[k - 1], *words[k + 1 : k + 2])
            if not all(w.text is not None and re.fullmatch(r"-?[0-9]+", w.text) for w in around):
                return None
    return test(words)


_READ_INTO_NEVER = re.compile(
    r"PATH|IFS|ENV|HOME|BASH.*|LD_.*|DYLD_.*|PS[0-9]|PROMPT_COMMAND|GIT_.*|SHELLOPTS|CDPATH"
)


def read(words: Words) -> Reads:
    texts = _sure(words)
    if texts is None:
        return None
    k = 0
    while k < len(texts):
        if texts[k] in ("-d", "-n", "-N", "-t", "-p", "-a"):
            k += 1
        elif texts[k].startswith("-"):
            if not re.fullmatch(r"-[rse]+", texts[k]):
                return None
        elif not _NAME.fullmatch(texts[k]) or _READ_INTO_NEVER.fullmatch(texts[k]):
            return None
        k += 1
    return []


def printf(words: Words) -> Reads:
    if not words:
        return []
    first = words[0]
    start = first.text if first.text is not None else first.prefix
    if start.startswith("-") and first.text != "--":
        return None
    return None if first.text is None and not start else []


def ps(words: Words) -> Reads:
    kept = [w for w in words if w.text not in ("aux", "auxf", "auxww", "ax", "axf", "au", "u", "x", "axu")]
    parsed = parse(READERS["ps"], kept)
    if parsed is None or parsed.operands or any("env" in str(v) for _, v in parsed.values):
        return None
    return []


def command(words: Words) -> Reads:
    """Only `command -v` and `-V`; running through it is unwrapped elsewhere."""
    return [] if words and words[0].text in ("-v", "-V") else None


def strings(words: Words) -> Reads:
    parsed = parse(READERS["strings"], words)
    found = paths_read(READERS["strings"], parsed) if parsed else None
    return None if found is None or any(str(w).startswith("@") for w in found[0]) else found[0]


def set_options(words: Words) -> Reads:
    """`set -e`, `set -euo pipefail`, `set -x`: of the shell that runs this line only."""
    texts = _sure(words)
    if not texts:
        return None
    return [] if all(re.fullmatch(r"[-+][eux]+o?|pipefail", t) for t in texts) else None


def tar(words: Words) -> Reads:
    """`tar tf archive`: a listing. A colon in the name would be another machine."""
    texts = _sure(words)
    if (
        texts is None
        or len(texts) != 2
        or not re.fullmatch(r"-?t[vzjJ]*f|-?[vzjJ]*tv?f", texts[0])
        or ":" in texts[1]
    ):
        return None
    return [words[1]]


def unzip(words: Words) -> Reads:
    texts = _sure(words)
    return [words[1]] if texts and len(texts) == 2 and texts[0] in ("-l", "-v", "-Z1") else None


def zcat(words: Words) -> Reads:
    return None if any(w.text is None or w.glob or w.text.startswith("-") for w in words) else list(words)


SPECIAL: Mapping[str, Callable[[Words], Reads]] = {
    "find": find,
    "sed": sed,
    "gsed": sed,
    "awk": awk,
    "gawk": awk,
    "mawk": awk,
    "nawk": awk,
    "jq": jq,
    "date": date,
    "test": test,
    "[": test,
    "[[": double_test,
    "read": read,
    "printf": printf,
    "ps": ps,
    "command": command,
    "strings": strings,
    "set": set_options,
    "zcat": zcat,
    "bzcat": zcat,
    "xzcat": zcat,
    "tar": tar,
    "unzip": unzip,
}
