"""Pages and uploads as people get them wrong by hand, with another template engine or with another tool."""

from __future__ import annotations

import base64
import gzip
import html
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from joserfc.jwk import RSAKey

from tests.broken_setups import OTHER_JWK
from tests.broken_sites import (
    TOKENS,
    Change,
    Site,
    case,
    document,
    environment,
    jwk_with,
    options,
    page,
    signed_with,
    snippet,
    token,
    update,
    uploaded,
    without,
)
from tests.broken_tokens import SECRET

JWT, IDENTITY = TOKENS
SIGN_OUT = "function signOut() { Intercom('shutdown') }\n"
FIXED = "app_id: 'abc', api_base: 'https://api-iam.intercom.io'"


def script(text: str) -> str:
    return f"<html><body><script>{SIGN_OUT}{text}</script></body></html>"


def written(form: str, *, lost: tuple[str, ...] = (), **changed: object) -> Change:
    """A page in which JSON stands for ``@`` in a script."""

    def make(site: Site) -> None:
        settings = {name: value for name, value in {**site.settings, **changed}.items() if name not in lost}
        site.document = script(form.replace("@", json.dumps(settings)))

    return make


def in_parts(second: str, *names: str) -> Change:
    """Settings in one script, and those of ``names`` in a second: as JSON for ``@``."""

    def make(site: Site) -> None:
        settings = site.settings
        later = {name: settings.pop(name) for name in names}
        first = script(f"window.intercomSettings = {json.dumps(settings)};")
        site.document = first + f"<script>{second.replace('@', json.dumps(later))}</script>"

    return make


def renamed(**names: str) -> Change:
    return page(lambda settings: [settings.update({new: settings.pop(old)}) for old, new in names.items()])


def form(make: Callable[[str], str], *, lost: tuple[str, ...] = (), **changed: object) -> Change:
    """A page that is made of the settings' JSON."""

    def change(site: Site) -> None:
        settings = {name: value for name, value in {**site.settings, **changed}.items() if name not in lost}
        site.document = make(json.dumps(settings))

    return change


def encoded(encode: Callable[[str], bytes]) -> Change:
    return lambda site: site.save(encode(snippet(site.settings)))


def with_certificate(days: int) -> Change:
    """An upload whose certificate is valid for so many more days."""

    def make(site: Site) -> object:
        key = load_pem_private_key((site.directory / "private-key.pem").read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(60), now + timedelta(days))
        der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        return {**site.jwk, "x5c": [base64.b64encode(der).decode()]}

    return uploaded(make)


def whole_key(site: Site) -> object:
    """What a library writes that exports the private key as a JWK."""
    key: dict[str, Any] = RSAKey.import_key((site.directory / "private-key.pem").read_text()).as_dict(private=True)
    return {**site.jwk, **key}


