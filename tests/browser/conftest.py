"""A real browser, the stand-in routed in front of the platforms' addresses, and the examples served to it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fin_messenger_auth.cli import main
from fin_messenger_auth.sandbox import widget_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

try:
    from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright
except ImportError:  # the session `browser` has it; the matrix of interpreters need not
    collect_ignore_glob = ["test_*.py"]

VERDICT_URL = "https://api-iam.intercom.io/sandbox/verdict"


class Site(NamedTuple):
    """An example that is being served."""

    url: str
    sandbox: str
    log: Path


@dataclass
class Visitor:
    """One person's browser: its tabs, what the stand-in said of them, and what went wrong."""

    context: BrowserContext
    sandbox: str | None = None
    complaints: list[str] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    def open(self, url: str) -> Page:
        """Open a tab."""
        page = self.context.new_page()
        page.on("console", lambda message: self._complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(url)
        return page

    def visit(self, site: Site) -> Page:
        """Open a tab on one of the examples, with the stand-in that knows its keys."""
        self.sandbox = site.sandbox
        return self.open(site.url)

    def judge(self, route: Route) -> None:
        """Stand in for the platforms."""
        assert self.sandbox is not None
        request = urllib.request.Request(f"{self.sandbox}sandbox/verdict", (route.request.post_data or "").encode())
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
        self.verdicts.append(json.loads(body))
        route.fulfill(body=body, content_type="application/json", headers={"Access-Control-Allow-Origin": "*"})

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of the matrix."""
    config.addinivalue_line("markers", "engines(*names): the browsers that run a scenario; all if left out")
    config.addinivalue_line("markers", "adapters(*names): the ways to add the Messenger that a scenario is for")
    config.addinivalue_line("markers", "every_way: with every adapter in every browser")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares a browser or a server in one process of pytest-xdist."""
    for item in items:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if shared := params.get("engine") or params.get("example"):
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def parts(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a front end has it: the npm packages of package.json, and what ``assets`` writes.

    The processes of pytest-xdist share one.
    """
    npm, folder = program("npm"), tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder /= "front_end"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "package.json").exists():
            assert main(["assets", str(folder)]) == 0
            shutil.copy(Path(__file__).with_name("package.json"), folder)
            command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"]
            subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    """Debian's Chromium, with its back/forward cache, which Playwright switches off."""
    path = program("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], ignore_default_args=["--disable-back-forward-cache"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """A person with a browser of their own, whose console stays free of errors and policy violations."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    person = Visitor(context)
    context.route(
        "https://widget.intercom.io/widget/*",
        lambda route: route.fulfill(body=widget_script(), content_type="text/javascript"),
    )
    context.route(VERDICT_URL, person.judge)
    yield person
    context.close()
    assert person.complaints == []


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Serve an example, once for each set of options."""
    with ExitStack() as stack:

        @cache
        def start(name: str, *options: str) -> Site:
            return stack.enter_context(_served(name, options, tmp_path_factory.mktemp(name) / "log"))

        yield start


@contextmanager
def _served(name: str, options: tuple[str, ...], log: Path) -> Iterator[Site]:
    command = [sys.executable, str(Path(__file__).with_name("serve.py")), name, *options]
    with log.open("wb") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        url, sandbox = json.loads(line)
        yield Site(url, sandbox, log)
        process.terminate()
