"""Whether the public interface breaks what the last release promised: run by the session `package`.

The last release is the newest tag ``v…`` before this commit. Public is what the ``__all__`` of a public package lists,
as the reference does. A break is allowed only where the major version is another, or the minor version while it is 0.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import griffe

PACKAGE = "fin_messenger_auth"


def last_release(repository: Path) -> str | None:
    """Return the newest tag before this commit; ``None`` before the first release."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"]  # HEAD itself may be a release's
    found = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def breaks(repository: Path, tag: str) -> Iterator[str]:
    """Yield what the public interface of ``repository`` breaks of the one at ``tag``."""
    released = griffe.load_git(PACKAGE, ref=tag, repo=repository, search_paths=["src"], allow_inspection=False)
    present = griffe.load(PACKAGE, search_paths=[repository / "src"], allow_inspection=False)
    promised = public_paths(released)
    yield from (f"{path}: Public object was removed" for path in sorted(promised) if is_lost(path, present))
    for each in griffe.find_breaking_changes(released, present):
        if any(f"{each.obj.canonical_path}.".startswith(f"{path}.") for path in promised):
            yield each.explain(griffe.ExplanationStyle.ONE_LINE)


def is_lost(path: str, package: griffe.Object | griffe.Alias) -> bool:
    """Tell whether a package re-exports a name that is no longer where it was defined, which griffe passes over."""
    try:
        found = package[path.removeprefix(f"{PACKAGE}.")]
        _ = found.is_alias and found.final_target
    except griffe.AliasResolutionError:
        return True
    except KeyError:
        pass  # griffe says so
    return False


def public_paths(package: griffe.Object | griffe.Alias) -> set[str]:
    """Return the paths of everything that the ``__all__`` of a module lists, and where it is defined."""
    paths: set[str] = set()
    for module in modules(package):
        for name in module.exports or ():
            member = module.members.get(str(name))
            paths.add(f"{module.canonical_path}.{name}")
            if isinstance(member, griffe.Alias):
                paths.add(member.target_path)
    return paths


def modules(package: griffe.Object | griffe.Alias) -> Iterator[griffe.Object | griffe.Alias]:
    """Yield a package and every module in it."""
    yield package
    for each in package.modules.values():
        if not each.is_alias:
            yield from modules(each)


def may_break(tag: str, version: str) -> bool:
    """Tell whether Semantic Versioning lets ``version`` break what ``tag`` promised."""
    before, after = (each.lstrip("v").split(".") for each in (tag, version))
    significant = 2 if after[0] == "0" else 1
    return before[:significant] != after[:significant]


def main(repository: Path) -> int:
    """Print every break, and return 1 if one is not allowed."""
    tag = last_release(repository)
    if tag is None:
        print("No release yet: there is no interface to keep.")
        return 0
    version = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    found = list(breaks(repository, tag))
    for each in found:
        print(each)
    print(f"{len(found)} breaks of the public interface of {tag}.")
    return int(bool(found) and not may_break(tag, version))


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