def public_pem(site: Site) -> object:
    key = load_pem_private_key((site.directory / "private-key.pem").read_bytes(), None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def changed_x5c(change: Callable[[str], object]) -> Change:
    return uploaded(lambda site: {**site.jwk, "x5c": change(site.jwk["x5c"][0])})


def secret_in_the_page(settings: dict[str, Any]) -> None:
    settings["intercom_secret"] = SECRET


def replaced_by_a_layout(site: Site) -> None:
    site.document = snippet(site.settings) + script("window.intercomSettings = {app_id: 'abc'};")


def a_second_snippet(site: Site) -> None:
    site.document = snippet(site.settings) * 2


def replaced_by_a_later_script(site: Site) -> None:
    first = script(f"window.intercomSettings = {json.dumps(site.settings)};")
    site.document = first + "<script>window.intercomSettings = {app_id: 'abc'};</script>"


def hexadecimal(site: Site) -> None:
    site.environ["INTERCOM_MESSENGER_SECRET"] = "ab" * 32
    page(signed_with(bytes.fromhex("ab" * 32)))(site)


LOADER = (
    "(function(){var i=function(){i.c(arguments)};i.q=[];i.c=function(a){i.q.push(a)};window.Intercom=i;var s=document."
    "createElement('script');s.src='https://widget.intercom.io/widget/abc';document.head.appendChild(s)})();"
)
ALPINE = "<!-- Alpine --><script>let a = 1</script><div x-data='{app_id: 1}'></div>"
NO_JWT, NO_IDENTITY, NOBODY = (JWT,), (IDENTITY,), ("user_id", JWT, IDENTITY)

BROKEN_PAGES = [
    # The script cannot run.
    case(
        "escaped by a template engine",
        "page-broken",
        form(lambda text: script(f"intercomSettings = {html.escape(text)}")),
    ),
    case(
        "escaped with numbers",
        "page-broken",
        form(lambda text: script(f"intercomSettings = {text.replace(chr(34), '&#34;')}")),
    ),
    case(
        "escaped in a block of JSON",
        "page-broken",
        form(lambda text: f"<script type='application/json'>{html.escape(text)}</script>"),
    ),
    case(
        "a block of JSON that is none",
        "page-broken",
        document("<script type='application/json'>{'app_id': '&amp;'}</script>"),
    ),
    case("a quote in a name", "page-broken", document(script("intercomSettings = {app_id: 'abc', name: 'O'Brien'}"))),
    case("a newline in a name", "page-broken", document(script("intercomSettings = {app_id: 'abc', name: 'Ada\nL'}"))),
    case("no comma", "page-broken", document(script("intercomSettings = {app_id: 'abc'\nuser_id: '42'}"))),
    case(
        "a dict of Python",
        "page-broken",
        lambda site: setattr(site, "document", script(f"intercomSettings = { ({**site.settings, 'a': None})!r}")),
    ),
    case("nil of Ruby", "page-broken", document(script("intercomSettings = {app_id: 'abc', user_id: nil}"))),
    case(
        "template of Jinja, in quotes",
        "page-broken",
        document(script(f"intercomSettings = {{{FIXED}, user_id: '{{{{ user.id }}}}'}}")),
    ),
    case(
        "template of ERB, bare",
        "page-broken",
        document(script(f"intercomSettings = {{{FIXED}, user_id: <%= user.id %>}}")),
    ),
    case(
        "JSON.parse of something else", "page-broken", document(script("intercomSettings = JSON.parse('{app_id: 1}')"))
    ),
    case("<!-- in a value", "page-broken", written("window.intercomSettings = @", page_title="<!--<script>")),
    # Settings in other places, with a fault.
    case(
        "no token in Object.assign",
        "settings-token-missing",
        written("Intercom('boot', Object.assign({}, @, {page_title: 'x'}))", lost=NO_JWT),
    ),
    case(
        "no token in an effect of React",
        "settings-token-missing",
        written("useEffect(() => { Intercom('boot', @); return () => Intercom('shutdown') }, [])", lost=NO_JWT),
    ),
    case(
        "no token in JSON.parse",
        "settings-token-missing",
        form(lambda text: script(f"intercomSettings = JSON.parse('{text}')"), lost=NO_JWT),
    ),
    case(
        "no token in JSON.parse with escapes",
        "settings-token-missing",
        form(
            lambda text: script('intercomSettings = JSON.parse("' + text.replace('"', "\\u0022") + '");'), lost=NO_JWT
        ),
    ),
    case(
        "no token in an attribute",
        "settings-token-missing",
        form(lambda text: f"<div data-messenger='{html.escape(text)}'></div>", lost=NO_JWT),
    ),
    case(
        "another user in a block of JSON",
        "intercom-user-id-differs",
        form(lambda text: f"<script type='application/json'>{text}</script>", user_id="43"),
    ),
    case(
        "no Salesforce token in the state of a framework",
        "token-missing",
        form(
            lambda text: f'<script id="__NEXT_DATA__" type="application/json">{{"props":{{"p":{text}}}}}</script>',
            lost=NO_IDENTITY,
        ),
    ),
    case(
        "no token deep in an answer",
        "settings-token-missing",
        form(lambda text: f'{{"data":{{"messenger":[{text}]}}}}', lost=NO_JWT),
    ),
    case(
        "update without the token",
        "settings-token-missing",
        written("window.intercomSettings = @; Intercom('update', {user_id: '42'})"),
    ),
    case(
        "settings in a comment",
        "page-settings-missing",
        form(lambda text: f"<!-- <script>intercomSettings = {text}</script> -->"),
    ),
    case(
        "settings from a script",
        "page-settings-missing",
        document("<script type=module>startMessenger('/messenger/settings')</script>"),
    ),
    case("a page to sign in", "page-settings-missing", document("<form><input type=password name=password></form>")),
    case("an answer without settings", "page-settings-missing", document('{"detail": "Not authenticated"}')),
    # Names and values.
    case("token under another name", "setting-unknown", renamed(**{JWT: "intercomUserJwt"})),
    case("Salesforce token under another name", "setting-unknown", renamed(**{IDENTITY: "salesforce_jwt"})),
    case("token under another name, no user_id", "setting-unknown", renamed(**{JWT: "user_jwt", "user_id": "userId"})),
    case(
        "an e-mail address alone",
        "settings-token-missing",
        page(lambda settings: [without(*NOBODY)(settings), update(email="ada@example.com")(settings)]),
    ),
    case(
        "a user_hash alone",
        "token-user-hash",
        page(lambda settings: [without(JWT)(settings), update(user_hash="ab" * 32)(settings)]),
    ),
    case(
        "token as bytes of Python",
        "token-wrapped",
        page(lambda settings: settings.update({JWT: f"b'{settings[JWT]}'"})),
    ),
    case("secret decoded from hexadecimal", "intercom-secret-altered", hexadecimal),
    case("created_at in milliseconds", "token-milliseconds", page(update(created_at=1_700_000_000_000))),
    case("a time of an attribute in milliseconds", "token-milliseconds", page(token(renewed_at=1_700_000_000_000))),
    case("session_duration in seconds", "setting-invalid", page(update(session_duration=3600))),
    case("the secret in the page", "page-secret", page(secret_in_the_page)),
    case("a page of last week", "token-expired", page(token(exp=int(time.time()) - 604_800))),
    case("a layout with a second script", "page-settings-twice", replaced_by_a_layout),
    case("a later script without a user", "page-settings-twice", replaced_by_a_later_script),
    case("the snippet twice", "page-settings-twice", a_second_snippet),
    case("two loaders", "page-settings-twice", written(f"window.intercomSettings = @; {LOADER} {LOADER}")),
    case(
        "shutdown before the first boot",
        "page-shutdown-early",
        options(
            *("--user", ""),
            then=document(script(f"{LOADER} if (window.Intercom) Intercom('shutdown'); Intercom('boot', {{{FIXED}}})")),
        ),
    ),
    case(
        "update without the token in a handler",
        "settings-token-missing",
        written(
            "window.intercomSettings = @; onRoute = () => Intercom('update', {user_id: '42', page: location.href})"
        ),
    ),
    # Uploads.
    case("an array uploaded", "jwk-document", uploaded(lambda site: [site.jwk])),
    case("the whole key uploaded as a JWK", "jwk-private", uploaded(whole_key)),
    case("a public key uploaded", "jwk-document", uploaded(public_pem)),
    case("UTF-16 uploaded", "jwk-document", uploaded(lambda site: json.dumps(site.jwk).encode("utf-16"))),
    case("a byte order mark uploaded", "jwk-document", uploaded(lambda site: json.dumps(site.jwk).encode("utf-8-sig"))),
    case("an empty file uploaded", "jwk-document", uploaded(lambda _site: "")),
    case("a certificate of nine days", "certificate-validity", with_certificate(9)),
    case("an expired certificate", "certificate-validity", with_certificate(-2)),
    case("a certificate of three weeks, and a newer one here", "directory-differs", with_certificate(21)),
    case("x5c in Base64URL", "jwk-x5c-format", changed_x5c(lambda text: [text.translate(str.maketrans("+/", "-_"))])),
    case("x5c as a string", "jwk-x5c-format", changed_x5c(lambda text: text)),
    case("x5c on several lines", "jwk-x5c-format", changed_x5c(lambda text: [f"{text[:64]}\n{text[64:]}"])),
    case("kid with a space", "jwk-member", uploaded(lambda site: {**site.jwk, "kid": site.jwk["kid"] + " "})),
    case("alg PS256 uploaded", "jwk-member", jwk_with(alg="PS256")),
    case("use enc uploaded", "jwk-use", jwk_with(use="enc")),
    case("another key without x5c uploaded", "jwk-x5c-missing", uploaded(lambda _site: {**OTHER_JWK, "x5c": None})),
    # The configuration.
    case(
        "audience with a slash",
        "salesforce-audience",
        environment(SALESFORCE_AUDIENCE="https://acme.my.salesforce-scrt.com/"),
    ),
    case(
        "another audience in Salesforce",
        "salesforce-audience",
        options("--audience", "https://other.my.salesforce-scrt.com"),
    ),
    case(
        "kid in another case in the environment",
        "salesforce-kid-differs",
        lambda site: (page()(site), site.environ.update(SALESFORCE_KEY_ID=site.jwk["kid"].swapcase())),
    ),
]

HEALTHY_PAGES = [
    case(
        "one or the other",
        "",
        options("--user", "42", then=written("window.intercomSettings = u ? @ : {app_id: 'abc'}")),
    ),
    case(
        "an anonymous boot after a sign-out",
        "",
        written("Intercom('boot', @); out = () => { Intercom('boot', {app_id: 'abc'}) }"),
    ),
    case(
        "comments with examples",
        "",
        written("/* {app_id: 'x' 'y'} */\n// intercomSettings = {app_id: YOUR ID}\nintercomSettings = @; a = '/*'"),
    ),
    case(
        "a wildcard in a header",
        "",
        written("f({accept: '*/*', a: 'x/*'}); window.intercomSettings = @; g({accept: '*/*'})"),
    ),
    case(
        "another service with an app_id",
        "",
        written("f({app_id: 'other', token: 'eyJh.e30.x'}); window.intercomSettings = @; g({appId: '1:2'})"),
    ),
    case("braces in an attribute", "", written("window.intercomSettings = @", greeting="Hello {{name}}")),
    case("an expression of a regular expression", "", written("const quotes = /['\"]/g; window.intercomSettings = @;")),
    case(
        "React, in an effect",
        "",
        written("useEffect(() => { Intercom('boot', @); return () => Intercom('shutdown') }, [])"),
    ),
    case("Object.assign", "", written("Intercom('boot', Object.assign({}, @, {page_title: 'x'}))")),
    case("Object.assign of a variable", "", written("Intercom('boot', Object.assign({}, @, theme))", lost=NO_JWT)),
    case("spread", "", document(script(f"Intercom('boot', {{{FIXED}, user_id: '42', ...tokens}})"))),
    case("tokens added by Object.assign", "", in_parts("Object.assign(window.intercomSettings, @)", *TOKENS)),
    case(
        "tokens added by a spread",
        "",
        in_parts("window.intercomSettings = {...window.intercomSettings, ...@}", *TOKENS),
    ),
    case(
        "tokens added by name",
        "",
        in_parts(
            f"let t = @; intercomSettings.{JWT} = t.{JWT}; intercomSettings['{IDENTITY}'] = t['{IDENTITY}']", *TOKENS
        ),
    ),
    case("an attribute", "", form(lambda text: f"<div data-messenger='{html.escape(text)}'></div>")),
    case(
        "an attribute of Alpine",
        "",
        form(lambda text: ALPINE + script(f"intercomSettings = {text}")),
    ),
    case("a block of JSON", "", form(lambda text: f"<script type='application/json'>{text}</script>")),
    case("JSON.parse", "", form(lambda text: script(f"intercomSettings = JSON.parse('{text}')"))),
    case(
        "comments with an apostrophe",
        "",
        written("window.intercomSettings = @; const o = {onShow() { // don't\n return a / b; }};"),
    ),
    case(
        "a callback in the settings",
        "",
        form(lambda text: script(f"Intercom('boot', {text[:-1]}, onShow: () => {{ /* don't */ f('a') }}}})")),
    ),
    case(
        "an anonymous boot at sign-out",
        "",
        written("window.intercomSettings = @; function out() { window.intercomSettings = {app_id: 'abc'} }"),
    ),
    case(
        "five megabytes",
        "",
        lambda site: setattr(site, "document", f"<p>{'x' * 5_000_000}</p>{snippet(site.settings)}"),
    ),
    case("UTF-16", "", encoded(lambda text: text.encode("utf-16"))),
    case("a byte order mark", "", lambda site: site.save(json.dumps(site.settings).encode("utf-8-sig"))),
    case("saved as gzip", "", encoded(lambda text: gzip.compress(text.encode()))),
    case("user_id as a number beside the token", "", page(update(user_id=42))),
]
