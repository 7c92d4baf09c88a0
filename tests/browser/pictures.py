"""Take the pictures of the docs, by the steps of the tutorial: ``python tests/browser/pictures.py``."""

from __future__ import annotations

import html
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "_static"
TUTORIAL = DOCS / "start" / "tutorial.md"
PROGRAM = [sys.executable, "-m", "fin_messenger_auth"]
SITE, SANDBOX = "http://127.0.0.1:5000/", "http://127.0.0.1:8765/"
ISSUER = "https://acme.example"
TERMINAL = (
    '<body style="margin:0;background:#14161a"><pre style="margin:0;padding:20px 24px;color:#e4e6eb;'
    "font:15px/1.5 'DejaVu Sans Mono',monospace;white-space:pre-wrap;overflow-wrap:anywhere\">"
)


def variables() -> dict[str, str]:
    """The environment that the tutorial sets."""
    exports = re.findall(r"^\$ export (\w+)=(\S+)$", TUTORIAL.read_text("utf-8"), re.MULTILINE)
    return {**os.environ, **dict(exports)}


@contextmanager
def running(port: int, *command: str, folder: str) -> Iterator[None]:
    with subprocess.Popen(command, cwd=folder, env=variables(), stdout=subprocess.DEVNULL) as process:
        try:
            while True:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def take(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png")


def terminal(page: Page, name: str, shown: str, *command: str, folder: str) -> None:
    """Take a picture of what a command prints."""
    answer = subprocess.run(
        [*PROGRAM, *command], cwd=folder, env=variables(), capture_output=True, text=True, check=False
    )
    page.set_viewport_size({"width": 560, "height": 300})
    page.set_content(TERMINAL + html.escape(f"$ {shown}\n{answer.stdout.partition('? ')[0].rstrip()}"))
    page.locator("pre").screenshot(path=PICTURES / f"{name}.png")


def sandbox(folder: str, *options: str) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(running(8765, *PROGRAM, "sandbox", *options, folder=folder))
    return stack


def main() -> None:
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        subprocess.run(
            [*PROGRAM, "keygen", "keys", "--kid", "WebAppKey1", "--issuer", ISSUER],
            cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 480, "height": 300}, device_scale_factor=2)
        badge = page.locator("#fin-messenger-sandbox")
        shop = str(DOCS / "start" / "shop.py")
        with running(5000, sys.executable, "-m", "flask", "--app", shop, "run", folder=folder):
            with sandbox(folder):
                page.goto(SITE)
                expect(badge).to_contain_text("nonymous")
                take(page, "tutorial-anonymous")
                page.get_by_text("Sign in as 42").click()
                expect(badge).to_contain_text("Verified as 42")
                take(page, "tutorial-verified")
            with sandbox(folder, "--key", "keys/jwk.json", "--issuer", f"{ISSUER}/"):
                page.goto(SITE)
                expect(badge).to_contain_text("Guest")
                take(page, "tutorial-guest")
                page.goto(SANDBOX)
                take(page, "sandbox-status")
        uploaded = ("doctor", "keys", "--uploaded", "keys/jwk.json", "--issuer", f"{ISSUER}/")
        terminal(page, "doctor", f"fin-messenger-auth {' '.join(uploaded)}", *uploaded, folder=folder)
        browser.close()


if __name__ == "__main__":
    main()
