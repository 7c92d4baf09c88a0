"""The hostile values inside a real page under a strict policy: no script runs, and each is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fin_messenger_auth import render_snippet
from fin_messenger_auth.page import strict_policy

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor

NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"
PAGE = "https://shop.example/"

# Lone surrogates do not survive the way out of the browser, so it compares code units there.
READ_BACK = """wanted => {
  const units = text => Array.from({length: text.length}, (_, i) => text.charCodeAt(i));
  const same = (one, two) => one.length === two.length && units(one).every((unit, i) => unit === two[i]);
  return wanted.filter((each, i) => !same(window.intercomSettings.values[i].deep, each)
    || !same(Object.keys(window.intercomSettings.names[i])[0], each)).length;
}"""


def code_units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]


def test_the_browser_reads_back_every_value(visitor: Visitor, hostile_values: list[str]) -> None:
    # The two of a megabyte have a page of their own below.
    values = [each for each in hostile_values if len(each) < 10_000]
    assert len(values) >= 300
    page = show(
        visitor,
        {"app_id": "a", "values": [{"deep": each} for each in values], "names": [{each: 1} for each in values]},
    )
    assert page.evaluate(READ_BACK, [code_units(each) for each in values]) == 0
    assert page.title() == "Shop"
    assert page.evaluate("document.querySelectorAll('script').length") == 2  # the snippet's, and the widget's
    assert page.evaluate("document.querySelectorAll('body > *').length") == 2
    assert page.evaluate("Object.keys(window.intercomSettings)") == ["app_id", "values", "names"]


def test_a_megabyte_is_read_back_too(visitor: Visitor, hostile_values: list[str]) -> None:
    values = [each for each in hostile_values if len(each) >= 10_000]
    assert len(values) == 2
    page = show(visitor, {"app_id": "a", "values": values})
    assert page.evaluate(
        "((one, two) => one === '<'.repeat(1e6) && two === '</script>'.repeat(12e4))(...window.intercomSettings.values)"
    )


def test_a_property_named_proto_changes_no_prototype(visitor: Visitor) -> None:
    page = show(visitor, {"app_id": "a", "__proto__": {"evil": True}, "deep": {"__proto__": {"evil": True}}})
    assert page.evaluate(
        "window.intercomSettings.evil === undefined && window.intercomSettings.deep.evil === undefined"
    )
    assert page.evaluate("Object.keys(window.intercomSettings)") == ["app_id", "__proto__", "deep"]


def test_the_hash_of_the_snippet_is_enough_without_a_nonce(visitor: Visitor) -> None:
    snippet = render_snippet({"app_id": "a", "name": "é</script>"})
    policy = f"default-src 'none'; img-src data:; script-src {snippet.csp_source} https://widget.intercom.io"
    page = show_markup(visitor, snippet, policy)
    assert page.evaluate("window.intercomSettings.name") == "é</script>"


def test_under_trusted_types_the_widget_is_loaded(visitor: Visitor) -> None:
    policy = strict_policy(NONCE, also={"require-trusted-types-for": ["'script'"]})
    with visitor.context.expect_event("request", lambda request: request.url.endswith("/widget/a")):
        show_markup(visitor, render_snippet({"app_id": "a"}, nonce=NONCE), policy)


def show(visitor: Visitor, settings: dict[str, Any]) -> Any:
    return show_markup(visitor, render_snippet(settings, nonce=NONCE), strict_policy(NONCE))


def show_markup(visitor: Visitor, snippet: str, policy: str) -> Any:
    visitor.context.route("https://widget.intercom.io/widget/a", lambda route: route.fulfill(body=""))
    visitor.context.route(
        PAGE,
        lambda route: route.fulfill(
            body=f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>Shop</title>"
            f"<body><p>Shop</p>{snippet}</body>",
            content_type="text/html",
            headers={"Content-Security-Policy": policy},
        ),
    )
    return visitor.open(PAGE)
