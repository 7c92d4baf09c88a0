"""A page is read as a browser reads it, whatever it is, and in a process of its own."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import sys
from importlib.util import find_spec
from typing import Any
from unittest import mock

import pytest

from fin_messenger_auth import TokenPairBuilder
from fin_messenger_auth.diagnosis import Document, Level, check_page, settings_in_page
from fin_messenger_auth.diagnosis import _page_engine as engine
from fin_messenger_auth.diagnosis import _page_reader as reader
from fin_messenger_auth.diagnosis._page_reader import Page, decoded, read_page
from fin_messenger_auth.page import render_renewal, render_sign_out, render_snippet
from fin_messenger_auth.testing import settings_in
from tests import attacks
from tests.conftest import Program
from tests.ways import ADA, V8, WAYS

JWT = "intercom_user_jwt"
LOADER = """(function(){var w=window;var ic=w.Intercom;if(typeof ic==="function"){ic('reattach_activator');
ic('update',w.intercomSettings);}else{var d=document;var i=function(){i.c(arguments);};i.q=[];i.c=function(args){
i.q.push(args);};w.Intercom=i;var l=function(){var s=d.createElement('script');s.type='text/javascript';s.async=true;
s.src='https://widget.intercom.io/widget/a';var x=d.getElementsByTagName('script')[0];x.parentNode.insertBefore(s,x);};
if(document.readyState==='complete'){l();}else if(w.attachEvent){w.attachEvent('onload',l);}else{
w.addEventListener('load',l,false);}}})();"""


def scripts(*sources: str, before: str = "") -> str:
    return f"<html><body>{before}{''.join(f'<script>{each}</script>' for each in sources)}</body></html>"


def here(document: str, cpu_seconds: float = 2) -> Page:
    """Read a page that can do no harm in this process."""
    return reader._page_of(engine.read(document, cpu_seconds))


@pytest.mark.parametrize("name", WAYS)
def test_an_ordinary_page_is_read_as_v8_runs_it(name: str) -> None:
    sources, end = WAYS[name]
    page = here(scripts(*sources))

    assert (page.values, page.unknown, page.stopped) == (end, set(), "")


def test_v8_agrees(program: Program) -> None:
    ways = json.dumps({name: sources for name, (sources, _) in WAYS.items()})
    done = subprocess.run([program("node"), "-e", V8], input=ways, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == {name: end for name, (_, end) in WAYS.items()}
    assert len(WAYS) >= 35


W = "window.intercomSettings"
PARTLY: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "a name of another file": (f"{W} = {{app_id: 'a', user_id: user.id}}", {"app_id": "a"}, {"user_id"}),
    "a string with one": (f"{W} = {{app_id: 'a', user_id: `u-${{user.id}}`}}", {"app_id": "a"}, {"user_id"}),
    "a number of one": (
        f"{W} = {{app_id: 'a', created_at: Math.floor(user.at / 1000)}}",
        {"app_id": "a"},
        {"created_at"},
    ),
    "one deep inside": (f"{W} = {{app_id: 'a', company: {{ids: [1, org.id]}}}}", {"app_id": "a"}, {"company"}),
    "a spread": (
        f"{W} = {{app_id: 'a', ...tokens}}",
        {"app_id": "a"},
        {"...", "user_id", JWT, "salesforce_identity_token"},
    ),
    "a spread before": (
        f"{W} = {{...tokens, app_id: 'a', user_id: '42', {JWT}: 'j', salesforce_identity_token: 's'}}",
        {**ADA, JWT: "j", "salesforce_identity_token": "s"},
        {"..."},
    ),
    "an answer": (
        "fetch('/me').then((r) => r.ok && r.json()).then((me) => Intercom('boot', {app_id: 'a', user_id: me.id}))",
        {"app_id": "a"},
        {"user_id"},
    ),
    "an answer that is awaited": (
        "(async () => { const me = await (await fetch('/me')).json(); if (me.error) return;"
        " Intercom('boot', {app_id: 'a', user_id: me.id}) })()",
        {"app_id": "a"},
        {"user_id"},
    ),
    "an answer of a request": (
        "const r = new XMLHttpRequest(); r.open('GET', '/me'); r.onload = () => { if (r.status === 200)"
        " Intercom('boot', {app_id: 'a', ...JSON.parse(r.responseText)}) }; r.send()",
        {"app_id": "a"},
        {"...", "user_id", JWT, "salesforce_identity_token"},
    ),
    "jQuery": (
        "$(function () { $.get('/me', function (me) { Intercom('boot', {app_id: 'a', user_id: me.id}) }) })",
        {"app_id": "a"},
        {"user_id"},
    ),
    "jQuery's options": (
        "jQuery.ajax({url: '/me', success(me) { Intercom('boot', {app_id: 'a', user_id: me.id}) }})",
        {"app_id": "a"},
        {"user_id"},
    ),
    "a framework": (
        "new Vue({el: '#app', mounted() { Intercom('boot', {app_id: 'a', user_id: this.id}) }})",
        {"app_id": "a"},
        {"user_id"},
    ),
    "a hook": (
        "const App = () => { const [u] = useState(null); useEffect(() => { Intercom('boot', {app_id: 'a', user_id: u.id}) }) };"
        " render(App)",
        {"app_id": "a"},
        {"user_id"},
    ),
}


@pytest.mark.parametrize("name", PARTLY)
def test_what_cannot_be_known_stays_unknown(name: str) -> None:
    source, values, unknown = PARTLY[name]
    page = here(scripts(source))

    assert (page.values, page.unknown, page.broken, page.stopped) == (values, unknown, "", "")


IN_A_BROWSER: dict[str, str] = {
    "innerHTML": f"document.getElementById('me').innerHTML = '<i class=\"u\" data-id=42>&lt;</i><br><!-- x -->'; {W} = {{app_id: 'a', user_id: document.querySelector('#me > i.u').dataset.id}}",
    "a custom element": f"customElements.define('x-chat', class extends HTMLElement {{ connectedCallback() {{ {W} = {{app_id: 'a', user_id: this.getAttribute('user')}} }} }})",
    "Base64 of UTF-8": f"{W} = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob('eyJhcHBfaWQiOiJhIiwidXNlcl9pZCI6IjQyIn0='), (c) => c.charCodeAt(0))))",
    "a copy": f"const s = {{app_id: 'a', user_id: '42'}}; {W} = structuredClone(s); s.user_id = 1",
    "a component": "function Chat({user}) { useEffect(() => { Intercom('boot', {app_id: 'a', user_id: user.id}) }) } createRoot(document.body).render(createElement(Chat, {user: {id: '42'}}))",
    "a controller": "app.register('chat', class extends Controller { connect() { Intercom('boot', {app_id: 'a', user_id: '42'}) } })",
    "Next's flight": '(self.__next_f = self.__next_f || []).push([1, \'5:["$","$L6",null,{"id":"i","children":"window.intercomSettings = {app_id: \\\'a\\\', user_id: \\\'42\\\'}"}]\\n\'])',
    "Alpine": "1",
    "a guard of typeof": f"if (typeof Intercom === 'undefined') {W} = {{app_id: 'a', user_id: '42'}}",
    "the loader": f"{W} = {{app_id: 'a', user_id: '42'}}; {LOADER}",
    "the loader first": f"{LOADER} {W} = {{app_id: 'a', user_id: '42'}}",
    "a boot that waits for the load": f"{LOADER} addEventListener('load', () => Intercom('boot', {{app_id: 'a', user_id: '42'}}))",
    "a boot when the page is ready": f"document.addEventListener('DOMContentLoaded', function () {{ {W} = {{app_id: 'a', user_id: '42'}} }}); {LOADER}",
    "onload": f"window.onload = function () {{ {W} = {{app_id: 'a', user_id: '42'}} }}",
    "a timer": f"setTimeout(() => {{ {W} = {{app_id: 'a', user_id: '42'}} }}, 3000); setTimeout('1 + 1')",
    "a timer that polls": "const t = setInterval(() => { if (window.Intercom) { clearInterval(t); Intercom('boot', {app_id: 'a', user_id: '42'}) } }, 100);"
    + LOADER,
    "when it is idle": f"requestIdleCallback(() => requestAnimationFrame(() => {{ {W} = {{app_id: 'a', user_id: '42'}} }}))",
    "an element's data": f"const d = document.querySelector('#me[data-user-id]').dataset; {W} = {{app_id: d.app, user_id: d.userId}}",
    "a block of JSON": f"{W} = JSON.parse(document.getElementById('json').textContent)",
    "a meta element": f"{W} = {{app_id: 'a', user_id: document.querySelector('meta[name=\"user\"]').content}}",
    "a field": f"{W} = {{app_id: 'a', user_id: document.forms[0].querySelector('input:not([type])').value}}",
    "a class of the body": f"{W} = document.body.classList.contains('in') ? {{app_id: 'a', user_id: '42'}} : {{}}",
    "its own script's data": f"{W} = {{app_id: 'a', user_id: document.currentScript.previousElementSibling.getAttribute('data-user-id')}}",
    "a script that is inserted": "const s = document.createElement('script'); s.text = \"window.intercomSettings = {app_id: 'a', user_id: '42'}\"; document.head.appendChild(s)",
    "a script in a fragment": "const f = document.createDocumentFragment(), s = document.createElement('script'); s.append('window.intercomSettings = ' + JSON.stringify({app_id: 'a', user_id: '42'})); f.append(s); document.body.append(f)",
    "a script's onload": f"const s = document.createElement('script'); s.src = '/x.js'; s.onload = () => {{ {W} = {{app_id: 'a', user_id: '42'}} }}; document.head.append(s)",
    "document.write": 'document.write(\'<script>window.intercomSettings = {app_id: "a", user_id: "42"}<\\/script>\')',
    "storage": f"localStorage.setItem('u', '42'); sessionStorage.clear(); {W} = {{app_id: 'a', user_id: localStorage.getItem('u')}}",
    "a cookie": f"document.cookie = 'u=42; path=/'; {W} = {{app_id: 'a', user_id: document.cookie.match(/u=(\\d+)/)[1]}}",
    "no query": f"const q = new URLSearchParams(location.search); {W} = {{app_id: 'a', user_id: q.get('u') || '42'}}",
    "a custom event": f"addEventListener('me', (e) => {{ {W} = {{app_id: 'a', user_id: e.detail}} }}); dispatchEvent(new CustomEvent('me', {{detail: '42'}}))",
    "window.x of nobody": f"if (window.nobody) throw 1; {W} = {{app_id: 'a', user_id: '42', ...(window.more || {{}})}}",
    "a queue of functions": "window.dataLayer = window.dataLayer || []; dataLayer.push(() => Intercom('boot', {app_id: 'a', user_id: '42'}))",
    "a ready queue": "var analytics = window.analytics = window.analytics || []; analytics.push(['ready', () => Intercom('boot', {app_id: 'a', user_id: '42'})])",
    "Next's queue": "(self.__next_s = self.__next_s || []).push([0, {children: \"window.intercomSettings = {app_id: 'a', user_id: '42'}\"}])",
    "jQuery.extend": f"{W} = $.extend(true, {{}}, {{app_id: 'a', page_title: 'x'}}, {{user_id: '42', page_title: undefined}})",
    "_.merge in place": f"{W} = {{app_id: 'a'}}; _.merge({W}, {{user_id: '42'}})",
    "Vue's data": "createApp({data() { return {me: {id: '42'}} }, methods: {boot(id) { Intercom('boot', {app_id: 'a', user_id: id}) }}, mounted() { this.boot(this.me.id) }}).mount('#app')",
    "Vue without data": "createApp({data() { throw 1 }, mounted() { Intercom('boot', {app_id: 'a', user_id: '42'}) }})",
    "a consent in a cookie": f"if (document.cookie.indexOf('consent=1') >= 0) {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent in a cookie, as an expression": f"if (/consent=1/.test(document.cookie)) {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent in the storage": f"if (localStorage.getItem('consent')) {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent that is compared": f"if (localStorage.getItem('consent') !== 'yes') throw 1; {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent in a property": f"switch (sessionStorage.consent) {{ case 'all': {W} = {{app_id: 'a', user_id: '42'}} }}",
    "a consent that is a number": f"if (parseInt(localStorage.getItem('consent')) > 0) {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent in a cookie that is split": f"if (document.cookie.split('; ').find((c) => c.startsWith('consent='))?.split('=')[1] == 'yes') {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent in a cookie that is matched": f"const m = document.cookie.match(/consent=([^;]+)/); if (m && m[1] === 'yes') {W} = {{app_id: 'a', user_id: '42'}}",
    "a consent for js-cookie": f"if (Cookies.get('consent') === 'yes') {W} = {{app_id: 'a', user_id: '42'}}",
    "a wide screen": f"if (matchMedia('(min-width: 700px)').matches) {W} = {{app_id: 'a', user_id: '42'}}",
    "a guard, and a loader in another file": "if (window.me) window.Intercom('boot', {app_id: 'a', user_id: '42'})",
    "a loader in another file": "window.Intercom && window.Intercom('boot', {app_id: 'a', user_id: '42'})",
}
MARKUP = """<x-chat user=42></x-chat><meta name=user content=42><i id=json>{"app_id": "a", "user_id": "42"}</i><form><input type=hidden><input value=42></form>
<p id=me data-app=a data-user-id=42></p>"""


@pytest.mark.parametrize("name", IN_A_BROWSER)
def test_the_page_has_what_a_browser_has(name: str) -> None:
    alpine = "<b x-init=\"Intercom('boot', {app_id: 'a', user_id: '42'})\"></b>" if name == "Alpine" else ""
    page = here(f"<html><body class='x in'>{MARKUP}{alpine}<script>{IN_A_BROWSER[name]}</script></body></html>")

    assert (page.values, page.broken, page.stopped) == (ADA, "", ""), page


MODULES: dict[str, tuple[str, str, list[str]]] = {
    "the npm package": (
        "import Intercom from '@intercom/messenger-js-sdk'; Intercom({app_id: 'a', user_id: '42'})",
        "npm",
        ["boot"],
    ),
    "its methods": (
        "import Intercom, {boot as start, shutdown} from \"@intercom/messenger-js-sdk\"\nstart({app_id: 'a', user_id: '42'}); shutdown; export default 1",
        "Intercom('boot')",
        ["boot"],
    ),
    "all of it": (
        "import * as sdk from '@intercom/messenger-js-sdk';sdk.boot({app_id: 'a', user_id: '42'})",
        "Intercom('boot')",
        ["boot"],
    ),
    "later": (
        "const sdk = await import('@intercom/messenger-js-sdk'); sdk.default({app_id: 'a', user_id: '42'})",
        "npm",
        ["boot"],
    ),
    "our module": (
        "import{startMessenger}from'/static/fin-messenger-auth.js';startMessenger({app_id: 'a', user_id: '42'});",
        "snippet",
        ["boot"],
    ),
    "our module and a function": (
        "import {startMessenger} from 'fin-messenger-auth'; startMessenger(async () => ({app_id: 'a', user_id: '42'}))",
        "snippet",
        ["boot"],
    ),
    "React": (
        "import {createElement as h} from 'react'; import {IntercomProvider} from 'react-use-intercom';"
        "h(IntercomProvider, {appId: 'a', autoBoot: true, autoBootProps: {userId: '42'}})",
        "Intercom('boot')",
        ["boot"],
    ),
    "React's hook": (
        "import 'style.css'; import {IntercomProvider, useIntercom} from 'react-use-intercom'; h(IntercomProvider, {appId: 'a'});"
        "const App = () => { const {boot, shutdown} = useIntercom(); useEffect(() => { boot({userId: '42'}); return shutdown }) };"
        "render(h(App))",
        "Intercom('boot')",
        ["boot"],
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_modules_that_matter_are_known(name: str) -> None:
    source, kind, calls = MODULES[name]
    page = here(f"<script type=module>{source}</script>")

    assert (page.values, page.settings[0].source, page.calls, page.broken) == (ADA, kind, calls, "")
    assert page.imports
    assert here("<script type=module>Intercom('boot', {a: \"import b from 'c'\"})</script>").imports == []


def test_a_url_of_settings_is_named() -> None:
    page = here(str(render_renewal("/static/fin-messenger-auth.js", "/messenger/settings")))
    assert (page.requests, page.imports) == (["/messenger/settings"], ["/static/fin-messenger-auth.js"])
    assert here(scripts("fetch('/me')")).requests == ["/me"]


def test_policies_in_the_page_are_found() -> None:
    meta = "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><meta name=x>"
    assert here(meta).policies == ["script-src 'none'"]


def test_order_is_recorded() -> None:
    page = here(
        scripts(LOADER, "Intercom('shutdown'); Intercom('boot', {app_id: 'a'}); Intercom('update', {user_id: '42'})")
    )

    assert page.calls == ["shutdown", "boot", "update"]
    assert page.loaders == ["https://widget.intercom.io/widget/a"]
    assert [each.source for each in page.settings] == ["Intercom('boot')", "Intercom('update')"]
    external = "<script src='https://widget.intercom.io/widget/b'></script><script async src=/app.js></script>"
    assert here(external).loaders == ["https://widget.intercom.io/widget/b"]


APART = [
    "function onRoute() { Intercom('update', {user_id: '42'}) }",
    "const onRoute = () => Intercom('update', {user_id: '42'})",
    "document.getElementById('b').addEventListener('click', () => Intercom('update', {user_id: '42'}))",
    "document.getElementById('b').onclick = () => Intercom('update', {user_id: '42'})",
    "$('#b').on('click', function () { Intercom('update', {user_id: '42'}) })",
    "router.events.on('routeChangeComplete', () => Intercom('update', {user_id: '42'}))",
    "window.app = {user: {changed() { Intercom('update', {user_id: '42'}) }}}",
    "class Chat { changed() { Intercom('update', {user_id: '42'}) } }",
    "setTimeout(() => Intercom('update', {user_id: '42'}), 3600 * 1000)",
    "createApp({methods: {changed() { Intercom('update', {user_id: '42'}) }}}).mount('#app')",
    "document.body.insertAdjacentHTML('beforeend', '<p>'); nobody.handler = () => Intercom('update', {user_id: '42'})",
    "const later = () => () => Intercom('update', {user_id: '42'})",
    "let mine = {set: (value) => { window.intercomSettings = {}; Intercom('update', {user_id: '42'}) }}",
]


@pytest.mark.parametrize(
    "source",
    [
        *APART,
        "</script><a onclick=\"Intercom('update', {user_id: '42'})\"></a><script>",
        "</script><a href=\"javascript:Intercom('update', {user_id: '42'})\"></a><script>",
    ],
)
def test_what_nothing_has_called_is_found_apart_from_the_page(source: str) -> None:
    page = here(scripts(f"{W} = {{app_id: 'a'}};{LOADER}", source, before="<b id=b></b>"))

    assert page.values == {"app_id": "a"}
    assert page.calls == ["boot"]
    assert [(each.source, each.values) for each in page.settings if each.apart] == [
        ("Intercom('update')", {"user_id": "42"})
    ]


def test_a_boot_that_only_waits_counts_if_there_is_no_other() -> None:
    page = here(scripts("function signedIn(user) { Intercom('boot', {app_id: 'a', user_id: user.id}) }"))
    assert (page.values, page.unknown, page.calls) == ({"app_id": "a"}, {"user_id"}, [])


WAITS = {
    "for a consent": f"document.addEventListener('consent', () => {{ {W} = {{app_id: 'a', user_id: '42'}}; {LOADER} }})",
    "for a consent manager": f"</script><script type='text/plain' data-category=functional>{W} = {{app_id: 'a', user_id: '42'}}",
    "for a delayed loader": f"</script><script type=rocketlazyloadscript>{W} = {{app_id: 'a', user_id: '42'}}",
    "for Rocket Loader": f"</script><script type=0a1b2c-text/javascript>{W} = {{app_id: 'a', user_id: '42'}}",
    "for a worker": f"</script><script type=text/partytown>{W} = {{app_id: 'a', user_id: '42'}}",
}


@pytest.mark.parametrize("name", WAITS)
def test_a_page_that_waits_is_read_as_it_will_be(name: str) -> None:
    page = here(scripts(WAITS[name]))

    assert (page.values, page.calls, [each.apart for each in page.settings]) == (ADA, [], [True])


def test_settings_in_says_what_counts_in_the_end(messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings("42")
    page = scripts(
        f"{W} = {{app_id: 'x', email: 'e'}}", f"{W} = {json.dumps(settings)}", "Intercom('update', {page_title: 't'})"
    )

    assert settings_in(page) == {**settings, "page_title": "t"}
    assert [each.source for each in settings_in_page(page)] == [W, W, "Intercom('update')"]
    with pytest.raises(AssertionError, match="a comma is missing"):
        settings_in(scripts(f"{W} = {{app_id: 'a' user_id: 1}}"))
    with pytest.raises(AssertionError, match="passes no settings"):
        settings_in("<p>")


def test_without_the_extra_only_our_own_snippet_and_json_are_read(
    monkeypatch: pytest.MonkeyPatch, messenger_builder: TokenPairBuilder
) -> None:
    monkeypatch.setattr(reader, "find_spec", lambda name: None if name == "quickjs" else find_spec(name))
    settings = messenger_builder.build_settings("42", extra={"__proto__": 1})
    snippet = render_snippet(settings)

    assert settings_in(f"<h1>Shop</h1>{snippet}<p>") == settings
    assert settings_in(json.dumps({"settings": settings})) == settings
    assert read_page(str(render_snippet(messenger_builder.build_settings(None)))).values["app_id"] == "throwaway"
    for page in (
        scripts(f"{W} = {{app_id: 'a'}}"),
        scripts(f"{W}.x = 1") + snippet,
        snippet + scripts("Intercom('update')"),
        "<p>",
    ):
        assert read_page(page) == Page(stopped=reader.NEEDS_EXTRA)
        with pytest.raises(AssertionError, match=r"pip install 'fin-messenger-auth\[doctor\]'"):
            settings_in(page)


def test_the_snippet_and_the_sign_out_are_run_like_any_script(messenger_builder: TokenPairBuilder) -> None:
    settings = messenger_builder.build_settings("42")
    page = read_page(f"<body>{render_sign_out('throwaway')}{render_snippet(settings)}</body>")

    assert (page.values, page.calls, page.twice) == (settings, ["boot"], False)
    assert [each.source for each in page.settings] == ["snippet"]
    assert settings["intercom_user_jwt"] not in repr(page)


# ---- Attacks ----


@pytest.mark.parametrize("name", attacks.HARMLESS)
def test_an_attack_on_the_stand_in_changes_nothing(name: str) -> None:
    page = here(attacks.page(attacks.HARMLESS[name]))

    assert (page.values, page.stopped) == (ADA, "")


@pytest.mark.parametrize("name", attacks.ODD)
def test_odd_settings_are_read_as_something(name: str) -> None:
    document = attacks.page(attacks.ODD[name])
    page = here(document, 0.5)

    json.dumps(page.values).encode()
    assert page.stopped or page.settings or page.broken or page.values == {}


@pytest.mark.parametrize("name", attacks.STOPPED)
def test_a_page_without_an_end_is_stopped_and_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CPU_SECONDS", 0.1)
    found = check_page(Document(attacks.page(attacks.STOPPED[name])))

    assert {each.level for each in found} == {Level.UNCHECKED}
    assert "What the page passes on (" in found[0].message


@pytest.mark.parametrize("name", ["a loop", "a chain of promises", "memory", "a record without end"])
def test_a_page_is_stopped_by_its_budget_not_only_by_its_process(name: str) -> None:
    assert here(attacks.page(attacks.STOPPED[name]), 0.1).stopped


@pytest.mark.parametrize("name", [*attacks.ENDED, *attacks.MARKUP])
def test_what_hangs_or_crashes_ends_with_its_process(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CPU_SECONDS", 0.3)
    monkeypatch.setattr(reader, "WALL_SECONDS", 0.8)
    page = read_page(attacks.page(attacks.ENDED[name]) if name in attacks.ENDED else attacks.MARKUP[name])

    json.dumps(page.values).encode()
    assert page.stopped or page.values in ({}, {"app_id": "?"})


def test_a_slow_page_is_not_read_for_every_answer_of_a_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Slow(engine._Scripts):
        def _run_all(self) -> None:
            super()._run_all()
            now[0] += 4

    monkeypatch.setattr(engine, "process_time", lambda: now[0])
    monkeypatch.setattr(engine, "_Scripts", Slow)
    page = scripts("if (localStorage.getItem('a') === 'b') Intercom('boot', {app_id: 'a'})")
    assert here(page, 20).values == {"app_id": "a"}
    now[0] = 0
    read = here(page, 14)
    assert (read.values, read.stopped) == ({}, "")


def test_a_record_has_an_end() -> None:
    page = here(scripts("for (let at = 0; at < 5000; at++) Intercom('update', {x: 'x'.repeat(1000)})"), 20)
    assert page.stopped == "it tells the Messenger more than can be read"


def test_more_tasks_than_a_page_has_are_not_run() -> None:
    assert (
        here(scripts("const again = () => { setTimeout(again); }; again(); @".replace("@", attacks.SETTINGS))).values
        == ADA
    )


def test_there_are_enough_attacks() -> None:
    assert sum(map(len, (attacks.HARMLESS, attacks.ODD, attacks.STOPPED, attacks.ENDED, attacks.MARKUP))) >= 80


def test_the_process_has_no_environment_and_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCOM_MESSENGER_SECRET", "s" * 40)
    with mock.patch.object(subprocess, "run", wraps=subprocess.run) as run:
        read_page("<script>1</script>")
    assert set(run.call_args.kwargs["env"]) <= {"SYSTEMROOT"}
    assert run.call_args.args[0][1:3] == ["-I", "-S"]
    resource = pytest.importorskip("resource")
    limits: dict[int, Any] = {}
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"<script>intercomSettings = {app_id: 'a'}</script>"))
    )
    monkeypatch.setattr(sys, "stdout", written := io.StringIO())
    engine.main(1)
    assert json.loads(written.getvalue())["events"][0]["settings"] == {"app_id": "a"}
    assert (limits[resource.RLIMIT_NOFILE], limits[resource.RLIMIT_CPU]) == ((0, 0), (9, 9))


def test_an_answer_that_is_none_is_a_page_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    for output in (b"", b"[" * 100_000):
        monkeypatch.setattr(
            subprocess, "run", lambda *_, output=output, **__: subprocess.CompletedProcess([], -9, output)
        )
        assert read_page("<p>").stopped == "reading it ended the process that did"


BROKEN = {
    "a quote": (f"{W} = {{app_id: 'a', name: 'O'Brien'}}", "a comma is missing, or a quote in a value is not escaped"),
    "a line": (f"{W} = {{app_id: 'a', name: 'A\nB'\n}}", "a string does not end on its line"),
    "an end": (f"{W} = {{app_id: 'a', name: '</script><b>'}}", "a value with </script> in it ends the script"),
    "a template": (f"{W} = {{app_id: <%= id %>}}", "it holds a template expression that was not rendered"),
    "a template in a string": (
        f"{W} = {{app_id: '{{{{ id }}}}'}}",
        "it holds a template expression that was not rendered",
    ),
    "entities": (f"{W} = {{app_id: &quot;a&quot;}}", "it is HTML-escaped, with &quot; or &#34; in place of quotes"),
    "Python": (f"{W} = {{'app_id': 'a', 'admin': [True]}}", "True is not JavaScript"),
    "Ruby": ("Intercom('boot', {app_id: 'a', user_id: nil})", "nil is not JavaScript"),
    "JSON": (f"{W} = JSON.parse('{{app_id: 1}}')", "the string that JSON.parse gets is not JSON"),
    "JSON later": (
        f"addEventListener('load', () => {{ {W} = JSON.parse('{{app_id: 1}}') }})",
        "the string that JSON.parse gets is not JSON",
    ),
    "quotes": (f"{W} = {{app_id: \u201ca\u201d}}", "typographic quotes stand in place of plain ones"),
    "a template of JavaScript": (
        f"{W} = {{app_id: 'a', user_id: '${{id}}'}}",
        "it holds a template expression that was not rendered",
    ),
    "a script before it": (f"var a; <script>{W} = {{app_id: 'a'}}", "the <script> element before it is not closed"),
    "null": (
        f"const id = document.getElementById('me').dataset.id; {W} = {{app_id: 'a', user_id: id}}",
        "it stops with a TypeError: cannot read property 'dataset' of null",
    ),
    "no function": (f"const f = 1; {W} = {{app_id: f()}}", "it stops with a TypeError"),
    "a comment": (
        f"{W} = {{app_id: '<!--<script>'}}",
        "a value with <!-- and <script in it keeps the script from ending",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_script_that_cannot_run_is_named(name: str) -> None:
    source, why = BROKEN[name]
    assert here(scripts(source)).broken == why
    assert not here(scripts("var 1", f"{W} = {{app_id: 'a'}}")).broken


@pytest.mark.parametrize(
    ("document", "instead"),
    [
        (
            "<!-- <script>intercomSettings = {app_id: 1}</script> --><form><input type=password>",
            "comment",
        ),
        ("<form><input type=PASSWORD>", "sign-in"),
        ("<script>fetch('/me').then((r) => Intercom('boot', r))</script>", "elsewhere"),
        ("<noscript><script>window.intercomSettings = {app_id: 'a'}</script></noscript>", "text"),
        ("<textarea><script>window.intercomSettings = {app_id: 'a'}</script>", "text"),
        ("<p>&lt;script&gt;window.intercomSettings = {}&lt;/script&gt;", "text"),
        ("<script>const intercomSettings = {app_id: 'a', user_jwt: 'eyJh.e30.x'}</script>", "unnamed"),
        ("<script>window.intercomSettings = '{\"app_id\": 1}'</script>", "string"),
        ("<script>Intercom('shutdown')</script>", ""),
        ("<script type='application/json'>{\"a\": 1}</script><!-- x --><!doctype html><svg><title>x</title></svg>", ""),
        ("<script type=text/template>window.intercomSettings = {app_id: 'a'}</script>", ""),
    ],
)
def test_it_says_what_a_page_has_in_place_of_settings(document: str, instead: str) -> None:
    page = here(document)
    assert (page.settings, page.instead) == ([], instead)


@pytest.mark.parametrize(
    "document",
    [
        "<meta http-equiv=Refresh content='0; URL=/login'>",
        *(f"<script>{each}</script>" for each in ("location.href = '/login'", "location = '/login'")),
        *(f"<script>{each}</script>" for each in ("location.replace('/login')", "document.location = '/login'")),
    ],
)
def test_it_says_where_a_page_sends_the_browser(document: str) -> None:
    assert here(document).moved == "/login"
    assert here("<script>function out() { location.href = '/login' }</script>").moved == ""


@pytest.mark.parametrize(
    ("answer", "values", "instead"),
    [
        ("eyJh.e30.x", {JWT: "eyJh.e30.x"}, ""),
        ('"eyJh.e30.x"', {JWT: "eyJh.e30.x"}, ""),
        ('{"data": {"attributes": {"jwt": "eyJh.e30.x"}}}', {JWT: "eyJh.e30.x"}, ""),
        ('{"app_id": "a", "token": "eyJh.e30.x"}', {"app_id": "a", "token": "eyJh.e30.x"}, ""),
        ('{"token": null}', {}, "json"),
        ('{"app_id": "a",', {}, "json-invalid"),
        ('"{\\"app_id\\": 1}"', {}, "json-twice"),
    ],
)
def test_the_answer_of_an_endpoint_may_be_the_token_alone(answer: str, values: dict[str, Any], instead: str) -> None:
    page = read_page(answer)
    assert page.values == values
    assert not instead or page.instead == instead


def test_a_boot_without_the_user_of_an_earlier_one_loses_the_user() -> None:
    first, second = f"Intercom('boot', {{app_id: 'a', {JWT}: 'j'}})", "Intercom('boot', {app_id: 'a'})"
    assert here(scripts(first, second)).twice
    assert not here(scripts(first, "Intercom('shutdown')", second)).twice
    assert not here(scripts(second, first)).twice


def test_what_a_page_says_of_a_person_is_not_in_its_repr() -> None:
    page = here(scripts(f"window.intercomSettings = {{app_id: 'a', {JWT}: 'canary'}}"))
    assert page.values[JWT] == "canary"
    assert "canary" not in repr(page)


def test_the_last_of_several_scripts_may_have_no_end() -> None:
    settings = "window.intercomSettings = {app_id: 'a'}"
    assert here(f"<script>var a = 1</script><script>{settings}").broken
    assert not here(f"<script>var a = 1</script><script>{settings}</script>").broken


def test_a_compressed_page_may_repeat_what_stands_far_before() -> None:
    far = random.Random(1).randbytes(12_000).hex()
    assert decoded(gzip.compress(f"{far}{far}".encode())) == far + far
