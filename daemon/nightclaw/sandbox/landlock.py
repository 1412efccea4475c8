"""The first program inside the sandbox: sets limits, restricts itself with Landlock, becomes the command.

It runs alone, by path, in an isolated interpreter (`python -I -S landlock.py … -- argv`): standard library only, and
nothing imported that start-up does not need. The mounts around it are the first wall; Landlock says the same once
more in the kernel's own terms, so that a mount too many is still neither read nor written, and no signal or abstract
socket leaves the sandbox. A kernel without Landlock goes on without; one that refuses ends here, with exit 126.

Options: `--read PATH` `--write PATH` (repeated) `--NAME SOFT:HARD` for a resource limit.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
VERSION_FLAG = 1
PATH_BENEATH = 1
NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REMOVE_TO_MAKE_SYM = 0b1_1111_1111_0000  # REMOVE_DIR … MAKE_SYM
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
SCOPES = 0b11  # abstract sockets and signals stay inside

LIMITS = {
    "nproc": "RLIMIT_NPROC",
    "fsize": "RLIMIT_FSIZE",
    "cpu": "RLIMIT_CPU",
    "nofile": "RLIMIT_NOFILE",
    "core": "RLIMIT_CORE",
}


class RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The version of Landlock this kernel speaks; 0 without."""
    if sys.platform != "linux":
        return 0
    found = _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    return max(int(found), 0)


def restrict(reads: Sequence[str], writes: Sequence[str]) -> bool:
    """This process and its children read and run only beneath `reads` and `writes`, and write only beneath `writes`.

    Names of directories stay readable. False without Landlock. Raises OSError when the kernel has it and refuses.
    """
    version = abi()
    if not version:
        return False
    handled = EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | REMOVE_TO_MAKE_SYM
    handled |= (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled |= IOCTL_DEV if version >= 5 else 0
    libc = _libc()
    attr = RulesetAttr(handled, 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _checked(libc.syscall(CREATE_RULESET, ctypes.byref(attr), ctypes.c_size_t(size), 0))
    _allow(libc, ruleset, "/", READ_DIR & handled)
    for path in reads:
        _allow(libc, ruleset, path, (EXECUTE | READ_FILE | READ_DIR) & handled)
    for path in writes:
        _allow(libc, ruleset, path, handled)
    _checked(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # nothing there to allow
    try:
        if not os.path.isdir(path):
            access &= ON_FILES
        rule = PathBeneath(access, descriptor)
        _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def limit(name: str, soft: int, hard: int) -> None:
    """Set one resource limit, never above what is allowed already."""
    number = getattr(resource, LIMITS[name])
    _, ceiling = resource.getrlimit(number)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(number, (soft, hard))


def main(argv: list[str]) -> int:
    cut = argv.index("--")
    options, command = argv[:cut], argv[cut + 1 :]
    reads: list[str] = []
    writes: list[str] = []
    for name, value in zip(options[::2], options[1::2], strict=True):
        if name == "--read":
            reads.append(value)
        elif name == "--write":
            writes.append(value)
        else:
            soft, _, hard = value.partition(":")
            limit(name.removeprefix("--"), int(soft), int(hard))
    os.umask(0o022)
    _default_signals()
    try:
        restrict(reads, writes)
    except OSError as error:
        sys.stderr.write(f"nightclaw: Landlock refused: {error}\n")
        return 126
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


def _default_signals() -> None:
    """What the interpreter ignores, its successor would ignore too. `signal` itself is slow to import."""
    import _signal  # pyright: ignore[reportMissingImports]

    for name in ("SIGPIPE", "SIGXFSZ"):
        _signal.signal(getattr(_signal, name), _signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
