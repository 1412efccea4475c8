"""Assignments: which variables may be set without changing what a reading command does."""

import re

from nightclaw.policy.shell_words import Word
from nightclaw.policy.wordlist import names

_SHOWING = re.compile(
    r"LC_[A-Z]+|LANG|LANGUAGE|NO_COLOR|CLICOLOR|CLICOLOR_FORCE|FORCE_COLOR|COLUMNS|LINES|TERM"
)
_OTHER = re.compile(r"[A-Z][A-Z0-9_]*")
_BARE = re.compile(r"[A-Za-z0-9_.,:+@-]*")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_PAGERS = names("PAGER GIT_PAGER MANPAGER")
# what bash, the loader or common tools read: setting one changes what other commands do
_HEEDED = names(
    """PATH IFS ENV HOME PWD OLDPWD SHELL CDPATH GLOBIGNORE SHELLOPTS BASHOPTS FIGNORE EXECIGNORE TMPDIR TIMEFORMAT
    POSIXLY_CORRECT MAGIC GZIP TZDIR I18NPATH GETCONF_DIR PROMPT_COMMAND OPTIND OPTERR EDITOR VISUAL PAGER BROWSER
    MANPAGER LANG LANGUAGE TZ TERM COLUMNS LINES IGNOREEOF INPUTRC FUNCNEST NO_COLOR"""
)
_HEEDED_FAMILIES = re.compile(
    r"(?:LD|DYLD|BASH|GIT|PYTHON|NODE|NPM|PERL|RUBY|JAVA|JDK|LC|XDG|SSH|GPG|LESS|GREP|RIPGREP|FZF|MAKE|CARGO|RUST|GO|"
    r"GCC|CC|CXX|AWK|GAWK|DOCKER|KUBE|AWS|PIP|UV|MALLOC|GCONV|NLSPATH|TERMINFO|LOCPATH|NIGHTCLAW|ANTHROPIC|OPENAI|PS|"
    r"JQ|TAR|ZIP|HIST|MAIL|COMP_|READLINE|CLICOLOR|_)\w*|\w+_PROXY",
    re.IGNORECASE,
)


def assignment_fault(name: str, word: Word, before_command: bool) -> str:
    """Why an assignment is more than a value to use later; '' when it is not. before_command: it is set for one
    command (`A=1 ls`), which may heed it."""
    sure = word.text if word.is_sure else None
    if sure is not None and _is_harmless(name, sure):
        return ""
    if before_command:
        plain = sure is not None and _OTHER.fullmatch(name) and _BARE.fullmatch(sure)
        heeded = not plain or name in _HEEDED or _HEEDED_FAMILIES.fullmatch(name)
        return "a variable for the command that may change what it does" if heeded else ""
    if (
        name in _HEEDED
        or (name.isupper() and _HEEDED_FAMILIES.fullmatch(name))
        or name.lower().endswith("_proxy")
    ):
        return "a variable that programs heed"
    return ""


def _is_harmless(name: str, value: str) -> bool:
    if _SHOWING.fullmatch(name):
        return bool(_BARE.fullmatch(value))
    if name == "TZ":
        return bool(_ZONE.fullmatch(value))
    return (name in _PAGERS and value in ("cat", "")) or (name == "GIT_OPTIONAL_LOCKS" and value == "0")
