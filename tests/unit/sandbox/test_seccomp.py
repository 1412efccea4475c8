"""The filter, run by a small interpreter of its own instructions: so each machine's table is tried on any machine."""

import errno
import struct

import pytest

from nightclaw.sandbox import seccomp

AUDIT = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
I386, ARM = 0x4000_0003, 0x4000_0028
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
REFUSED, ABSENT = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS
NO_FAMILY = 0x0005_0000 | errno.EAFNOSUPPORT
CALLS = {  # name: (x86_64, aarch64)
    "read": (0, 63),
    "clone": (56, 220),
    "unshare": (272, 97),
    "ioctl": (16, 29),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "openat": (257, 56),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "execve": (59, 221),
    "ptrace": (101, 117),
    "mount": (165, 40),
    "bpf": (321, 280),
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "landlock_restrict_self": (446, 446),
}


def run(program: bytes, arch: int, number: int, *args: int) -> int:
    """Classic BPF over `struct seccomp_data`, as the kernel would: no instruction beyond those of the manual."""
    data = struct.pack("=iIQ6Q", number, arch, 0, *[*args, *[0] * 6][:6])
    code = [struct.unpack_from("=HBBI", program, n) for n in range(0, len(program), 8)]
    a = at = 0
    while True:
        operation, yes, no, k = code[at]
        at += 1
        match operation:
            case 0x20:
                (a,) = struct.unpack_from("=I", data, k)
            case 0x15:
                at += yes if a == k else no
            case 0x25:
                at += yes if a > k else no
            case 0x45:
                at += yes if a & k else no
            case 0x06:
                return k
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return request.param


def asked(machine: str, name: str, *args: int) -> int:
    number = CALLS[name][0 if machine == "x86_64" else 1]
    return run(seccomp.program(machine), AUDIT[machine], number, *args)


def test_daily_work_is_allowed(machine: str) -> None:
    assert len(seccomp.program(machine)) % 8 == 0 and len(seccomp.program(machine)) // 8 < 4096
    for name in ("read", "execve", "landlock_restrict_self"):
        assert asked(machine, name) == ALLOW
    assert asked(machine, "clone", 0x3D0F00) == ALLOW, "a thread"
    assert asked(machine, "clone", 17) == ALLOW and asked(machine, "clone", 0x80 | 17) == ALLOW
    assert asked(machine, "unshare", 0x400) == ALLOW, "its own table of files"
    assert asked(machine, "ioctl", 1, 0x5413) == ALLOW
    for family in (1, 2, 10, 16):
        assert asked(machine, "socket", family) == ALLOW
    assert asked(machine, "fchmod", 3, 0o755) == ALLOW and asked(machine, "fchmodat", 3, 0, 0o1777) == ALLOW
    assert asked(machine, "openat", 0, 0, 0x41, 0o644) == ALLOW
    assert asked(machine, "openat", 0, 0, 0, 0o6777) == ALLOW, "without O_CREAT the mode is leftover bytes"


@pytest.mark.parametrize("name", ["ptrace", "mount", "bpf"])
def test_the_forbidden_is_refused(machine: str, name: str) -> None:
    assert asked(machine, name) == REFUSED


def test_flags_decide(machine: str) -> None:
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert asked(machine, "clone", flag | 17) == REFUSED
        assert asked(machine, "unshare", flag) == REFUSED
    assert asked(machine, "unshare", 0x80) == REFUSED
    for request in (0x5412, 0x541C):
        assert asked(machine, "ioctl", 1, request) == REFUSED
        assert asked(machine, "ioctl", 1, 1 << 32 | request) == REFUSED, "the kernel reads the low half, too"
    for family in (0, 3, 17, 29, 31, 38, 40, 44, 45):
        assert (
            asked(machine, "socket", family) == NO_FAMILY
            and asked(machine, "socketpair", family) == NO_FAMILY
        )
    for mode in (0o4755, 0o2755, 0o6000):
        assert asked(machine, "fchmod", 3, mode) == REFUSED
        assert asked(machine, "fchmodat", 3, 0, mode) == REFUSED
        assert asked(machine, "openat", 0, 0, 0x41, mode) == REFUSED
        assert asked(machine, "openat", 0, 0, 0x410000, mode) == REFUSED


def test_what_cannot_be_judged_does_not_exist(machine: str) -> None:
    for name in ("clone3", "io_uring_setup"):
        assert asked(machine, name) == ABSENT
    for number in (463, 500, 5000, 0x3FFF_FFFF):
        assert run(seccomp.program(machine), AUDIT[machine], number) == ABSENT


def test_another_instruction_set_is_death(machine: str) -> None:
    for arch in (I386, ARM, 0, AUDIT["aarch64" if machine == "x86_64" else "x86_64"]):
        assert run(seccomp.program(machine), arch, 0) == KILL
    if machine == "x86_64":
        assert run(seccomp.program(machine), AUDIT[machine], 0x4000_0000) == KILL
        assert run(seccomp.program(machine), AUDIT[machine], 0x4000_0000 | 520) == KILL


def test_a_machine_without_a_table_has_no_filter() -> None:
    assert not seccomp.supports("riscv64")
    with pytest.raises(KeyError):
        seccomp.program("riscv64")
