"""The project's checks.

``nox`` runs the short ones: style, types, the tests on the interpreter at hand, and the docs. ``nox -t full`` runs all
the others. ``nox -s NAME`` runs one, ``nox -l`` lists them, and ``-- ARGUMENTS`` go on to pytest.

The tests run against the installed wheel, never against the source tree.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import nox

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv|venv"  # uv installs in seconds what takes pip minutes
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = "CI" in os.environ  # elsewhere the summary names those that were skipped

INTERPRETERS = ["3.11", "3.12", "3.13", "3.14"]
NEWEST = INTERPRETERS[-1]
AT_HAND = f"{sys.version_info.major}.{sys.version_info.minor}"
PROJECT = nox.project.load_toml("pyproject.toml")

# The folders of tests/ that have sessions of their own.
SLOW = ["backends", "bench", "browser", "frameworks", "interoperability"]
PURE = [f"tests/test_{each}.py" for each in ("advisories", "jws", "keys", "pair", "properties", "settings", "users")]
REMOTE = [f"tests/test_remote_{each}.py" for each in ("failures", "key", "signers")]  # of the base of all backends
FAST_TESTS = ["pytest", "-q", "-n", "auto", *(f"--ignore=tests/{each}" for each in SLOW)]
# What a test reaches is recorded for the session `mutants`, too.
COVER = ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]

_wheels: list[str] = []


def install(session: nox.Session, *groups: str, pins: list[str] | None = None) -> None:
    """Install the wheel, which is built once for all sessions, with dependency groups and exact versions."""
    if not _wheels:
        directory = Path(session.cache_dir, "wheel").absolute()
        shutil.rmtree(directory, ignore_errors=True)
        if session.venv_backend == "uv":
            session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(directory))
        else:
            session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), ".")
        _wheels.extend(map(str, directory.glob("*.whl")))
    session.install(*_wheels, *(pins or []), *nox.project.dependency_groups(PROJECT, *groups))


def absent(session: nox.Session, part: str) -> NoReturn:
    """Skip a session aloud, or fail it where ``FIN_MESSENGER_AUTH_PARTS`` says that the part must be there."""
    if part in os.environ.get("FIN_MESSENGER_AUTH_PARTS", "").split():
        session.error(f"{part} is listed in FIN_MESSENGER_AUTH_PARTS and cannot be used.")
    session.skip(f"NOT TESTED: {part} cannot be used here.")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes, of the workflows too."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", "--quiet")
    session.run("ruff", "format", "--check", "--quiet")
    session.run("zizmor", "--offline", "--quiet", "--persona=pedantic", ".github")


@nox.session
def typing(session: nox.Session) -> None:
    """Types, of the project and as its users see them."""
    install(session, "typing")
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "fin_messenger_auth", "--ignoreexternal")


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on the interpreter at hand."""
    install(session, "tests")
    session.run(*FAST_TESTS, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, with warnings as errors, fit for a phone, and every code block in it and in the README run."""
    install(session, "docs")
    session.run("pytest", "-q", "-p", "blocks", "docs", "README.md", env={"PYTHONPATH": "docs"})
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "--nitpicky", "-b", "html", "docs", "docs/_build/html")
    if shutil.which("chromium"):
        session.run("python", "tests/tools/phone.py", "docs/_build/html")


@nox.session(python=[*INTERPRETERS, f"{NEWEST}t"], tags=["interpreters"])
def interpreters(session: nox.Session) -> None:
    """The tests on one interpreter; the workflow runs each, and `.ci/run` those that it finds."""
    install(session, "tests")
    session.run(*FAST_TESTS, *session.posargs)


@nox.session(python=False, tags=["full"])
def unstable(session: nox.Session) -> None:
    """The tests on the newest Python and Django, and with FIPS, in a chroot of Debian's unstable suite."""
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        absent(session, "debootstrap")
    root = Path(session.cache_dir, "unstable").absolute()
    if not (root / "usr/bin" / f"python{NEWEST}").exists():
        shutil.rmtree(root, ignore_errors=True)
        packages = f"python{NEWEST},python{NEWEST}-venv,git,ca-certificates"
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", "sid", str(root)]
        session.run(*command, external=True, silent=True)
    for name in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):  # a network may have its own
        if Path("/", name).exists():
            shutil.copyfile(Path("/", name), root / name)
    for name in ("project", "venv"):
        shutil.rmtree(root / name, ignore_errors=True)
    listed = session.run("git", "ls-files", "-co", "--exclude-standard", external=True, silent=True, log=False)
    for path in map(Path, str(listed).splitlines()):
        if path.is_file():
            (root / "project" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / "project" / path)

    def inside(*command: str) -> None:
        environ = {"HOME": "/root", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "FIN_MESSENGER_AUTH_PARTS": ""}
        session.run("chroot", str(root), "env", "--chdir=/project", *command, env=environ, external=True)

    inside(f"python{NEWEST}", "-m", "venv", "/venv")
    inside("/venv/bin/python", "-m", "pip", "install", "-q", ".", "--group", "browser")
    inside("/venv/bin/python", "-m", *FAST_TESTS, *session.posargs)
    inside("/venv/bin/python", "-m", "pytest", "-q", "tests/frameworks/test_django.py")
    inside("tests/tools/fips.sh")


