"""Whether a tag may be released: `release_ready.py v0.1.0 https://the.host/owner/repository`."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path


def problems(root: Path, tag: str, repository: str) -> Iterator[str]:
    """Yield what stands against releasing ``tag`` from ``repository``."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    version = project["version"]
    if tag != f"v{version}":
        yield f"The tag is {tag}, and the version in pyproject.toml is {version}."
    if project["urls"]["Source"] != repository:
        yield f"[project.urls] Source is not {repository}: correct the URLs in pyproject.toml."
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        yield f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD` with the date filled in."


def main(tag: str, repository: str) -> int:
    """Print the problems, and return 1 if there are any."""
    found = list(problems(Path.cwd(), tag, repository))
    print(*found or [f"{tag} is ready."], sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
