"""Make the npm package of the browser's module, and check it as its users get it.

An argument names the directory that the package is left in, for a release.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "fin_messenger_auth" / "static"
TEMPLATE = Path(__file__).with_name("npm")
TESTED = json.loads((ROOT / "tests" / "browser" / "package.json").read_text())["dependencies"]
FILES = ["LICENSE", "README.md", "fin-messenger-auth.d.ts", "fin-messenger-auth.js", "package.json"]

# What a user writes: it must compile, and its second half must not.
RIGHT = """
import { startMessenger, type Messenger } from "fin-messenger-auth";
const messenger: Messenger = await startMessenger("/messenger/settings", { settings: { z_index: 3 } });
messenger.routeChanged();
window.Intercom?.("show");
"""
WRONG = """
import { startMessenger } from "fin-messenger-auth";
await startMessenger("/messenger/settings", { settings: { hide_default_luncher: true } });
"""
# How bundlers and Node resolve a package.
WAYS = {"nodenext": "nodenext", "esnext": "bundler"}


def make(directory: Path) -> None:
    """Write the package's files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    package = json.loads((TEMPLATE / "package.json").read_text("utf-8"))
    repository = {"type": "git", "url": f"git+{project['urls']['Source']}.git"}
    links = {"homepage": project["urls"]["Documentation"], "repository": repository}
    package = {"name": package.pop("name"), "version": project["version"], **package, **links}
    (directory / "package.json").write_text(json.dumps(package, indent=2) + "\n", "utf-8")
    for path in (TEMPLATE / "README.md", ROOT / "LICENSE", *STATIC.glob("fin-messenger-auth.*")):
        shutil.copy(path, directory)


def check(archive: Path, directory: Path) -> None:
    """Install the archive as a user does; look at its form, its import, and its types."""
    (directory / "package.json").write_text('{"private": true, "type": "module"}')
    packages = [f"{name}@{TESTED[name]}" for name in ("publint", "typescript")]
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", str(archive), *packages], directory)
    installed = directory / "node_modules" / "fin-messenger-auth"
    if (found := sorted(path.name for path in installed.iterdir())) != FILES:
        sys.exit(f"expected the files {FILES}, got {found}")
    tools = directory / "node_modules" / ".bin"
    _run([str(tools / "publint"), "--strict", str(installed)], directory)

    # The import does nothing, on a server too; a start there says so.
    script = (
        'const before = Object.keys(globalThis).length; const { startMessenger } = await import("fin-messenger-auth");'
        "if (Object.keys(globalThis).length !== before) throw Error('the import has a side effect');"
        'await (await startMessenger("/settings")).signedOut();'
    )
    if "server" not in _run(["node", "--input-type=module", "-e", script], directory):
        sys.exit("expected a line that says that nothing is started on a server")

    for module, resolution in WAYS.items():
        for name, source in (("right", RIGHT), ("wrong", WRONG)):
            (directory / f"{name}.ts").write_text(source)
            options = (
                f"--noEmit --strict --target es2022 --lib es2022,dom --module {module} --moduleResolution {resolution}"
            )
            command = [str(tools / "tsc"), *options.split(), f"{name}.ts"]
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
            if (done.returncode == 0) != (name == "right"):
                sys.exit(f"{resolution}, {name}.ts: {done.stdout or 'compiles'}")


def _run(command: list[str], directory: Path) -> str:
    program = shutil.which(command[0]) or command[0]
    done = subprocess.run([program, *command[1:]], cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Make, pack and check the package, and leave it where the argument says."""
    with TemporaryDirectory() as made, TemporaryDirectory() as used:
        make(Path(made))
        [packed] = json.loads(_run(["npm", "pack", "--json", "--pack-destination", made], Path(made)))
        archive = Path(made) / packed["filename"]
        check(archive, Path(used))
        print(f"{archive.name}: {packed['size']} bytes, {len(packed['files'])} files")
        for directory in map(Path, sys.argv[1:]):
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(archive, directory)


if __name__ == "__main__":
    main()