@nox.session(python=INTERPRETERS[0], tags=["full"])
def coverage(session: nox.Session) -> None:
    """On the lowest versions allowed, a test runs every line and branch; the session `backends` reports its own."""
    lower_bounds = [each.replace(">=", "==") for each in PROJECT["project"]["dependencies"]]
    install(session, "coverage", pins=lower_bounds)
    session.env["COVERAGE_FILE"] = ".coverage-fast"
    session.run(*FAST_TESTS, *COVER, *session.posargs)
    session.run("coverage", "report", "--omit=*/backends/*")


@nox.session(tags=["full"])
def backends(session: nox.Session) -> None:
    """The signers for keys that live elsewhere, and the examples of others."""
    install(session, "backends")
    session.env["COVERAGE_FILE"] = ".coverage-backends"
    command = ["pytest", "-q", "-n", "2", "--dist", "loadfile", *COVER, "tests/backends", *REMOTE]
    session.run(*command, *session.posargs)
    if not shutil.which("softhsm2-util"):
        absent(session, "softhsm2-util")
    session.run("coverage", "report", "--include=*/backends/*")


@nox.session(tags=["full"])
def browser(session: nox.Session) -> None:
    """The page and the examples, in real browsers."""
    install(session, "browser")
    session.run("pytest", "-q", "-n", "2", "--dist", "loadgroup", "tests/browser", *session.posargs)


@nox.session(tags=["full"])
def frameworks(session: nox.Session) -> None:
    """The recipes and the examples, over HTTP, and sites with real extensions beside the Messenger."""
    install(session, "recipes", "extensions")
    session.run("pytest", "-q", "-n", "2", "--dist", "loadfile", "tests/frameworks", *session.posargs)


@nox.session(tags=["full"])
def interoperability(session: nox.Session) -> None:
    """JWT libraries of other languages verify what is made here."""
    install(session, "interoperability")
    session.run("pytest", "-q", "tests/interoperability", *session.posargs)


@nox.session(tags=["full"])
def mutants(session: nox.Session) -> None:
    """A sample of small changes of the source, of which the tests must notice nearly all; ``-- --sample 300``."""
    install(session, "mutants", "backends")
    session.run("python", "tests/mutants.py", *(session.posargs or ["--sample", "60", "--seconds", "120"]))


@nox.session(tags=["full"])
def fuzz(session: nox.Session) -> None:
    """Inputs that no one would write, for half a minute; ``-- --seconds 600`` for longer."""
    install(session, "fuzz")
    session.run("python", "tests/fuzz.py", *session.posargs)


@nox.session(default=False)
def pure(session: nox.Session) -> None:
    """The tests that need no fork, signal or other program: what CI runs on Windows and macOS."""
    install(session, "tests")
    session.run("pytest", "-q", "-n", "auto", *PURE, *session.posargs)


@nox.session(tags=["full"])
def package(session: nox.Session) -> None:
    """The source distribution and the wheel, built twice, byte-identical and as an index accepts them, and their SBOM.

    An argument names the directory that they are left in, for a release.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "package"))
    session.run("python", "tests/tools/interface.py")
    directory = Path(*session.posargs[:1] or (session.create_tmp(), "release")).absolute()
    shutil.rmtree(directory, ignore_errors=True)
    built = directory / "dist"
    session.run("python", "-m", "build", "--installer", "uv", "--outdir", str(built), ".", silent=True)
    session.run("twine", "check", "--strict", *map(str, built.iterdir()))
    session.run("check-wheel-contents", *map(str, built.glob("*.whl")))
    session.run("python", "tests/tools/build_again.py", str(built))
    session.run("python", "tests/tools/sbom.py", str(built), str(directory / "sbom.cdx.json"))


@nox.session(tags=["full"])
def npm(session: nox.Session) -> None:
    """The npm package of the browser's module, packed, and checked as its users get it.

    An argument names the directory that it is left in, for a release.
    """
    if not shutil.which("npm"):
        session.skip("npm is not installed")
    session.run("python", "tests/tools/npm_package.py", *session.posargs)


@nox.session(default=False)
def rehearsal(session: nox.Session) -> None:
    """A release on package indexes of this machine: uploaded, installed by name on each interpreter, and compared.

    An argument names the directory that `package` and `npm` have left a release in; else it is built here, twice.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "rehearsal"))
    directory = Path(*session.posargs[:1] or (session.create_tmp(),)).absolute()
    built, npm = directory / "dist", directory / "npm"
    if not session.posargs:
        shutil.rmtree(built, ignore_errors=True)
        session.run("python", "-m", "build", "--installer", "uv", "--outdir", str(built), ".", silent=True)
        session.run("python", "tests/tools/build_again.py", str(built))
        session.run("python", "tests/tools/npm_package.py", str(npm))
    session.run("python", "tests/tools/rehearse.py", str(built), str(npm))


@nox.session(tags=["full"])
def demo(session: nox.Session) -> None:
    """The README's demo, on the wheel and its two dependencies alone."""
    install(session)
    session.run("python", "-m", "fin_messenger_auth", "demo")


@nox.session(tags=["full"])
def bench_works(session: nox.Session) -> None:
    """The bench's own tests: its figures come from contestants that do the same job."""
    install(session, "bench", "tests")
    session.run("pytest", "-q", "-n", "auto", "tests/bench", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """What the library costs beside its floor and its peers; ``-- --quick`` tries the bench in a minute."""
    install(session, "bench", "tests")
    if shutil.which("npm"):
        with session.chdir("bench/other_languages"):
            session.run("npm", "install", "--silent", "--no-package-lock", "--ignore-scripts", external=True)
    session.run("python", "-m", "bench", *session.posargs)


nox.options.sessions = ["lint", "typing", "tests", "docs"]
