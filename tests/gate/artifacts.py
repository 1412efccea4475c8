"""Builds wheel and sdist from the tree and holds their file lists against the allow-lists beside this file.

A new module in a known package passes; a file anywhere else (a stray note, a key, a database) fails, and so
does a missing file. The lists are gitignore patterns; a line that starts with `+ ` must match something.
"""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pathspec

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def build(into: Path) -> tuple[list[str], list[str]]:
    """File names in the wheel, and in the sdist without its top folder."""
    made = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(into)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        sys.exit(f"the build failed\n{made.stdout}{made.stderr}")
    (wheel,) = into.glob("*.whl")
    (sdist,) = into.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = [name for name in archive.namelist() if not name.endswith("/")]
    with tarfile.open(sdist) as archive:
        in_sdist = [member.name.partition("/")[2] for member in archive if not member.isdir()]
    return in_wheel, in_sdist


def faults(kind: str, names: list[str]) -> list[str]:
    lines = [
        line for line in (HERE / f"{kind}.txt").read_text().splitlines() if line and not line.startswith("#")
    ]
    allowed = pathspec.GitIgnoreSpec.from_lines([line.removeprefix("+ ") for line in lines])
    found = [
        f"{kind}: {name} is not on the allow-list" for name in sorted(names) if not allowed.match_file(name)
    ]
    for line in lines:
        pattern = line.removeprefix("+ ")
        if pattern != line and not any(pathspec.GitIgnoreSpec.from_lines([pattern]).match_files(names)):
            found.append(f"{kind}: nothing matches {pattern}, which must be there")
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        wheel, sdist = build(Path(scratch))
    found = [*faults("wheel", wheel), *faults("sdist", sdist)]
    print("\n".join(found) if found else f"wheel {len(wheel)} files, sdist {len(sdist)} files: all expected")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
