"""Take the pictures of docs/how-to/sandbox.md: ``python tests/browser/pictures.py``."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

from fin_messenger_auth.sandbox import widget_script

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "docs" / "_static"


def take(page: Page, name: str, *options: str) -> None:
    command = [sys.executable, str(HERE / "serve.py"), "flask", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        url, sandbox = json.loads(process.stdout.readline())

        def judge(route: Route) -> None:
            request = urllib.request.Request(f"{sandbox}sandbox/verdict", (route.request.post_data or "").encode())
            with urllib.request.urlopen(request) as answer:
                route.fulfill(body=answer.read(), headers={"Access-Control-Allow-Origin": "*"})

        page.context.route("https://api-iam.intercom.io/**", judge)
        page.goto(url)
        page.fill("[name=username]", "ada")
        page.fill("[name=password]", "demo")
        page.click("#sign-in")
        expect(page.locator("#fin-messenger-sandbox")).to_contain_text("Chats shown: 42")
        page.screenshot(path=PICTURES / f"sandbox-{name}.png")
        if options:
            page.goto(sandbox)
            page.screenshot(path=PICTURES / "sandbox-status.png")
        page.context.clear_cookies()
        process.terminate()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 760, "height": 380})
        page.context.route("https://widget.intercom.io/**", lambda route: route.fulfill(body=widget_script()))
        take(page, "verified")
        take(page, "guest", "--slash")
        browser.close()


if __name__ == "__main__":
    main()
