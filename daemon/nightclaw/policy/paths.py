"""What a path is to us: in the workspace, readable, our own state, elsewhere; a secret; guarded against writing.

Judged on the path as given and on where it leads: a link, `..` or a different spelling of the case changes nothing.
"""

import fnmatch
import os.path
import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from nightclaw.policy.place import Place
from nightclaw.policy.wordlist import names


class Area(StrEnum):
    """WORKSPACE: the task's own root. FURTHER: roots it may also read. SYSTEM: programs and libraries. SCRATCH: the
    private temporary folder. DEVICE: /dev/null and its like. OWN: the daemon's home. OUTSIDE: the rest."""

    WORKSPACE = "workspace"
    FURTHER = "further"
    SYSTEM = "system"
    SCRATCH = "scratch"
    DEVICE = "device"
    OWN = "own"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Spot:
    """path: absolute, links followed. guarded: why it must not be written, empty when nothing is special."""

    path: str
    area: Area
    is_secret: bool
    guarded: str

    @property
    def may_read(self) -> bool:
        return not self.is_secret and self.area not in (Area.OWN, Area.OUTSIDE)

    @property
    def may_write(self) -> bool:
        return not self.guarded and self.area in (Area.WORKSPACE, Area.SCRATCH, Area.DEVICE)


_SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/opt/homebrew",
    "/nix/store",
    "/System",
    "/Library",
)
_SCRATCH = ("/tmp", "/var/tmp", "/private/tmp", "/private/var/folders")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/stdin", "/dev/stdout")
_DEVICES += ("/dev/stderr", "/dev/tty", "/dev/fd/0", "/dev/fd/1", "/dev/fd/2", "/dev/fd/63")
_PROC_OPEN = frozenset({"cpuinfo", "meminfo", "loadavg", "uptime", "version", "stat", "filesystems"})

_SECRET_FOLDERS = names(
    ".ssh .gnupg .aws .azure .kube .password-store .pki .secrets keyrings keychains 1password"
)
_SECRET_PAIRS = frozenset(
    {("gh", "hosts.yml"), (".docker", "config.json"), (".git", "config"), (".cargo", "credentials")}
)
_SECRET_PAIRS |= {
    (".cargo", "credentials.toml"),
    ("nix", "netrc"),
    ("hub", "config"),
    (".config", "hub"),
    (".config", "gcloud"),
    (".config", "op"),
}
_SECRET_NAMES = names(
    """.env .envrc .netrc _netrc .pgpass .my.cnf .mylogin.cnf .git-credentials .pypirc .npmrc .yarnrc.yml
    .htpasswd .vault-token .terraformrc .dockercfg .dockerconfigjson .s3cfg .boto .bash_history
    .zsh_history .python_history .psql_history .mysql_history .sqlite_history .node_repl_history .lesshst
    .viminfo credentials credentials.json credentials.toml credentials.csv client_secret.json
    service-account.json service_account.json secrets.yml secrets.yaml secrets.json secrets.toml
    secrets.env secrets.ini secret.key secret_key master.key id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk
    id_ed25519_sk shadow shadow- gshadow gshadow- sudoers master.passwd passwd- opasswd krb5.keytab .token
    token.txt tokens.json auth.json wallet.dat login.keychain key4.db logins.json cookies.sqlite
    kubeconfig accesstokens.json application_default_credentials.json"""
)
_SECRET_PATTERNS = (
    ".env.*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.ovpn",
    "*.tfstate",
    "*.tfstate.backup",
    "*.tfvars",
    "client_secret*.json",
    "*service-account*.json",
    "*credentials*.json",
    "*.gpg",
)
_SECRET_PATTERN = re.compile("|".join(fnmatch.translate(p) for p in _SECRET_PATTERNS))
_SHOWN_ENV = frozenset(
    {".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults", "example.env"}
)
_SHOWN_ENV |= {".env.test.example", ".env.local.example", "sample.env", "template.env"}

_GUARDED_FOLDERS = {
    ".git": "belongs to git itself",
    ".hg": "belongs to the version control itself",
    ".husky": "is a hook",
    ".githooks": "is a hook",
    ".vscode": "configures an editor",
    ".idea": "configures an editor",
    ".nvim": "configures an editor",
    ".claude": "configures an agent",
    ".cursor": "configures an agent",
    ".codex": "configures an agent",
    ".gemini": "configures an agent",
    ".continue": "configures an agent",
    ".windsurf": "configures an agent",
    ".nightclaw": "configures an agent",
    ".devcontainer": "configures an editor",
    ".ssh": "holds keys",
    ".gnupg": "holds keys",
}
_GUARDED_NAMES = {
    name: why
    for why, listed in {
        "belongs to git itself": ".git .gitconfig .gitmodules",
        "is a hook": ".pre-commit-config.yaml .pre-commit-config.yml lefthook.yml lefthook.yaml .overcommit.yml",
        "is a shell's start-up file": (
            ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin "
            ".zlogout .kshrc .cshrc .tcshrc .login .inputrc .envrc .env.fish config.fish .xprofile .xinitrc .tmux.conf "
            ".screenrc .pam_environment"
        ),
        "configures an editor": (
            ".vimrc .exrc .nvimrc .gvimrc .emacs .dir-locals.el .lvimrc .nvim.lua .sublime-project .spacemacs"
        ),
        "configures an agent": ".mcp.json .aider.conf.yml .cursorrules .windsurfrules .clinerules .goosehints",
        "configures a package manager": (
            ".npmrc .yarnrc .yarnrc.yml .pnpmfile.cjs .pnpmrc bunfig.toml pip.conf pip.ini .pypirc .condarc .gemrc "
            ".cargo/config .cargo/config.toml .bundle/config nuget.config .mvn/settings.xml"
        ),
    }.items()
    for name in listed.split()
}
_PACKAGE_PAIRS = frozenset(
    {(".cargo", "config"), (".cargo", "config.toml"), (".bundle", "config"), (".mvn", "jvm.config")}
)


