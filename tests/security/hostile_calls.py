"""Run inside the sandbox: tries what the system-call filter forbids and prints `name refused` or `name DONE`.

Each call is made so that, were it let through, the kernel would answer something else than the filter does.
"""

import ctypes
import errno
import os
import platform
import sys

libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
NUMBERS = {  # name: (x86_64, aarch64)
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "mount_setattr": (442, 442),
    "setns": (308, 268), "unshare": (272, 97), "clone": (56, 220), "clone3": (435, 435), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273), "reboot": (169, 142), "swapon": (167, 224),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262), "acct": (163, 89),
    "settimeofday": (164, 170), "syslog": (103, 116), "quotactl": (179, 60), "openat2": (437, 437),
    "future": (900, 900),
}  # fmt: skip
NEW = {"ns": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000,
       "net": 0x40000000, "time": 0x80}  # fmt: skip
REFUSALS = (errno.EPERM, errno.ENOSYS)


def tell(name: str, result: int) -> None:
    number = ctypes.get_errno()
    refused = result == -1 and number in REFUSALS
    print(name, "refused" if refused else f"DONE {result} {os.strerror(number)}", flush=True)


def call(name: str, *args: object) -> int:
    ctypes.set_errno(0)
    return libc.syscall(NUMBERS[name][ARM], *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])


def try_files() -> None:
    open("plain", "w").close()
    for name, attempt in (
        ("setuid-chmod", lambda: os.chmod("plain", 0o4755)),
        ("setgid-fchmod", lambda: os.fchmod(os.open("plain", os.O_RDONLY), 0o2755)),
        ("setuid-open", lambda: os.close(os.open("suid", os.O_CREAT | os.O_WRONLY, 0o4755))),
        ("setuid-mknod", lambda: os.mknod("suid2", 0o104755)),
        ("device", lambda: os.mknod("disk", 0o060600, os.makedev(8, 0))),
    ):
        try:
            attempt()
            print(name, "DONE")
        except OSError as error:
            print(name, "refused" if error.errno in REFUSALS else f"DONE {error}")
    os.chmod("plain", 0o755)


def main() -> None:
    outside = int(sys.argv[1])
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "60"])
    given: dict[str, tuple[object, ...]] = {
        "ptrace": (16, child, 0, 0),  # of a child of its own: the kernel alone would allow it
        "process_vm_readv": (child, None, 0, None, 0, 0),
        "process_vm_writev": (child, None, 0, None, 0, 0),
        "kcmp": (os.getpid(), child, 0, 0, 0),
        "mount": (b"none", b"/tmp", b"tmpfs", 0, None),
        "umount2": (b"/tmp", 2),
        "chroot": (b"/tmp",),
        "fsopen": (b"tmpfs", 0),
        "keyctl": (0, -3, 0),
        "add_key": (b"user", b"x", b"y", 1, -3),
        "request_key": (b"user", b"x", None, -3),
        "userfaultfd": (1,),
        "io_uring_setup": (4, ctypes.create_string_buffer(256)),
        "name_to_handle_at": (
            -100,
            b"/tmp",
            ctypes.create_string_buffer(256),
            ctypes.create_string_buffer(8),
            0,
        ),
        "openat2": (-100, b"/tmp", ctypes.create_string_buffer(24), 24),
        "reboot": (0xFEE1DEAD, 672274793, 0, None),
    }
    for name in NUMBERS:
        if name not in ("unshare", "clone", "clone3"):
            tell(name, call(name, *given.get(name, (0, 0, 0, 0, 0))))
    tell("ptrace-outside", call("ptrace", 16, outside, 0, 0))
    for name, flag in NEW.items():
        tell(f"unshare-{name}", call("unshare", flag))
        if name != "time":
            result = call("clone", flag | 17, 0, 0, 0, 0)
            if result == 0:
                os._exit(0)
            tell(f"clone-{name}", result)
    tell("clone3", call("clone3", ctypes.create_string_buffer(88), 88))
    _, terminal = os.openpty()
    for name, request in (("tiocsti", 0x5412), ("tioclinux", 0x541C)):
        for high in (0, 1 << 32):
            ctypes.set_errno(0)
            tell(f"{name}-{high >> 32}", libc.ioctl(terminal, ctypes.c_ulong(request | high), b"x"))
    try_files()
    os.kill(child, 9)
    print("tried all")


main()
