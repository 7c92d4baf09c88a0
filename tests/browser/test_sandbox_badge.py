"""What the stand-in for the widget shows in a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from fin_messenger_auth.sandbox import start_throwaway

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_an_update_without_the_jwt_and_an_anonymous_page_with_chats_are_named(browser: Browser) -> None:
    builder, url = start_throwaway()
    settings, anonymous = (json.dumps(builder.build_settings(user)) for user in ("42", None))
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    expect(page.locator("body")).to_contain_text("FIN_MESSENGER_WIDGET_BASE")
    page.evaluate(f"window.intercomSettings = {settings}")
    page.add_script_tag(url=f"{url}widget/throwaway")
    badge = page.locator("#fin-messenger-sandbox")
    expect(badge).to_contain_text("Chats shown: 42")
    page.evaluate("Intercom('update', {user_id: '42'})")
    expect(badge).to_contain_text("Refused (403)")
    page.evaluate(f"Intercom('update', {settings})")
    expect(badge).to_contain_text("Intercom: Verified as 42")
    page.goto(url)
    expect(page.locator("table")).to_contain_text("Refused (403)")
    page.evaluate(f"window.intercomSettings = {anonymous}")
    page.add_script_tag(url=f"{url}widget/throwaway")
    expect(badge).to_contain_text("✗ 42's, on an anonymous page.")
    page.evaluate("Intercom('shutdown')")
    page.evaluate(f"Intercom('boot', {anonymous})")
    expect(badge).to_contain_text("Chats shown: none")
    context.close()
