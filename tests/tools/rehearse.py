"""Rehearses a release on package indexes of this machine: ``rehearse.py DIST NPM``.

Uploads the wheel and the sdist to a pypiserver and the npm package to a verdaccio, both on loopback, installs them by
name as users do, with each extra on each interpreter at hand, runs the demo, and compares what arrived with what was
built.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256, sha512
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME, VERSION, EXTRAS = PROJECT["name"], PROJECT["version"], sorted(PROJECT["optional-dependencies"])
INTERPRETERS = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
# What each extra is for, beside the demo.
IMPORTS = {"doctor": "import fin_messenger_auth.diagnosis, quickjs, selectolax, urllib3, rich"}
PYPISERVER = ["-m", "pypiserver", "run", "--disable-fallback", "-i", "127.0.0.1", "-P", ".", "-a", "."]
ANYBODY = ["-u", "anybody", "-p", "anything"]
VERDACCIO = {"private": True, "dependencies": {"verdaccio": "6"}, "overrides": {"node-fetch": "2.7.0"}}
CONFIGURATION = """
storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
packages: {"**": {access: $all, publish: $authenticated}}
log: {type: stdout, level: warn}
"""


def run(*command: str | Path, cwd: Path | None = None, **environ: str) -> str:
    """Run a program that must succeed, and return what it prints."""
    words = [str(each) for each in command]
    done = subprocess.run(words, cwd=cwd, env=os.environ | environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"FAILS: {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def serving(command: Callable[[int], list[str]], cwd: Path) -> Iterator[str]:
    """Run a server on a free port of loopback, until the end, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (cwd / "server.log").open("w") as log:
        server = subprocess.Popen(command(port), cwd=cwd, stdout=log, stderr=log)
    try:
        for _ in range(600):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None:
                sys.exit(f"FAILS: {' '.join(command(port))}\n{(cwd / 'server.log').read_text()}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def digests(root: Path) -> dict[str, str]:
    """Return the digest of each file below a directory, bytecode left out."""
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in files}


