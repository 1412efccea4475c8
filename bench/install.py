"""What an install of the core brings: packages and megabytes, made from requirements.lock into a fresh environment.

    python bench/install.py [--quick]     (--quick only counts the lock's packages for this platform)

Uses the pip of this environment, or uv; needs the index that those are set up for.
"""

import compileall
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from house import ROOT, is_quick, say

LOCK = ROOT / "requirements.lock"


def locked() -> int:
    """The packages of the lock that this platform takes, and Nightclaw itself."""
    lines = re.findall(r"^[\w.-]+==\S+(?: ; (.+?))? \\$", LOCK.read_text(), re.MULTILINE)
    return 1 + sum("emscripten'" not in line or "!=" in line for line in lines)


def megabytes(folder: Path) -> tuple[float, float]:
    """What the files hold, and what they take on this disk, which rounds each up to whole blocks."""
    found = [f.lstat() for f in folder.rglob("*")]
    return sum(f.st_size for f in found) / 1e6, sum(f.st_blocks * 512 for f in found) / 1e6


def installed(folder: Path) -> Path:
    """A venv with what the lock says and Nightclaw itself, without bytecode."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "-q"]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        pip = [shutil.which("uv") or "uv", "pip", "install", "-q", "--python", python]
    without_bytecode = ["--no-compile"] if "pip" in pip[2] else []
    for what in (["--require-hashes", "-r", LOCK], [built(folder)]):
        done = subprocess.run([*pip, *without_bytecode, "--no-deps", *what], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the install failed:\n{done.stderr[-2000:]}")
    return venv


def built(folder: Path) -> Path:
    """The wheel; without the build tools an unpacked copy of the packages serves as well."""
    try:
        import hatchling  # noqa: F401
    except ImportError:
        raise SystemExit("bench/install.py builds the wheel: `make test` once brings what it needs") from None
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True,
                   capture_output=True)  # fmt: skip
    return next(folder.glob("*.whl"))


def main() -> None:
    say("install.packages", locked(), "packages")
    if is_quick():
        return
    with tempfile.TemporaryDirectory(prefix="ncb") as folder:
        venv = installed(Path(folder))
        site = next((venv / "lib").glob("python3*/site-packages"))
        say("install.packages_found", len(list(site.glob("*.dist-info"))), "packages")
        say("install.size", megabytes(venv)[0], "MB")
        compileall.compile_dir(site, quiet=2, workers=2)
        held, taken = megabytes(venv)
        say("install.size_with_bytecode", held, "MB")
        say("install.size_on_disk", taken, "MB")


if __name__ == "__main__":
    main()
