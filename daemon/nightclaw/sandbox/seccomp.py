"""The system-call filter of sandboxed commands, as classic BPF written here byte for byte.

It guarantees: no tracing or reading of other processes' memory, no new namespaces and no mounts, no kernel keys, no
kernel code or tuning, no io_uring, no input pushed into a terminal, no set-uid file left behind, no socket families
that know no network namespace (vsock, packet, …), and nothing through another instruction set (i386, x32, arm).
A call numbered beyond what was known when this was written does not exist for the command.

Numbers: Linux `unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64). Instructions: linux/filter.h.
"""

import errno
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

# name: (x86_64, aarch64); None where the architecture has no such call
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # keys, kernel code, tuning, clocks
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "query_module": (178, None),
    "get_kernel_syms": (177, None),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # relics
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
    "_sysctl": (156, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
}
# Callers fall back to an older call that can be judged: flags or paths of these lie in memory we cannot read.
_ABSENT: dict[str, tuple[int, int]] = {
    "clone3": (435, 435),
    "openat2": (437, 437),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_LAST_KNOWN = 462  # mseal, Linux 6.10

_NEW_NAMESPACE = 0x7E02_0000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
_NEW_TIME = 0x80  # CLONE_NEWTIME: only unshare takes it, in clone the bit is part of the exit signal
_SET_ID = 0o6000
_CREATES = 0x40 | 0x40_0000  # O_CREAT | __O_TMPFILE, the same on both
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_X32 = 0x4000_0000

_ALLOW = 0x7FFF_0000
_KILL = 0x8000_0000
_ERROR = 0x0005_0000


@dataclass(frozen=True, slots=True)
class _Arch:
    column: int
    audit: int  # AUDIT_ARCH_…, linux/audit.h
    clone: int
    unshare: int
    ioctl: int
    sockets: tuple[int, int]
    modes: tuple[tuple[int, int], ...]  # (call, which argument is a mode)
    opens: tuple[tuple[int, int, int], ...]  # (call, argument of flags, argument of mode)


_ARCHES = {
    "x86_64": _Arch(
        0,
        0xC000_003E,
        clone=56,
        unshare=272,
        ioctl=16,
        sockets=(41, 53),
        # chmod fchmod fchmodat fchmodat2 creat mknod mknodat
        modes=((90, 1), (91, 1), (268, 2), (452, 2), (85, 1), (133, 1), (259, 2)),
        opens=((2, 1, 2), (257, 2, 3)),
    ),
    "aarch64": _Arch(
        1,
        0xC000_00B7,
        clone=220,
        unshare=97,
        ioctl=29,
        sockets=(198, 199),
        modes=((52, 1), (53, 2), (452, 2), (33, 2)),
        opens=((56, 2, 3),),
    ),
}

Instruction = tuple[int, int, int, int]
_LOAD, _EQUAL, _ANY_BIT, _ABOVE, _RETURN = 0x20, 0x15, 0x45, 0x25, 0x06
_NR, _ARCH = 0, 4


def supports(machine: str) -> bool:
    return machine in _ARCHES


def program(machine: str | None = None) -> bytes:
    """The filter for `machine` (default: this one), as the array of `struct sock_filter` bubblewrap reads.

    Raises KeyError for a machine without a table: there is no sandbox without the filter.
    """
    arch = _ARCHES[machine or platform.machine()]
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NR),
    ]
    if arch.column == 0:
        code += [(_ABOVE, 0, 1, _X32 - 1), (_RETURN, 0, 0, _KILL)]
    code += [(_ABOVE, 0, 1, _LAST_KNOWN), _refuse(errno.ENOSYS)]
    for pair in _ABSENT.values():
        code += _on(pair[arch.column], [_refuse(errno.ENOSYS)])
    for numbers in _FORBIDDEN.values():
        number = numbers[arch.column]
        if number is not None:
            code += _on(number, [_refuse(errno.EPERM)])
    code += _judged(arch)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _judged(arch: _Arch) -> list[Instruction]:
    """The calls whose arguments decide. Every block begins with the call's number loaded and ends with a return."""
    code: list[Instruction] = []
    code += _on(arch.clone, _bits(0, _NEW_NAMESPACE))
    code += _on(arch.unshare, _bits(0, _NEW_NAMESPACE | _NEW_TIME))
    code += _on(
        arch.ioctl,
        [_argument(1)]
        + [step for word in _TERMINAL_INPUT for step in ((_EQUAL, 0, 1, word), _refuse(errno.EPERM))]
        + [(_RETURN, 0, 0, _ALLOW)],
    )
    for call in arch.sockets:
        allowed = [step for family in _FAMILIES for step in ((_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW))]
        code += _on(call, [_argument(0), *allowed, _refuse(errno.EAFNOSUPPORT)])
    for call, mode in arch.modes:
        code += _on(call, _bits(mode, _SET_ID))
    for call, flags, mode in arch.opens:
        creating = [_argument(flags), (_ANY_BIT, 1, 0, _CREATES), (_RETURN, 0, 0, _ALLOW)]
        code += _on(call, [*creating, *_bits(mode, _SET_ID)])
    return code


def _on(number: int, block: Sequence[Instruction]) -> list[Instruction]:
    return [(_EQUAL, 0, len(block), number), *block]


def _bits(argument: int, mask: int) -> list[Instruction]:
    return [_argument(argument), (_ANY_BIT, 0, 1, mask), _refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW)]


def _argument(n: int) -> Instruction:
    """The low half of argument n: the kernel, too, reads flags, modes and ioctl numbers as 32 bits (little endian)."""
    return (_LOAD, 0, 0, 16 + 8 * n)


def _refuse(number: int) -> Instruction:
    return (_RETURN, 0, 0, _ERROR | number)
