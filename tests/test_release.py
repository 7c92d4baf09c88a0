"""What a release passes through: the interface of the last one, the changelog, and the workflows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

if TYPE_CHECKING:
    from tests.conftest import Program


def run(tool: str, root: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "tests" / "tools" / tool), *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def released(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with this library in it, released as 0.1.0, and one commit after that."""
    root = tmp_path_factory.mktemp("released")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text('[project]\nversion = "0.1.1"\n')
    git = [program("git"), "-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"], ["tag", "v0.1.0"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    subprocess.run([*git, "commit", "-qm", "b", "--allow-empty"], cwd=root, check=True)
    return root


BREAKS = {
    "a parameter removed": ("page/_snippet.py", "def render_sign_out(app_id: str, *, nonce: object = None)", "nonce"),
    "a function renamed": ("_deadline.py", "def with_deadline(", "with_deadline"),
    "an attribute of a result removed": ("_builder.py", "    expires_at: int\n", "expires_at"),
}
REPLACED = {
    "def render_sign_out(app_id: str, *, nonce: object = None)": "def render_sign_out(app_id: str)",
    "def with_deadline(": "def the_deadline(",
    "    expires_at: int\n": "",
}


def test_an_unchanged_interface_is_kept(released: Path) -> None:
    assert run("interface.py", released) == (0, "0 breaks of the public interface of v0.1.0.\n")


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_of_the_public_interface_is_found(name: str, released: Path) -> None:
    file, text, said = BREAKS[name]
    path = released / "src" / "fin_messenger_auth" / file
    source = path.read_text("utf-8")
    assert source.count(text) == 1
    path.write_text(source.replace(text, REPLACED[text]), "utf-8")
    try:
        status, printed = run("interface.py", released)
        if name == next(iter(BREAKS)):  # a new minor version may break, whatever it is
            (released / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
            assert run("interface.py", released)[0] == 0
    finally:
        path.write_text(source, "utf-8")
        (released / "pyproject.toml").write_text('[project]\nversion = "0.1.1"\n')

    assert status == 1, printed
    assert said in printed


def test_a_change_of_internals_is_not_a_break(released: Path) -> None:
    path = released / "src" / "fin_messenger_auth" / "diagnosis" / "_token_checks.py"
    source = path.read_text("utf-8")
    path.write_text(source.replace("def altered_secrets(", "def alterations("), "utf-8")
    try:
        assert run("interface.py", released)[0] == 0
    finally:
        path.write_text(source, "utf-8")


def test_without_a_release_there_is_no_interface_to_keep(tmp_path: Path, program: Program) -> None:
    subprocess.run([program("git"), "init", "-q"], cwd=tmp_path, check=True)

    assert run("interface.py", tmp_path) == (0, "No release yet: there is no interface to keep.\n")


@pytest.mark.parametrize(
    ("tag", "repository", "heading", "said"),
    [
        ("v1.2.3", "https://a.example/b", "## [1.2.3] - 2026-12-01", "v1.2.3 is ready."),
        ("v1.2.4", "https://a.example/b", "## [1.2.3] - 2026-12-01", "The tag is v1.2.4"),
        ("v1.2.3", "https://a.example/c", "## [1.2.3] - 2026-12-01", "Source is not https://a.example/c"),
        ("v1.2.3", "https://a.example/b", "## [1.2.3] - DATE", "has no section"),
        ("v1.2.3", "https://a.example/b", "## [Unreleased]", "has no section"),
    ],
    ids=["ready", "another version", "another repository", "no date", "no section"],
)
def test_a_tag_is_checked(tmp_path: Path, tag: str, repository: str, heading: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "1.2.3"\n[project.urls]\nSource = "https://a.example/b"\n'
    )
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n")

    status, printed = run("release_ready.py", tmp_path, tag, repository)

    assert said in printed
    assert status == (0 if said.endswith("ready.") else 1)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_the_hash_of_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text("utf-8"))

    assert used
    for each in used:
        assert re.fullmatch(r"\$/\S+|[\w./-]+@[0-9a-f]{40} # v[\d.]+", each), each


def test_only_what_attests_and_publishes_has_an_identity() -> None:
    jobs = re.split(r"\n  (?=\w+:\n)", (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    with_identity = {job.partition(":")[0]: job for job in jobs if "id-token: write" in job}

    assert with_identity.keys() == {"attest", "publish", "publish_npm"}
    for name, job in with_identity.items():  # they run nothing of the repository
        assert "checkout" not in job
        commands = re.findall(r"\brun: (.*)", job)
        assert len(commands) == (name == "publish_npm")
        assert all(re.fullmatch(r"npx --yes npm@[\d.]+ publish [\w -]+ release/npm/\*\.tgz", each) for each in commands)
        assert ("environment:" in job) == name.startswith("publish")


def test_the_interpreters_of_classifiers_workflow_sessions_and_docs_are_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    [matrix] = re.findall(r"^ +python: \[(.+)\]$", WORKFLOWS[0].read_text("utf-8"), re.MULTILINE)
    [sessions] = re.findall(r"^INTERPRETERS = \[(.+)\]$", (ROOT / "noxfile.py").read_text("utf-8"), re.MULTILINE)
    [said] = re.findall(
        r"\| Python \| (3.+?) \| the workflow", (ROOT / "docs/reference/versions-and-performance.md").read_text("utf-8")
    )

    assert project["requires-python"] == f">={claimed[0]}"
    assert re.findall(r"3\.\d+\b", matrix) == claimed
    assert re.findall(r"3\.\d+", sessions) == claimed
    assert re.findall(r"3\.\d+\b", said) == claimed


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/security/threat-model.md"])
def test_every_promise_names_a_test_that_exists(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)+)`", (ROOT / page).read_text("utf-8"))

    assert len(named) >= 9
    for file, path in named:
        source = (ROOT / file).read_text("utf-8")
        *classes, function = path.strip(":").split("::")
        assert re.search(rf"^ *(?:async )?def {function}\(", source, re.MULTILINE), f"{file}{path}"
        assert all(f"class {each}:" in source for each in classes), f"{file}{path}"
