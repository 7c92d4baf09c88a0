"""The snippet: no value breaks out of it, and what goes with it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from django.template import Context, Engine
from django.utils.functional import SimpleLazyObject
from jinja2 import Environment

from fin_messenger_auth import TokenPairBuilder, render_snippet
from fin_messenger_auth._settings import DISPLAY_SETTINGS, Region
from fin_messenger_auth.errors import ConfigurationError, InvalidClaimError
from fin_messenger_auth.page import (
    cookie_names,
    npm_settings,
    render_renewal,
    render_sign_out,
    script_json,
    strict_policy,
)
from fin_messenger_auth.testing import throwaway_builder

if TYPE_CHECKING:
    from collections.abc import Callable

NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {dict(attrs)}" if attrs else tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(markup: str) -> _Scripts:
    scripts = _Scripts()
    scripts.feed(f"<body>{markup}<p></p>")
    return scripts


def settings_in(snippet: str) -> dict[str, Any]:
    """Read the settings back, as a JSON reader does; the browser tests do it as a browser does."""
    script = parsed(snippet).text
    argument = script.partition("})().boot(")[2]
    parse = "JSON.parse("
    settings, _ = json.JSONDecoder().raw_decode(argument.removeprefix(parse))
    if argument.startswith(parse):
        settings = json.loads(settings)
    assert isinstance(settings, dict)
    return settings


def test_no_hostile_value_breaks_out_and_each_is_read_back(hostile_values: list[str]) -> None:
    assert len(hostile_values) >= 300
    for value in hostile_values:
        snippet = render_snippet({"app_id": "a", "name": value, "list": [{"deep": value}]})
        assert snippet.isascii()
        assert parsed(snippet).tags == ["body", "script", "p"]
        assert not re.search(r"[<>&]", re.sub(r"(?s)^.*\}\)\(\)\.boot\(", "", snippet)[: -len("</script>")])
        assert settings_in(snippet) == {"app_id": "a", "name": value, "list": [{"deep": value}]}


def test_a_hostile_name_of_a_setting_is_as_harmless(hostile_values: list[str]) -> None:
    settings = {value: True for value in hostile_values if value != "__proto__"} | {"app_id": "a"}
    snippet = render_snippet(settings)
    assert parsed(snippet).tags == ["body", "script", "p"]
    assert settings_in(snippet) == settings


def test_a_property_named_proto_stays_a_property() -> None:
    assert script_json({"__proto__": {"x": 1}}) == r'JSON.parse("{\"__proto__\":{\"x\":1}}")'


def test_template_engines_leave_it_alone() -> None:
    snippet = render_snippet({"app_id": "a", "name": "{{ 7*7 }}{% if %}{#"}, nonce=NONCE)
    assert Environment(autoescape=True).from_string("{{ it }}").render(it=snippet) == snippet
    assert Engine().from_string("{{ it }}").render(Context({"it": snippet})) == str(snippet)


def test_a_template_engine_that_sees_the_page_again_finds_nothing_to_do() -> None:
    snippet = render_snippet({"app_id": "a", "name": "{{ 7*7 }}{% if %}{#"})
    assert Environment(autoescape=True).from_string(str(snippet)).render() == snippet
    assert Engine().from_string(str(snippet)).render(Context()) == str(snippet)


def test_any_mapping_will_do_and_is_not_changed() -> None:
    settings = MappingProxyType({"app_id": "a", "seats": 3})
    assert settings_in(render_snippet(settings)) == dict(settings)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", float("nan"), object(), pytest.param(10**5000, id="long")])
def test_what_is_no_json_is_refused_without_showing_it(value: object) -> None:
    with pytest.raises(InvalidClaimError, match="not a JSON value"):
        render_snippet({"app_id": "a", "value": value})


def test_nesting_without_an_end_is_refused() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(InvalidClaimError):
        render_snippet({"app_id": "a", "value": cycle})


@pytest.mark.parametrize("settings", [{}, {"app_id": None}, {"app_id": " "}, {"app_id": 5}, {"app_id": "\ud800"}])
def test_without_a_usable_app_id_there_is_nothing_to_load(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="app_id"):
        render_snippet(settings)


@pytest.mark.parametrize("nonce", ["0123456789abcdef", "a+/b_-9+/b_-9c==", "2mZ0RkBM4m6yVvS8vQ"])
def test_the_nonce_stands_on_the_script(nonce: str) -> None:
    assert parsed(render_snippet({"app_id": "a"}, nonce=nonce)).tags[1] == f"script {{'nonce': '{nonce}'}}"


def test_a_lazy_nonce_is_evaluated() -> None:
    assert f' nonce="{NONCE}"' in render_snippet({"app_id": "a"}, nonce=SimpleLazyObject(lambda: NONCE))


@pytest.mark.parametrize(
    "nonce",
    [
        "",
        "x",
        "None",
        "null",
        "undefined",
        " ",
        'a" onload="alert(1)',
        f"{NONCE}>",
        f"{NONCE} {NONCE}",
        f"{NONCE}===",
        "=",
        f"{NONCE}\n",
        "é",
        "'",
        f"{NONCE};b",
        NONCE.encode(),
        "{{" + NONCE + "}}",
        "<",
    ],
)
def test_a_hostile_nonce_is_refused(nonce: object) -> None:
    renders: list[Callable[[], str]] = [
        lambda: render_snippet({"app_id": "a"}, nonce=nonce),
        lambda: render_sign_out("a", nonce=nonce),
        lambda: render_renewal("/r.js", "/s", nonce=nonce),
    ]
    for render in renders:
        with pytest.raises(ConfigurationError, match="nonce") as caught:
            render()
        assert caught.value.code == "nonce-invalid"
        assert str(nonce).strip() in ("", "x", "=", "<", "'", "é") or str(nonce) not in str(caught.value)


@pytest.mark.parametrize("base", ["http://evil.example/widget/", "//evil.example/", "javascript:alert(1)//", "", None])
def test_the_widget_comes_over_tls_or_from_this_machine(base: Any) -> None:
    with pytest.raises(ConfigurationError, match="widget_base"):
        render_snippet({"app_id": "a"}, widget_base=base)


def test_the_sandbox_may_serve_the_widget() -> None:
    assert "http://127.0.0.1:8765/widget/" in render_snippet(
        {"app_id": "a"}, widget_base="http://127.0.0.1:8765/widget/"
    )


def test_the_hash_is_that_of_the_script(messenger_builder: TokenPairBuilder) -> None:
    snippet = render_snippet(messenger_builder.build_settings(42), nonce=NONCE)
    assert snippet.csp_source == f"'sha256-{b64encode(sha256(parsed(snippet).text.encode()).digest()).decode()}'"


def test_each_page_of_a_user_has_an_id_that_no_other_has(messenger_builder: TokenPairBuilder) -> None:
    scripts = [str(render_snippet(messenger_builder.build_settings("42"))) for _ in range(20)]
    ids = {each for script in scripts for each in re.findall(r'"([0-9a-f]{12})"', script)}

    assert len(ids) == len(scripts)


def test_the_tokens_are_in_the_markup_and_not_in_its_repr(messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings(42)
    snippet = render_snippet(settings)
    assert settings["intercom_user_jwt"] in snippet
    assert repr(snippet).startswith(f"<Snippet of {len(snippet)} characters, ")
    assert repr(snippet) != repr(type(snippet)(snippet.replace("boot", "toob")))


def test_nothing_breaks_out_of_the_sign_out() -> None:
    snippet = render_sign_out("a</script>", nonce=NONCE)
    assert parsed(snippet).tags == ["body", f"script {{'nonce': '{NONCE}'}}", "p"]
    assert snippet.endswith('})().leave("a\\u003c/script\\u003e");</script>')


def test_what_stays_at_a_sign_out_is_public_and_says_nothing_of_a_person() -> None:
    script = str(render_sign_out("a"))
    [staying] = re.findall(r'"(app_id api_base [a-z_ ]+)"\.split\(" "\)', script)
    assert set(staying.split()) == {"app_id", "api_base", *DISPLAY_SETTINGS}


def test_the_cookies_to_expire() -> None:
    assert cookie_names("a1") == ("intercom-session-a1", "intercom-id-a1", "intercom-device-id-a1")
    kinds = ",".join(f'"{name.removeprefix("intercom-").removesuffix("-a1")}"' for name in cookie_names("a1"))
    assert f"[{kinds}]" in render_sign_out("a1")  # the script expires the same


def test_the_renewal_is_a_module_script() -> None:
    snippet = render_renewal("/r.js", "/s</script>", nonce=NONCE)
    assert parsed(snippet).tags[1] == f"script {{'type': 'module', 'nonce': '{NONCE}'}}"
    assert parsed(snippet).text == r'import{startMessenger}from"/r.js";startMessenger("/s\u003c/script\u003e");'


@pytest.mark.parametrize("value", [None, 1, b"/r.js", ""])
def test_what_a_script_is_made_of_is_a_string(value: Any) -> None:
    renders: dict[str, Callable[[], object]] = {
        "app_id": lambda: cookie_names(value),
        "app_id ": lambda: render_sign_out(value),
        "module_url": lambda: render_renewal(value, "/s"),
        "endpoint": lambda: render_renewal("/r.js", value),
    }
    for name, render in renders.items():
        with pytest.raises(ConfigurationError, match=rf"^{name.strip()}(: expected a str| is blank)"):
            render()


@pytest.mark.parametrize(("region", "expected"), [("us", "us"), ("eu", "eu"), ("ap", "ap"), ("au", "ap")])
def test_the_npm_package_takes_a_region(region: Region, expected: str) -> None:
    builder = throwaway_builder()
    there = TokenPairBuilder(
        app_id="a", intercom=builder.intercom, salesforce=builder.salesforce, region=region, clock=lambda: 1_700_000_000
    )
    settings = there.build_settings(42)
    assert npm_settings(settings) == {**settings, "region": expected}


def test_the_npm_package_takes_no_other_address() -> None:
    with pytest.raises(ConfigurationError, match="api_base"):
        npm_settings({"app_id": "a", "api_base": "https://elsewhere.example"})


@pytest.mark.parametrize("settings", [None, [1], "app_id"])
def test_settings_are_a_mapping(settings: Any) -> None:
    for function in (render_snippet, npm_settings):
        with pytest.raises(ConfigurationError, match="expected a mapping"):
            function(settings)


class TestDevelopment:
    """An environment variable loads the widget from the sandbox, without an edit of the code."""

    @pytest.mark.parametrize(
        "base", ["http://127.0.0.1:8765/widget/", "http://localhost/widget/", "http://[::1]:8765/w/"]
    )
    def test_the_widget_comes_from_this_machine(self, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
        monkeypatch.setenv("FIN_MESSENGER_WIDGET_BASE", base)
        assert base in render_snippet({"app_id": "a"})
        assert f" {base.rpartition('/w')[0]}" in strict_policy("bm9uY2Utb2YtMTYtYnl0ZXM").partition("connect-src")[2]
        assert "https://x.example/" in render_snippet({"app_id": "a"}, widget_base="https://x.example/")

    @pytest.mark.parametrize(
        "base",
        [
            "https://evil.example/widget/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://localhost:8765/;script-src",
            "127.0.0.1:8765",
        ],
    )
    def test_it_comes_from_no_other_machine(self, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
        monkeypatch.setenv("FIN_MESSENGER_WIDGET_BASE", base)
        with pytest.raises(ConfigurationError, match="FIN_MESSENGER_WIDGET_BASE"):
            render_snippet({"app_id": "a"})
        with pytest.raises(ConfigurationError, match="FIN_MESSENGER_WIDGET_BASE"):
            strict_policy("bm9uY2Utb2YtMTYtYnl0ZXM")

    def test_a_blank_variable_is_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIN_MESSENGER_WIDGET_BASE", " ")
        assert "https://widget.intercom.io/widget/" in render_snippet({"app_id": "a"})


def test_an_integer_that_a_browser_would_round_is_refused() -> None:
    assert script_json({"n": 2**53 - 1}) == '{"n":9007199254740991}'
    with pytest.raises(InvalidClaimError, match=r"2\^53"):
        script_json({"n": [2**53]})
