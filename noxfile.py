"""The project's checks. ``nox`` runs all of them; ``nox -s NAME`` runs one.

The tests run against the installed wheel, never against the source tree.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False  # `interpreters` names the missing ones, loudly

INTERPRETERS = ["3.11", "3.12", "3.13", "3.14"]
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str, pins: list[str] | None = None) -> None:
    """Build the wheel, and install it together with dependency groups and exact versions."""
    wheels = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), ".")
    wheel = next(wheels.glob("*.whl"))
    session.install(f"{wheel}", *(pins or []), *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Types, of the project and as its users see them."""
    install(session, "typing")
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "fin_messenger_auth", "--ignoreexternal")


@nox.session(python=INTERPRETERS)
def tests(session: nox.Session) -> None:
    """The tests, on one interpreter."""
    install(session, "tests")
    session.run("pytest", *session.posargs)


@nox.session(python=INTERPRETERS[0])
def lowest(session: nox.Session) -> None:
    """The tests, on the lowest versions that pyproject.toml allows."""
    lower_bounds = [each.replace(">=", "==") for each in PROJECT["project"]["dependencies"]]
    install(session, "tests", pins=lower_bounds)
    session.run("pytest", *session.posargs)


@nox.session
def backends(session: nox.Session) -> None:
    """The signers for keys that live elsewhere, and the examples of others."""
    install(session, "backends")
    session.run("coverage", "run", "-m", "pytest", "-q", "tests/backends", *session.posargs)
    if shutil.which("softhsm2-util"):
        session.run("coverage", "report", "--include=*/backends/*")
    else:
        session.warn("NOT TESTED: the signer for HSMs, because softhsm2-util is not installed here.")


@nox.session
def coverage(session: nox.Session) -> None:
    """Every line and branch is run by a test."""
    install(session, "coverage")
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "report", "--omit=*/backends/*")  # the session `backends` reports those


@nox.session
def browser(session: nox.Session) -> None:
    """The page and the examples, in a real browser."""
    install(session, "browser")
    session.run("pytest", "-q", "tests/browser", *session.posargs)


@nox.session
def frameworks(session: nox.Session) -> None:
    """The recipes and the examples, over HTTP."""
    install(session, "recipes")
    session.run("pytest", "-q", "tests/frameworks", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, with warnings as errors, and every code block in it and in the README run."""
    install(session, "docs")
    session.run("pytest", "-q", "-p", "blocks", "docs", "README.md", env={"PYTHONPATH": "docs"})
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "--nitpicky", "-b", "html", "docs", "docs/_build/html")


@nox.session
def package(session: nox.Session) -> None:
    """The source distribution and the wheel that is built from it, with metadata that an index accepts."""
    session.install(*nox.project.dependency_groups(PROJECT, "package"))
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist), ".", silent=True)
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))


@nox.session
def demo(session: nox.Session) -> None:
    """The README's demo, on the wheel and its two dependencies alone."""
    install(session)
    session.run("python", "-m", "fin_messenger_auth", "demo")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """What the library costs beside its floor and its peers; ``-- --quick`` tries the bench in a minute."""
    install(session, "bench", "tests")
    if shutil.which("npm"):
        with session.chdir("bench/other_languages"):
            session.run("npm", "install", "--silent", "--no-package-lock", "--ignore-scripts", external=True)
    session.run("pytest", "-q", "tests/bench")
    session.run("python", "-m", "bench", *session.posargs)


@nox.session(venv_backend="none")
def interpreters(session: nox.Session) -> None:
    """Say which interpreters the tests did not see."""
    missing = [each for each in INTERPRETERS if not _runs(f"python{each}")]
    if missing:
        session.warn(f"NOT TESTED on Python {', '.join(missing)}: no such interpreter was found here.")
    else:
        session.log(f"Tested on Python {', '.join(INTERPRETERS)}.")


def _runs(program: str) -> bool:
    path = shutil.which(program)
    return path is not None and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0  # noqa: S603 - a name from the list above