def locate(path: str, cwd: str, place: Place) -> Spot:
    """What `path` is when used in `cwd`. `~` is not expanded here."""
    given = os.path.join(cwd, path) if path else cwd
    plain = os.path.normpath(given)
    try:
        real = place.realpath(given)
    except (OSError, ValueError):
        return Spot(plain, Area.OUTSIDE, is_secret(plain), "cannot be followed")
    secret = is_secret(plain) or is_secret(real)
    area = _area(plain, real, given, place)
    why = guarded(_below(plain, area, place)) or guarded(_below(real, area, place))
    if area is Area.OWN:
        why = "is the daemon's own state"
    return Spot(real, area, secret, why)


def expand(path: str, place: Place) -> str:
    """`~` and `~/…` of a tool's argument."""
    return str(place.user_home) + path[1:] if path == "~" or path.startswith("~/") else path


def _area(plain: str, real: str, given: str, place: Place) -> Area:
    if given in _DEVICES:
        return Area.DEVICE
    root, home = place.realpath(str(place.workspace.root)), place.realpath(str(place.home))
    named_own = within(plain, str(place.home)) and not within(plain, str(place.workspace.root))
    is_own = within(real, home) or named_own
    if within(real, root) and (within(root, home) or not is_own):
        return Area.WORKSPACE
    if plain.startswith("//") or within(plain, "/proc") or within(plain, "/sys") or within(plain, "/dev"):
        parts = plain.lstrip("/").split("/")
        is_open = parts[0] == "proc" and len(parts) == 2 and parts[1] in _PROC_OPEN
        return Area.SYSTEM if is_open else Area.OUTSIDE
    if is_own:
        return Area.OWN
    if any(within(real, place.realpath(str(r))) for r in (*place.workspace.reads, *place.workspace.share)):
        return Area.FURTHER
    if any(within(real, top) for top in _SYSTEM):
        return Area.SYSTEM
    if all(any(within(p, top) for top in _SCRATCH) for p in (plain, real)):
        return Area.SCRATCH
    return Area.OUTSIDE


def within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _below(path: str, area: Area, place: Place) -> str:
    """The part of a path in the workspace that its own names are judged by: where the worktree lies is no guard."""
    if area is not Area.WORKSPACE:
        return path
    for root in (str(place.workspace.root), place.realpath(str(place.workspace.root))):
        if within(path, root):
            return path[len(root) :].lstrip("/")
    return path


def is_secret(path: str) -> bool:
    """Whether a path by its names holds keys, tokens, histories or environments."""
    parts = [p for p in path.casefold().split("/") if p]
    if not parts:
        return False
    name = parts[-1]
    if name in _SHOWN_ENV or name.endswith(".pub"):
        return any(p in _SECRET_FOLDERS for p in parts[:-1]) and name not in _SHOWN_ENV
    if parts[0] == "proc" and name in (
        "environ",
        "mem",
        "maps",
        "auxv",
        "cmdline",
        "kcore",
        "keys",
        "root",
        "cwd",
    ):
        return True
    if any(p in _SECRET_FOLDERS for p in parts) or name in _SECRET_NAMES:
        return True
    if any(pair in _SECRET_PAIRS for pair in pairwise(parts)):
        return True
    return bool(_SECRET_PATTERN.fullmatch(name))


_TELLING = names(
    """.env .env.local .envrc .netrc .npmrc .pypirc .pgpass id_rsa id_ed25519 .ssh .aws .gnupg shadow
    .git-credentials .bash_history credentials server.pem server.key prod.env"""
)


def may_be_secret(pattern: str) -> bool:
    """Whether a glob could name a secret. Patterns of wildcards alone count as no: they aim at nothing special."""
    for part in pattern.casefold().split("/"):
        literal = re.sub(r"\[[^\]]*\]|[*?]", "", part)
        if literal in ("", ".") and not part.startswith("."):
            continue
        if is_secret(literal) or is_secret(part):
            return True
        for name in _TELLING:
            if fnmatch.fnmatchcase(name, part) and (part[0] == "." or not name.startswith(".")):
                return True
    return False


def guarded(path: str) -> str:
    """Why this path must not be written below level 4; '' when it may."""
    parts = [p for p in path.casefold().split("/") if p]
    if not parts:
        return ""
    for part in parts:
        if part in _GUARDED_FOLDERS:
            return _GUARDED_FOLDERS[part]
    if parts[-1] in _GUARDED_NAMES:
        return _GUARDED_NAMES[parts[-1]]
    if any(pair in _PACKAGE_PAIRS for pair in pairwise(parts)):
        return "configures a package manager"
    if "hooks" in parts[:-1] and parts[-1] in _GIT_HOOKS:
        return "is a hook"
    return ""


_GIT_HOOKS = names(
    """applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg
    commit-msg post-commit pre-rebase post-checkout post-merge pre-push post-rewrite pre-receive update
    post-receive post-update reference-transaction push-to-checkout pre-auto-gc sendemail-validate
    fsmonitor-watchman"""
)