def interpreters() -> list[Path]:
    """Return the interpreters of the project's classifiers that are here."""
    found = []
    for version in INTERPRETERS:
        uv = ["uv", "python", "find", "--no-python-downloads", "--system", version]
        done = subprocess.run(uv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.append(Path(done.stdout.strip()))
        elif "CI" in os.environ:
            sys.exit(f"FAILS: there is no Python {version}")
        else:
            print(f"NOT REHEARSED: Python {version} is not here", flush=True)
    return found


def packages_of(built: Path, directory: Path) -> None:
    """Upload to a package index and install from it."""
    index = directory / "index"
    index.mkdir()
    with serving(lambda port: [sys.executable, *PYPISERVER, "-p", str(port), str(index)], directory) as address:
        files = sorted(path for path in built.iterdir() if path.suffix in {".whl", ".gz"})
        run(sys.executable, "-m", "twine", "upload", "--repository-url", address, *ANYBODY, *files)
        listed = urllib.request.urlopen(f"{address}simple/{NAME}/").read().decode()
        for path in files:
            [link] = re.findall(rf'href="([^"#]*{re.escape(path.name)})', listed)
            arrived = urllib.request.urlopen(address.rstrip("/") + link).read()
            same(path.name, sha256(arrived).hexdigest(), sha256(path.read_bytes()).hexdigest())
        expected = directory / "expected"
        shutil.unpack_archive(next(path for path in files if path.suffix == ".whl"), expected, "zip")
        from_index = ["uv", "pip", "install", "--quiet", "--index", f"{address}simple/", "--refresh-package", NAME]
        wanted = digests(expected / "fin_messenger_auth")
        for python in interpreters():
            for extra in ["", *EXTRAS]:
                venv = directory / "venv"
                run("uv", "venv", "--quiet", "--clear", "--python", python, venv)
                run(*from_index, "--python", venv, f"{NAME}[{extra}]=={VERSION}" if extra else f"{NAME}=={VERSION}")
                tried(venv, extra, wanted, f"{python.name}, {extra or 'no extra'}")
        source = directory / "from-source"
        run("uv", "venv", "--quiet", source)
        run(*from_index, "--python", source, "--no-binary", NAME, f"{NAME}=={VERSION}")
        tried(source, "", wanted, "the sdist")
    readme = directory / "readme"
    run("uv", "venv", "--quiet", "--seed", readme)
    [line] = re.findall(r'`pip install ("PATH-OF-THE-CLONE.+?")`', (ROOT / "README.md").read_text("utf-8"))
    run(readme / "bin" / "pip", "install", "--quiet", line.strip('"').replace("PATH-OF-THE-CLONE", str(ROOT)))
    tried(readme, "doctor", wanted, "the README's line")


def tried(venv: Path, extra: str, wanted: dict[str, str], what: str) -> None:
    """Compare an installed library with what was built, run its demo, and import what the extra is for."""
    python = venv / "bin" / "python"
    [installed] = venv.glob("lib/python*/site-packages/fin_messenger_auth")
    same(what, digests(installed), wanted)
    run(python, "-I", "-m", "fin_messenger_auth", "demo", cwd=venv)
    if extra:
        module = f"import fin_messenger_auth.backends.{extra.replace('-', '_')}"
        run(python, "-I", "-c", IMPORTS.get(extra, module), cwd=venv)


def same(what: str, got: object, wanted: object) -> None:
    """Say that something is as it was built, or end the rehearsal."""
    if got != wanted:
        sys.exit(f"FAILS: {what} is not what was built")
    print(f"{what}: as built", flush=True)


def npm_package_of(built: Path, directory: Path) -> None:
    """Publish to an npm registry and install from it."""
    (directory / "package.json").write_text(json.dumps(VERDACCIO))
    run("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=directory)
    (directory / "config.yaml").write_text(CONFIGURATION)
    program = str(directory / "node_modules" / ".bin" / "verdaccio")
    command = [program, "--config", str(directory / "config.yaml"), "--listen"]
    with serving(lambda port: [*command, f"127.0.0.1:{port}"], directory) as address:
        user = {"name": "rehearsal", "password": "only-for-the-rehearsal"}
        asked = urllib.request.Request(
            f"{address}-/user/org.couchdb.user:rehearsal", json.dumps(user).encode(), method="PUT"
        )
        asked.add_header("Content-Type", "application/json")
        token = json.load(urllib.request.urlopen(asked))["token"]
        shop = directory / "shop"
        shop.mkdir()
        (shop / ".npmrc").write_text(f"registry={address}\n{address.removeprefix('http:')}:_authToken={token}\n")
        (shop / "package.json").write_text('{"private": true, "type": "module"}')
        [archive] = built.glob("*.tgz")
        run("npm", "publish", archive, cwd=shop)
        integrity = json.loads(run("npm", "view", NAME, "dist", "--json", cwd=shop))["integrity"]
        digest = sha512(archive.read_bytes()).digest()
        same(archive.name, integrity, f"sha512-{base64.b64encode(digest).decode()}")
        run("npm", "install", "--silent", "--no-audit", NAME, cwd=shop)
        run("node", "--input-type=module", "-e", f'await import("{NAME}")', cwd=shop)
        static = ROOT / "src" / "fin_messenger_auth" / "static"
        for path in static.glob(f"{NAME}.*"):
            arrived = shop / "node_modules" / NAME / path.name
            same(path.name, arrived.read_bytes(), path.read_bytes())


def main(built: Path, npm: Path) -> None:
    start = time.monotonic()
    for number, (rehearse, files) in enumerate(((packages_of, built), (npm_package_of, npm))):
        with TemporaryDirectory(prefix=f"rehearsal-{number}-") as directory:
            rehearse(files.absolute(), Path(directory))
    print(f"Rehearsed: {NAME} {VERSION}, in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
