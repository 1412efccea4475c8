"""`git` on a command line: which calls only look, which change the worktree, which reach out or cannot be undone.

Looking is an allow-list of subcommands and of their options, written in full. Work that leaves a trace belongs to the
Git tool, so a call here is never a known destination.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core.effects import Kind, Level
from nightclaw.policy.shell_words import Word
from nightclaw.policy.wordlist import names


@dataclass(frozen=True, slots=True)
class GitCall:
    """kind, level, target: as of an effect. reads: words naming paths. is_here: it looks at the current repository.
    directory: of `-C`. text: a shell text it runs."""

    kind: Kind
    level: Level
    target: str = ""
    reads: tuple[Word, ...] = ()
    is_here: bool = True
    directory: Word | None = None
    text: str | None = None


_COMMON = """all oneline graph decorate no-decorate stat shortstat numstat summary name-only name-status patch
    no-patch raw color no-color abbrev-commit no-abbrev-commit merges no-merges first-parent reverse follow
    topo-order date-order author-date-order left-right cherry-pick cherry boundary ignore-case word-diff
    color-words minimal patience histogram ignore-space-change ignore-all-space ignore-blank-lines
    ignore-cr-at-eol full-index binary check cached staged no-renames find-renames find-copies
    find-copies-harder quiet exit-code no-ext-diff no-textconv branches tags remotes full-history
    simplify-merges show-signature merge-base unified inter-hunk-context pretty format date since until
    after before author committer grep max-count skip diff-filter relative no-relative submodule dirstat cc
    combined-all-paths source parents children no-walk do-walk full-diff clear-decorations decorate-refs
    decorate-refs-exclude abbrev encoding extended-regexp fixed-strings perl-regexp basic-regexp all-match
    invert-grep regexp-ignore-case ancestry-path walk-reflogs compact-summary stat-width no-prefix
    function-context z diff-algorithm text ours theirs base notes no-notes show-pulls remove-empty exclude
    glob min-parents max-parents no-patch indent-heuristic no-indent-heuristic ignore-submodules anchored
    pickaxe-all pickaxe-regex word-diff-regex line-prefix src-prefix dst-prefix default-prefix rotate-to
    skip-to break-rewrites irreversible-delete no-color-moved color-moved ita-invisible-in-index not max-age
    min-age remotes relative-date no-expand-tabs expand-tabs end-of-options"""
_LOOKING: Mapping[str, str] = {
    "log": _COMMON,
    "show": _COMMON,
    "diff": _COMMON + " no-index",
    "whatchanged": _COMMON,
    "diff-tree": _COMMON + " root stdin",
    "diff-files": _COMMON,
    "diff-index": _COMMON,
    "status": """short branch porcelain long verbose untracked-files ignored ignore-submodules column no-column
        ahead-behind no-ahead-behind renames no-renames show-stash find-renames z""",
    "blame": """porcelain line-porcelain incremental root show-stats show-name show-number show-email date
        color-lines color-by-age abbrev minimal ignore-rev score-debug progress no-progress first-parent
        encoding reverse""",
    "annotate": "porcelain line-porcelain root date abbrev",
    "shortlog": """summary numbered email format group committer since until after before author grep all no-merges
        max-count""",
    "rev-parse": """show-toplevel abbrev-ref short verify quiet is-inside-work-tree git-dir absolute-git-dir show-prefix
        show-cdup is-bare-repository git-common-dir show-current symbolic symbolic-full-name all branches
        tags remotes is-shallow-repository is-inside-git-dir local-env-vars show-superproject-working-tree
        path-format""",
    "rev-list": _COMMON
    + """ count objects disk-usage timestamp header use-bitmap-index bisect bisect-vars""",
    "ls-files": """cached deleted modified others ignored stage unmerged killed directory no-empty-directory eol
        full-name error-unmatch exclude-standard abbrev debug deduplicate recurse-submodules exclude format
        resolve-undo""",
    "ls-tree": """long name-only name-status object-only full-name full-tree abbrev format""",
    "merge-base": "all octopus independent is-ancestor fork-point",
    "name-rev": "tags refs exclude all stdin name-only always",
    "describe": """all tags contains abbrev always long match exclude candidates exact-match dirty broken first-parent
        debug""",
    "cat-file": "batch-check",
    "show-ref": "head heads tags branches dereference hash verify quiet abbrev exists",
    "for-each-ref": """format sort count points-at merged no-merged contains no-contains ignore-case exclude""",
    "count-objects": "verbose human-readable",
    "cherry": "verbose abbrev",
    "range-diff": _COMMON + " creation-factor no-dual-color left-only right-only",
    "check-ignore": "verbose quiet non-matching no-index",
    "check-attr": "all cached",
    "verify-commit": "verbose raw",
    "var": "",
    "version": "build-options",
    "grep": """line-number column count files-with-matches name-only files-without-match ignore-case word-regexp
        invert-match extended-regexp fixed-strings perl-regexp basic-regexp and or not all-match quiet
        max-depth recursive no-recursive show-function function-context context after-context before-context
        heading break cached no-index untracked exclude-standard no-exclude-standard color no-color
        only-matching text null threads max-count full-name recurse-submodules""",
    "branch": """all remotes list verbose show-current contains no-contains merged no-merged sort points-at format
        color no-color column no-column abbrev no-abbrev ignore-case""",
    "tag": """list sort contains no-contains merged no-merged points-at format color column no-column ignore-case
        n""",
    "remote": "verbose",
    "stash": "",
    "reflog": _COMMON,
    "worktree": "porcelain verbose z",
    "config": "",
    "submodule": "",
    "bisect": "",
    "notes": "",
}
_LETTERS = {
    "grep": "nciwvlLEFGPhHWpqoaIrz",
    "branch": "avrlqi",
    "tag": "li",
    "remote": "v",
    "status": "sbvuznoalrm",
    "stash": "pu",
    "ls-files": "cdmosutvfkirz",
    "blame": "lsfnewpbtCMc",
    "rev-parse": "q",
    "show-ref": "dsq",
    "cat-file": "tspe",
    "describe": "",
    "ls-tree": "drtlz",
    "check-ignore": "vqnz",
    "shortlog": "sneuc",
}
_COMMON_LETTERS = "pusczgwbWmEFiPRrMCBDatq"
_VALUED = {
    "blame": "L",
    "grep": "eABCm",
    "ls-files": "x",
    "tag": "n",
    "branch": "",
    "log": "nLSGU",
    "status": "",
}
_VALUED |= {"shortlog": "n", "describe": "", "rev-list": "n", "show": "nUSGL", "diff": "USG", "reflog": "n"}
_LONG_VALUED = names(
    """author committer grep since until after before max-count skip format sort contains no-contains merged no-merged
    points-at date exclude match encoding"""
)
_CONFIG_KEYS = re.compile(
    r"(user\.(name|email)|init\.defaultbranch|core\.(bare|ignorecase|filemode|autocrlf|eol)|"
    r"branch\.[\w./-]+\.(remote|merge)|remote\.[\w-]+\.fetch|pull\.rebase|push\.default)",
    re.IGNORECASE,
)
_CONFIG_SHOWS = frozenset(
    {"-l", "--list", "list", "get", "--get", "--get-all", "--get-regexp", "--show-origin"}
)
_GLOBAL_FLAGS = frozenset(
    {"--no-pager", "--no-optional-locks", "-P", "--no-replace-objects", "--literal-pathspecs", "--bare"}
)
_HARMLESS_CONFIG = re.compile(
    r"(color\.[\w.]+|core\.(quotepath|abbrev|pager)|log\.[\w]+|diff\.(renames|algorithm)|advice\.\w+|"
    r"safe\.directory|core\.commentchar)=(?:true|false|always|never|auto|off|cat|\d+|)",
    re.I,
)
_WORKTREE_CHANGES = names(
    """add mv checkout switch restore reset clean stash merge rebase cherry-pick revert am apply rm branch
    tag bisect notes worktree submodule init gc prune repack fsck pack-refs read-tree write-tree
    commit-tree update-index hash-object mktree checkout-index sparse-checkout rerere replace config
    symbolic-ref archive bundle format-patch difftool mergetool maintenance commit fast-import fast-export
    filter-branch filter-repo reflog update-ref unpack-objects lfs"""
)
_REACHING = names(
    "fetch pull clone ls-remote remote-update fetch-pack http-fetch archive-remote svn p4 cvsimport daemon imap-send"
)


def git(words: Sequence[Word]) -> GitCall:
    """What a `git` call does; `words` are those after `git`."""
    directory: Word | None = None
    k = 0
    odd = False
    while k < len(words):
        text = words[k].text if words[k].is_sure else None
        if text is None or not text.startswith("-"):
            break
        if text == "-C" and k + 1 < len(words) and directory is None:
            directory, k = words[k + 1], k + 2
        elif text == "-c" and k + 1 < len(words):
            odd = odd or not _HARMLESS_CONFIG.fullmatch(str(words[k + 1]))
            alias = re.fullmatch(r"alias\.[^=]*=!(.*)", str(words[k + 1]), re.DOTALL)
            if alias:
                return GitCall(Kind.RUN, Level.WORKSPACE, "an alias that runs a command", text=alias[1])
            k += 2
        elif text in ("--version", "--help"):
            return GitCall(Kind.READ, Level.OBSERVE, is_here=False)
        else:
            if text in ("--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"):
                k += 1
            odd = odd or text not in _GLOBAL_FLAGS
            k += 1
    if k >= len(words) or words[k].text is None:
        return GitCall(Kind.UNKNOWN, Level.OUTWARD, "a git command that is not known before it runs")
    name, rest = words[k].text or "", words[k + 1 :]
    call = _subcommand(name, rest)
    if odd and call.level is Level.OBSERVE:
        call = GitCall(Kind.RUN, Level.WORKSPACE, f"git {name} with settings of its own")
    return GitCall(call.kind, call.level, call.target, call.reads, call.is_here, directory, call.text)


def _subcommand(name: str, rest: Sequence[Word]) -> GitCall:
    texts = [str(w) for w in rest]
    if name == "push":
        return _push(texts)
    if name == "commit":
        return GitCall(Kind.COMMIT, Level.WORKSPACE, "commit")
    if name in _REACHING or (name == "remote" and texts[:1] in (["update"], ["prune"], ["show"])):
        return GitCall(
            Kind.NETWORK, Level.OUTWARD, " ".join(t for t in texts if not t.startswith("-"))[:200] or "origin"
        )
    if name == "submodule" and texts[:1] == ["foreach"]:
        return GitCall(Kind.RUN, Level.WORKSPACE, "a command in each submodule", text=" ".join(texts[1:]))
    if name == "submodule" and texts[:1] in (["update"], ["add"]):
        return GitCall(Kind.NETWORK, Level.OUTWARD, "submodules")
    if name == "bisect" and texts[:1] == ["run"]:
        return GitCall(Kind.RUN, Level.WORKSPACE, "a command at each step", text=" ".join(texts[1:]))
    if name == "rebase":
        executed = [t.partition("=")[2] or n for t, n in zip(texts, [*texts[1:], ""], strict=True)
                    if t in ("-x", "--exec") or t.startswith("--exec=")]  # fmt: skip
        return GitCall(Kind.RUN, Level.WORKSPACE, "rebase", text="\n".join(executed) or None)
    if name == "config" and any(t in ("--global", "--system") for t in texts) and not _reads_config(texts):
        return GitCall(Kind.OWN_STATE, Level.IRREVERSIBLE, "settings of git outside the workspace")
    if name == "config" and texts[:1] and texts[0] in _CONFIG_SHOWS and not _reads_config(texts):
        return GitCall(Kind.RUN, Level.WORKSPACE, "git's settings, which may hold credentials")
    if (name == "config" and not _reads_config(texts)) or (
        name == "remote" and texts[:1] in (["add"], ["set-url"], ["remove"], ["rm"], ["rename"], ["set-head"])
    ):
        return GitCall(Kind.WRITE, Level.IRREVERSIBLE, f"git's own settings ({name})")
    if name == "credential" or name.startswith("credential-"):
        return GitCall(Kind.CREDENTIALS, Level.IRREVERSIBLE, "git's credentials")
    if name == "apply" and "--unsafe-paths" in texts:
        return GitCall(Kind.WRITE, Level.IRREVERSIBLE, "outside the workspace")
    if name == "send-email":
        return GitCall(Kind.NETWORK, Level.OUTWARD, "mail")
    reads = _looks(name, rest)
    if reads is not None:
        return GitCall(Kind.READ, Level.OBSERVE, reads=tuple(reads))
    if name in _WORKTREE_CHANGES or name in _LOOKING:
        return GitCall(Kind.RUN, Level.WORKSPACE, f"git {name}")
    return GitCall(Kind.UNKNOWN, Level.OUTWARD, f"git {name}")


def _push(texts: list[str]) -> GitCall:
    """Target `remote ref`; `*` where the ref is not named."""
    operands = [t for t in texts if not t.startswith("-")]
    remote = operands[0] if operands else "origin"
    refs = operands[1:]
    names = [r.lstrip("+").rpartition(":")[2].removeprefix("refs/heads/") for r in refs]
    forced = any(
        re.fullmatch(r"-[a-zA-Z]*[fd][a-zA-Z]*", t)
        or t.startswith(("--force", "--delete", "--mirror", "--prune"))
        for t in texts
    ) or any(r.startswith(("+", ":")) for r in refs)
    level = Level.IRREVERSIBLE if forced else Level.OUTWARD
    plain = [n for n in names if n not in ("HEAD", "")]
    return GitCall(
        Kind.PUSH, level, f"{remote} {' '.join(plain) if plain and len(plain) == len(names) else '*'}"
    )


def _reads_config(texts: list[str]) -> bool:
    plain = [
        t
        for t in texts
        if t not in ("--global", "--local", "--system", "get", "--get", "--type=bool", "--bool")
    ]
    return len(plain) == 1 and bool(_CONFIG_KEYS.fullmatch(plain[0]))


def _looks(name: str, rest: Sequence[Word]) -> list[Word] | None:
    """The words a looking call names; None when it is not sure to only look."""
    if name not in _LOOKING:
        return None
    options = rest[: next((k for k, w in enumerate(rest) if w.text == "--"), len(rest))]
    if any(w.text is None for w in rest) or any(w.glob and (w.text or "")[:1] in "*?[-" for w in options):
        return None
    texts = [str(w) for w in rest]
    if name == "config":
        return [] if _reads_config(texts) else None
    operands = _operands(name, rest)
    if operands is None:
        return None
    first = texts[0] if texts else ""
    if name == "stash":
        return [] if first in ("list", "show") and len(texts) <= 3 else None
    if name == "worktree":
        return [] if first == "list" else None
    if name == "submodule":
        return [] if texts == ["status"] else None
    if name == "bisect":
        return [] if texts in (["log"], ["view"]) else None
    if name == "notes":
        return [] if first in ("list", "show") else None
    if name == "remote":
        return [] if not operands or texts[0] == "get-url" else None
    if name == "reflog":
        return [] if not operands or operands[0].text in ("show", "HEAD") else None
    if name in ("branch", "tag"):
        return _listing(name, texts, operands)
    if name == "var" and texts not in (["GIT_DEFAULT_BRANCH"], ["GIT_AUTHOR_IDENT"], ["GIT_COMMITTER_IDENT"]):
        return None
    if name == "cat-file" and first not in ("-t", "-s", "-p", "-e", "blob", "tree", "commit"):
        return None
    if name == "grep" and not any(t.startswith("-e") for t in texts):
        return operands[1:]
    return operands


def _listing(name: str, texts: list[str], operands: list[Word]) -> list[Word] | None:
    """`git branch` and `git tag` make something as soon as they are given a name without being told to list."""
    listing = {"-l", "--list", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at"}
    asked = any(
        t.partition("=")[0] in listing or (t.startswith("-") and not t.startswith("--") and "l" in t)
        for t in texts
    )
    return [] if not operands or asked else None


def _operands(name: str, rest: Sequence[Word]) -> list[Word] | None:
    """Words that are no options; None when an option is not on the list."""
    longs = frozenset(_LOOKING[name].split())
    letters = _LETTERS.get(name, _COMMON_LETTERS if _LOOKING[name].startswith("all oneline") else "")
    valued = _VALUED.get(name, "nSGLU" if _LOOKING[name].startswith("all oneline") else "")
    operands: list[Word] = []
    k, is_over = 0, False
    while k < len(rest):
        text = rest[k].text or ""
        if is_over or not text.startswith("-") or text == "-":
            operands.append(rest[k])
        elif text == "--":
            is_over = True
        elif text.startswith("--"):
            option, equals, _ = text[2:].partition("=")
            if option not in longs:
                return None
            takes = option in _LONG_VALUED and option not in (
                "merged",
                "no-merged",
                "contains",
                "no-contains",
            )
            if takes and not equals:
                k += 1
        elif not re.fullmatch(r"-\d+", text):
            k += _cluster(text[1:], letters, valued)
            if k < 0:
                return None
        k += 1
    return operands


def _cluster(cluster: str, letters: str, valued: str) -> int:
    """How many words more the options take; very negative when one is not on the list."""
    for k, char in enumerate(cluster):
        if char in valued:
            return 0 if cluster[k + 1 :] else 1
        if char not in letters and char not in "0123456789%":
            return -1_000_000
    return 0
