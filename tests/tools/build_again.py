"""Build again from a copy at another path, with other file times, and compare byte by byte: `build_again.py DIST`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory


def digests(directory: Path) -> dict[str, str]:
    """Return the digest of each file."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def build_copy(source: Path, directory: Path) -> Path:
    """Build what git does not ignore in ``source`` from a copy in ``directory``, and return where the result is."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=source, capture_output=True, check=True
    ).stdout.decode()
    copy = directory / "elsewhere"
    for name in filter(None, listed.split("\0")):
        if (source / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, copy / name)
            shutil.copymode(source / name, copy / name)
            os.utime(copy / name, (86_400, 86_400))
    shutil.copyfile(source / ".gitignore", copy / ".gitignore")
    command = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(directory / "dist"), str(copy)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return directory / "dist"


def main(built: Path) -> int:
    """Print the digests, and return 1 if the second build differs."""
    with TemporaryDirectory() as directory:
        first, second = digests(built), digests(build_copy(Path.cwd(), Path(directory)))
    for name, digest in first.items():
        print(f"{digest}  {name}  {'byte-identical' if second.get(name) == digest else 'DIFFERS'}")
    return int(first != second)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
