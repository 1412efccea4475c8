"""Assignments: which variables may be set without changing what a reading command does."""

import re

from nightclaw.policy.shell_words import Word

_SHOWING = re.compile(
    r"LC_[A-Z]+|LANG|LANGUAGE|TZ|NO_COLOR|CLICOLOR|CLICOLOR_FORCE|FORCE_COLOR|COLUMNS|LINES|TERM"
)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_+@.:-]*(/[A-Za-z0-9_+-]+)?")
_PAGERS = frozenset({"PAGER", "GIT_PAGER", "MANPAGER"})
# names that bash, the loader or common tools read; setting one changes what other commands do
_HEEDED = re.compile(
    r"PATH|IFS|ENV|HOME|PWD|OLDPWD|SHELL|CDPATH|GLOBIGNORE|SHELLOPTS|BASHOPTS|FIGNORE|EXECIGNORE|TMPDIR|TIMEFORMAT|"
    r"POSIXLY_CORRECT|PROMPT_COMMAND|PS[0-9]|OPTIND|OPTERR|HIST\w*|MAIL\w*|EDITOR|VISUAL|PAGER|BROWSER|MANPAGER|"
    r"(?:LD|DYLD|BASH|GIT|PYTHON|NODE|NPM|PERL|RUBY|JAVA|LC|XDG|SSH|GPG|LESS|GREP|RIPGREP|FZF|MAKE|CARGO|RUST|GO|GCC|CC|CXX|"
    r"AWK|GAWK|DOCKER|KUBE|AWS|PIP|UV|MALLOC|GCONV|NLSPATH|TERMINFO|LOCPATH|NIGHTCLAW|ANTHROPIC|OPENAI)\w*|"
    r"\w+_PROXY|LANG|LANGUAGE|TZ|TERM|COLUMNS|LINES|IGNOREEOF|INPUTRC|FUNCNEST|COMP_\w+|READLINE_\w+|NO_COLOR|CLICOLOR\w*"
)


def assignment_fault(name: str, word: Word, before_command: bool) -> str:
    """Why an assignment is more than a value to use later; '' when it is not."""
    sure = word.text if word.is_sure else None
    if _SHOWING.fullmatch(name) and sure is not None and _PLAIN_VALUE.fullmatch(sure):
        return ""
    if name in _PAGERS and sure in ("cat", ""):
        return ""
    if name == "GIT_OPTIONAL_LOCKS" and sure == "0":
        return ""
    if before_command:
        return "a variable for the command that may change what it does"
    if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"):
        return "sends traffic elsewhere"
    return "a variable that programs heed" if _HEEDED.fullmatch(name) else ""
