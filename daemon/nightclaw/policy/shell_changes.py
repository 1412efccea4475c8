"""Commands that change files, reach out or touch the machine: what each does, by name and arguments.

The sandbox confines them all; the level says how far one would reach. A program that is on no list is run in the
sandbox (level 2): it can do there what a script of the worktree can.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core.effects import Kind, Level
from nightclaw.policy.shell_words import Word
from nightclaw.policy.wordlist import names


@dataclass(frozen=True, slots=True)
class Change:
    """kind and level of the whole call; target when it is no path. writes, reads, deletes: words that name paths."""

    kind: Kind = Kind.RUN
    level: Level = Level.WORKSPACE
    target: str = ""
    why: str = ""
    writes: tuple[Word, ...] = ()
    reads: tuple[Word, ...] = ()
    deletes: tuple[Word, ...] = ()
    hosts: tuple[str, ...] = ()
    texts: tuple[Word, ...] = ()
    permissions: bool = False


def _operands(words: Sequence[Word]) -> tuple[Word, ...]:
    """Words that are no options, and the values of `--x=…`."""
    found: list[Word] = []
    is_over = False
    for word in words:
        text = str(word)
        if not is_over and text == "--":
            is_over = True
        elif not is_over and text.startswith("-") and len(text) > 1:
            if text.startswith("--") and "=" in text:
                value = text.partition("=")[2]
                found.append(Word(value, value))
        else:
            found.append(word)
    return tuple(found)


_WRITERS = names("touch mkdir mkfifo mknod truncate tee rename fallocate install")
_DELETERS = names("rm rmdir unlink shred srm wipe trash")
_OWNERS = names("chmod chown chgrp chattr setfacl setcap")
_MACHINE = names(
    """shutdown reboot halt poweroff init telinit mount umount swapon swapoff fdisk parted sfdisk mkswap
    losetup insmod rmmod modprobe sysctl iptables ip6tables nft ufw useradd userdel usermod groupadd
    groupdel passwd chpasswd visudo vipw hwclock timedatectl hostnamectl localectl setenforce dmsetup
    cryptsetup lvremove vgremove wipefs blkdiscard diskutil csrutil spctl nvram scutil networksetup ip
    ifconfig route debugfs kexec update-alternatives ldconfig update-grub dpkg rpm apt apt-get aptitude
    dnf yum zypper pacman apk emerge snap flatpak brew port nix-env docker podman nerdctl lxc lxd incus
    vagrant virsh qemu-system-x86_64"""
)
_SERVICES = names(
    """systemctl launchctl service initctl rc-service rc-update crontab at atd anacron loginctl machinectl
    busctl gdbus dbus-send osascript defaults"""
)
_KEYS = names(
    """security secret-tool pass gopass gpg gpg2 gpg-agent ssh-add ssh-agent ssh-keygen keyctl op bw lpass
    vault age sops keyring kwallet-query pinentry git-credential docker-credential-helper aws-vault
    chamber doppler infisical"""
)
_FETCHERS = names(
    "curl wget http https xh aria2c lynx links w3m axel httpie wget2 curlie hurl youtube-dl yt-dlp"
)
_REACHING = names(
    """ssh scp sftp rsync ftp lftp tftp telnet nc ncat netcat socat dig nslookup host ping ping6 traceroute
    tracepath mtr whois mail mailx sendmail mutt msmtp gh hub glab aws gcloud gsutil az kubectl helm
    terraform tofu pulumi heroku fly flyctl vercel netlify wrangler doctl firebase ansible
    ansible-playbook psql mysql mongo mongosh redis-cli nmap masscan tcpdump rclone s3cmd mc ngrok
    cloudflared tailscale wg openvpn websocat grpcurl mosh autossh rsh rlogin finger resolvectl getent
    smbclient nfsstat gist transfer croc magic-wormhole wormhole ipfs torify tor irc irssi nsupdate"""
)
_INSTALLING: Mapping[str, str] = {
    "npm": "install i in add ci update up upgrade exec x init create link audit dedupe rebuild uninstall remove rm",
    "pnpm": "install i add update up dlx exec create import link remove rm fetch",
    "yarn": "install add up upgrade dlx create import link remove set",
    "bun": "install i add update x create link remove",
    "pip": "install download wheel uninstall",
    "uv": "pip sync add lock remove tool python venv self publish",
    "poetry": "install add update lock self remove publish",
    "pipenv": "install update sync lock uninstall",
    "pdm": "install add update sync lock remove publish",
    "pipx": "install run upgrade inject reinstall",
    "conda": "install create update env remove",
    "mamba": "install create update env remove",
    "cargo": "install add update fetch publish search login owner yank binstall generate-lockfile vendor",
    "go": "get install mod download",
    "gem": "install update push fetch sources uninstall",
    "bundle": "install update add outdated",
    "composer": "install update require create-project global",
    "rustup": "install update toolchain target component default self",
    "nvm": "install",
    "asdf": "install plugin",
    "mise": "install use",
    "deno": "install add cache upgrade publish",
    "dotnet": "add restore tool nuget workload new",
    "mix": "deps.get local.hex archive.install hex.publish",
    "cpan": "",
    "cpanm": "",
    "luarocks": "install",
    "npx": "",
    "bunx": "",
    "uvx": "",
    "pnpx": "",
    "easy_install": "",
    "corepack": "",
    "twine": "",
    "nix": "",
    "nix-shell": "",
}
_PUBLISHING = frozenset(
    {"publish", "push", "upload", "yank", "deploy", "release", "login", "adduser", "token", "owner"}
)
_OWN = frozenset({"clawctl", "nightclaw", "clawd"})
_PYTHON = re.compile(r"python(3(\.\d+)?)?|pypy3?")
_URL_WORD = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://|\w[\w.-]*\.[A-Za-z]{2,}(?:[:/]|$)|localhost\b|\d+\.\d|\[[0-9a-fA-F:]+\]"
)


def change(name: str, words: Sequence[Word]) -> Change | None:
    """What a command that is no plain read and no wrapper does; None when its name is on no list."""
    if name in _OWN:
        return Change(Kind.OWN_STATE, Level.IRREVERSIBLE, name, "speaks to the daemon itself")
    if name in _SERVICES:
        return Change(
            Kind.OWN_STATE,
            Level.IRREVERSIBLE,
            name,
            "changes services or starts something outside the sandbox",
        )
    if name in _MACHINE or name.startswith("mkfs"):
        return Change(Kind.RUN, Level.IRREVERSIBLE, name, "changes the machine outside the workspace")
    if name in _KEYS:
        return Change(Kind.CREDENTIALS, Level.IRREVERSIBLE, name, "handles keys or secrets")
    if name in ("kill", "pkill", "killall", "skill"):
        return _kill(name, words)
    files = _files(name, words)
    if files is not None:
        return files
    return _outward(name, words)


def _kill(name: str, words: Sequence[Word]) -> Change:
    own = any(str(w) in ("1", "-1", "0") or "PPID" in w.raw for w in words)
    if name == "kill" and not own:
        return Change(Kind.RUN, Level.WORKSPACE, "kill", "ends a process of the sandbox")
    return Change(
        Kind.OWN_STATE, Level.IRREVERSIBLE, name, "may end the daemon or processes that are not its own"
    )


def _files(name: str, words: Sequence[Word]) -> Change | None:
    operands = _operands(words)
    if name in _WRITERS:
        return Change(Kind.WRITE, writes=operands, why=name)
    if name in _DELETERS:
        return Change(Kind.DELETE, deletes=operands, why=name)
    if name in _OWNERS:
        return Change(Kind.PERMISSIONS, writes=operands[1:], permissions=True, why=name)
    if name in ("cp", "ln", "link"):
        last, sources = operands[-1:], operands[:-1]
        return Change(
            Kind.WRITE, writes=last if len(operands) > 1 else (), reads=sources or operands, why=name
        )
    if name == "mv":
        return Change(Kind.WRITE, writes=operands[-1:], reads=operands[:-1], deletes=operands[:-1], why=name)
    if name in ("sed", "gsed") and any(re.match(r"-[nErsuz]*i|--in-place", str(w)) for w in words):
        given = any(re.match(r"-[nErsuz]*e|--expression", str(w)) for w in words)
        return Change(Kind.WRITE, writes=operands if given else operands[1:], why="sed -i")
    if name == "sort":
        outs = [words[k + 1] for k, w in enumerate(words[:-1]) if w.text in ("-o", "--output")]
        return (
            Change(Kind.WRITE, writes=(*outs, *(o for o in operands if o not in outs)), why="sort")
            if outs
            else None
        )
    if name == "dd":
        named = [(str(w).partition("=")[0], str(w).partition("=")[2]) for w in words]
        return Change(
            Kind.WRITE,
            writes=tuple(Word(v, v) for n, v in named if n == "of"),
            reads=tuple(Word(v, v) for n, v in named if n == "if"),
            why="dd",
        )
    if name == "find":
        tops = []
        for word in words:
            if str(word).startswith(("-", "(", "!")):
                break
            tops.append(word)
        if any(w.text == "-delete" for w in words):
            return Change(Kind.DELETE, deletes=tuple(tops) or (Word(".", "."),), why="find -delete")
        outs = [words[k + 1] for k, w in enumerate(words[:-1]) if str(w.text).startswith(("-fprint", "-fls"))]
        return Change(Kind.WRITE, writes=tuple(outs), reads=tuple(tops), why="find") if outs else None
    return None


def _outward(name: str, words: Sequence[Word]) -> Change | None:
    texts = [str(w) for w in words]
    if name in _FETCHERS:
        return Change(Kind.NETWORK, Level.OUTWARD, hosts=_hosts(texts) or ("?",), why=name)
    if name in _REACHING or (name == "openssl" and texts[:1] in (["s_client"], ["s_server"], ["ocsp"])):
        return Change(Kind.NETWORK, Level.OUTWARD, hosts=_hosts(texts) or _first(texts, name), why=name)
    if _PYTHON.fullmatch(name) and texts[:2] in (
        ["-m", "pip"],
        ["-m", "uv"],
        ["-m", "ensurepip"],
        ["-m", "pipx"],
    ):
        name, texts = "pip", texts[2:]
    if name in ("pip2", "pip3") or re.fullmatch(r"pip3\.\d+", name):
        name = "pip"
    if name == "node" or _PYTHON.fullmatch(name):
        return None
    if name in _INSTALLING:
        return _install(name, texts)
    return None


def _install(name: str, texts: list[str]) -> Change | None:
    plain = [t for t in texts if not t.startswith("-")]
    verb = plain[0] if plain else ""
    if any("authtoken" in t.lower() or "_password" in t.lower() for t in texts):
        return Change(Kind.CREDENTIALS, Level.IRREVERSIBLE, name, "shows a credential")
    if verb in _PUBLISHING or name == "twine":
        return Change(Kind.PUSH, Level.OUTWARD, f"{name} *", "publishes")
    if name in ("npm", "yarn", "pnpm", "pip") and verb == "config":
        return Change(Kind.WRITE, Level.IRREVERSIBLE, name, "handles the package manager's settings")
    if (
        not _INSTALLING[name]
        or verb in _INSTALLING[name].split()
        or (name in ("yarn", "pnpm", "bundle") and not verb)
    ):
        if name == "npx" and "--no-install" in texts:
            return None
        return Change(
            Kind.INSTALL, Level.OUTWARD, " ".join([name, *texts])[:200], "downloads and runs what it fetched"
        )
    if name == "uv" and verb == "run" and any(t.startswith(("--with", "--from", "--script")) for t in texts):
        return Change(
            Kind.INSTALL, Level.OUTWARD, " ".join([name, *texts])[:200], "downloads and runs what it fetched"
        )
    if name == "go" and verb == "run" and any("@" in t for t in plain):
        return Change(
            Kind.INSTALL, Level.OUTWARD, " ".join([name, *texts])[:200], "downloads and runs what it fetched"
        )
    return None


def _first(texts: Sequence[str], name: str) -> tuple[str, ...]:
    """`ssh host`, `scp file host:path`: the word that is most likely where it goes."""
    operands = [t for t in texts if not t.startswith("-")]
    remote = [t.partition(":")[0] for t in operands if re.match(r"[\w.@-]+:", t)]
    return tuple(remote[:4] or operands[:1] or [name])


def _hosts(texts: Sequence[str]) -> tuple[str, ...]:
    """Words that look like addresses, as written."""
    found: list[str] = []
    for text in texts:
        value = text.partition("=")[2] if text.startswith("-") and "=" in text else text
        if not value.startswith("-") and _URL_WORD.match(value):
            found.append(value)
    return tuple(found[:8])
