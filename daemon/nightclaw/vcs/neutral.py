"""What a repository's own configuration could make git run or reach, and the harmless value each such key is given.

Git starts programs named in configuration: hooks, filters, drivers of diffs and merges, helpers. The owner's clone may
carry any of them, put there by whoever last wrote its files. The keys that exist are listed first, which runs nothing,
and every one of these kinds is then overridden by name; the known switches are overridden whether they exist or not.
"""

import re
from collections.abc import Iterable

ALWAYS: tuple[tuple[str, str], ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.sshCommand", "ssh -oBatchMode=yes"),
    ("core.askPass", "true"),
    ("core.editor", "true"),
    ("core.pager", "cat"),
    ("core.attributesFile", "/dev/null"),
    ("core.alternateRefsCommand", "true"),
    ("core.quotePath", "false"),
    ("diff.external", ""),
    ("diff.noprefix", "false"),
    ("diff.mnemonicPrefix", "false"),
    ("diff.submodule", "short"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("push.gpgSign", "false"),
    ("log.showSignature", "false"),
    ("credential.helper", ""),
    ("protocol.ext.allow", "never"),
    ("submodule.recurse", "false"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "no"),
    ("push.followTags", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("branch.autoSetupMerge", "false"),
    ("worktree.useRelativePaths", "false"),
    ("http.followRedirects", "false"),
    ("color.ui", "false"),
    ("advice.statusHints", "false"),
    ("user.useConfigOnly", "false"),
)

# what a key looks like (section and name are lower case, the part between is as written) -> its harmless value
_KINDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), value)
    for pattern, value in (
        (r"filter\..*\.(clean|smudge|process)", ""),
        (r"filter\..*\.required", "false"),
        (r"diff\..*\.command", "false"),
        (r"diff\..*\.textconv", "cat"),
        (r"diff\..*\.cachetextconv", "false"),
        (r"merge\..*\.driver", "false"),
        (r"(difftool|mergetool|browser|man)\..*\.(cmd|path)", "false"),
        (r"(pager|alias|hook)\..+", "false"),
        (r"(sequence|interactive)\.(editor|difffilter)", "true"),
        (r"gpg\.(.*\.)?program", "false"),
        (r"gpg\..*\.defaultkeycommand", "false"),
        (r"trailer\..*\.(cmd|command)", "true"),
        (r"remote\..*\.(uploadpack)", "git-upload-pack"),
        (r"remote\..*\.(receivepack)", "git-receive-pack"),
        (r"remote\..*\.vcs", "none"),
        (r"credential\..*\.?helper", ""),
        (r"core\.gitproxy", "none"),
        (r"submodule\..*\.update", "none"),
        (r"uploadpack\.packobjectshook", "false"),
        (r"tar\..*\.command", "false"),
        (r"sendemail\..*", "false"),
    )
)


def overrides(keys: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs that make a repository with these configuration keys harmless, the fixed ones first."""
    found = list(ALWAYS)
    for key in dict.fromkeys(keys):
        for pattern, value in _KINDS:
            if pattern.fullmatch(key):
                found.append((key, value))
                break
    return found


def as_environment(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as git takes them from its environment, where a name may hold any character."""
    env: dict[str, str] = {}
    count = 0
    for count, (key, value) in enumerate(pairs, 1):
        env[f"GIT_CONFIG_KEY_{count - 1}"] = key
        env[f"GIT_CONFIG_VALUE_{count - 1}"] = value
    return env | {"GIT_CONFIG_COUNT": str(count)}
