"""Set-ups and pages of further kinds: each broken one with its code, and those whose fix is local, to be followed."""

from __future__ import annotations

import base64
import html
import json
import os
import time
from collections.abc import Callable
from urllib.parse import quote

from fin_messenger_auth.onboarding import make_key_directory
from tests.broken_pages import FIXED, LOADER, NO_JWT, form, script, written
from tests.broken_setups import OTHER_JWK
from tests.broken_sites import (
    SECRET_BYTES,
    TOKENS,
    Change,
    Site,
    bare,
    case,
    document,
    environment,
    fin_managed,
    foreign,
    identity,
    in_europe,
    options,
    page,
    renewed,
    signed_with,
    snippet,
    token,
    update,
    uploaded,
    without,
)
from tests.broken_tokens import AUDIENCE, ISSUER, SECRET

JWT, IDENTITY = TOKENS


def setting(**changed: str) -> Change:
    return lambda site: site.environ.update(changed)


def file(name: str, change: Callable[[Site], object]) -> Change:
    """A file of the key directory, written anew."""
    return lambda site: (site.directory / name).write_text(json.dumps(change(site)))


def named(**variables: str) -> Change:
    """Variables that name a file of the key directory."""
    return lambda site: site.environ.update({name: str(site.directory / each) for name, each in variables.items()})


def both(*changes: Change) -> Change:
    return lambda site: [each(site) for each in changes]


def other_jwk(site: Site) -> None:
    path = site.directory.parent / "other.json"
    path.write_text(json.dumps(OTHER_JWK))
    site.environ.update(SALESFORCE_KEY_ID="", SALESFORCE_JWK_FILE=str(path))


def only_the_key(site: Site) -> None:
    for name in ("jwk.json", "jwks.json", "certificate.pem"):
        (site.directory / name).unlink()


def other_directory(site: Site) -> None:
    """The directory of another key than the one in use, whose JWK the environment names."""
    made = make_key_directory(site.directory.parent / "new", kid="new")
    site.options[0] = str(made.path)


def prefixed(site: Site) -> None:
    page()(site)
    site.environ = {f"SHOP_{name}": value for name, value in site.environ.items()}
    del site.options[0]


def of_the_directory(site: Site) -> None:
    page()(site)
    site.options += ["--uploaded", str(site.directory / "certificate.pem")]


def commented(site: Site) -> None:
    path = site.directory.parent / "workspace"
    path.write_text(SECRET)
    path.chmod(0o600)
    site.options += ["--secret-file", str(path)]
    site.environ["INTERCOM_MESSENGER_SECRET"] = f"{SECRET} # of production"


JWK_FILE = both(named(SALESFORCE_JWK_FILE="jwk.json"), setting(SALESFORCE_KEY_ID=""))
LOCAL: dict[str, tuple[str, Change]] = {
    "the app ID is an address": ("app-id-url", setting(INTERCOM_APP_ID="https://app.intercom.com/a/apps/abc/home")),
    "an issuer with a space": ("value-wrapped", setting(SALESFORCE_ISSUER=f" {ISSUER}")),
    "an issuer without https": ("salesforce-issuer-differs", setting(SALESFORCE_ISSUER="acme.example")),
    "an audience without TLS": ("salesforce-audience", setting(SALESFORCE_AUDIENCE=AUDIENCE.replace("https", "http"))),
    "the audience of Lightning": (
        "salesforce-audience",
        setting(SALESFORCE_AUDIENCE="https://acme.lightning.force.com"),
    ),
    "an audience in capitals": ("salesforce-audience", setting(SALESFORCE_AUDIENCE=AUDIENCE.upper())),
    "an audience with a path": ("salesforce-audience", setting(SALESFORCE_AUDIENCE=f"{AUDIENCE}/iamessage/api/v2")),
    "the kid is a name of a file": ("salesforce-kid-differs", setting(SALESFORCE_KEY_ID="jwk.json")),
    "a lifetime of milliseconds": ("token-lifetime-long", setting(INTERCOM_TOKEN_LIFETIME="86400000")),
    "a lifetime of a year": ("token-lifetime-long", setting(SALESFORCE_TOKEN_LIFETIME="31536000")),
    "a region in words": ("region-unknown", setting(INTERCOM_REGION="us-east-1")),
    "another algorithm": ("salesforce-algorithm-differs", setting(SALESFORCE_ALGORITHM="RS512")),
    "PS256": ("salesforce-algorithm", setting(SALESFORCE_ALGORITHM="PS256")),
    "a policy that is none": ("argument-invalid", setting(MESSENGER_ON_SIGNING_ERROR="anonymus")),
    "a start that is none": ("argument-invalid", setting(MESSENGER_START="strikt")),
    "a switch that is none": ("argument-invalid", setting(MESSENGER_ENABLED="maybe")),
    "switched off": ("messenger-off", setting(MESSENGER_ENABLED="0")),
    "a signer beside the key": ("salesforce-signer-ambiguous", setting(SALESFORCE_SIGNER="aws-kms")),
    "Fin beside the JWK": (
        "salesforce-signer-ambiguous",
        both(JWK_FILE, setting(SALESFORCE_IDENTITY="fin-managed")),
    ),
    "the key file is a directory": ("key-unavailable", named(SALESFORCE_PRIVATE_KEY_FILE="")),
    "the key file is the certificate": ("key-public", named(SALESFORCE_PRIVATE_KEY_FILE="certificate.pem")),
    "the key file is the JWK": ("key-public", named(SALESFORCE_PRIVATE_KEY_FILE="jwk.json")),
    "the key is a path": (
        "value-path",
        setting(SALESFORCE_PRIVATE_KEY_FILE="", SALESFORCE_PRIVATE_KEY="/etc/keys/private-key.pem"),
    ),
    "no JWK at the path": (
        "key-unavailable",
        setting(SALESFORCE_KEY_ID="", SALESFORCE_JWK_FILE="/nowhere/jwk.json"),
    ),
    "the JWK of another key": ("key-differs", other_jwk),
    "a kid beside the JWK": ("kid-differs", both(JWK_FILE, setting(SALESFORCE_KEY_ID="WebAppKey1"))),
    "an algorithm beside the JWK": ("algorithm-differs", both(JWK_FILE, setting(SALESFORCE_ALGORITHM="RS512"))),
    "a JWK without kid": (
        "jwk-member",
        file("jwk.json", lambda site: {name: value for name, value in site.jwk.items() if name != "kid"}),
    ),
    "a JWK in a JWK": ("jwk-member", file("jwk.json", lambda site: {"jwk": site.jwk})),
    "a JWK of RS384 in the environment": (
        "jwk-member",
        both(JWK_FILE, file("jwk.json", lambda site: {**site.jwk, "alg": "RS384"})),
    ),
    "PEM lines in the JWK of the environment": (
        "jwk-x5c-format",
        both(
            JWK_FILE,
            file("jwk.json", lambda site: {**site.jwk, "x5c": [f"-----BEGIN CERTIFICATE-----{site.jwk['x5c'][0]}"]}),
        ),
    ),
    "another key's directory": ("salesforce-signature", both(JWK_FILE, other_directory)),
    "a password of a key without one": ("key-password-unneeded", setting(SALESFORCE_PRIVATE_KEY_PASSWORD="password")),
    "a home that nothing expands": ("key-unavailable", setting(SALESFORCE_PRIVATE_KEY_FILE="~/private-key.pem")),
    "a secret with a comment behind it": ("intercom-secret-altered", commented),
    "a JWKS without keys": ("jwks-empty", file("jwks.json", lambda _site: {"keys": []})),
    "only the key": ("directory-incomplete", only_the_key),
}
"""What is wrong with a set-up, with its code: the fix that is printed makes the same command green."""


def in_page(change: Change) -> Change:
    return lambda site: (page()(site), change(site))


def escaped(text: str) -> str:
    return f"<pre>{html.escape(snippet(json.loads(text)))}</pre>"


def behind(text: str) -> str:
    return f"<title>Shop{snippet(json.loads(text))}"


def as_string(text: str) -> str:
    return script(f"window.intercomSettings = {json.dumps(text)};{LOADER}")


def loaded(text: str) -> str:
    return script(f"window.intercomSettings = {text};{LOADER}")


def empty_upload(site: Site) -> None:
    site.environ = dict.fromkeys(site.environ, "")
    site.options.clear()
    site.upload("")
    site.document = snippet({"app_id": "abc", "api_base": "https://api-iam.intercom.io"})


MORE_BROKEN = [
    *(case(name, code, in_page(change)) for name, (code, change) in LOCAL.items()),
    # Settings that never reach the Messenger.
    case("a snippet that was escaped", "page-settings-missing", form(escaped)),
    case("a snippet behind a title without an end", "page-settings-missing", form(behind)),
    case("settings under another name", "page-settings-missing", written("window.intercomSetting = @")),
    case("settings in a const", "page-settings-missing", written("const intercomSettings = @")),
    case("settings that are a string", "page-settings-missing", form(as_string)),
    case("a loader and no settings", "page-settings-missing", document(script(LOADER))),
    case(
        "a page that a script sends to sign in", "page-settings-missing", document("<script>location='/sso'</script>")
    ),
    case(
        "a page that refreshes to sign in",
        "page-settings-missing",
        document("<meta http-equiv=refresh content='0;url=/login'>"),
    ),
    case("an answer cut off", "page-settings-missing", form(lambda text: text[:100])),
    case("an answer without a token", "page-settings-missing", document('{"token": null}')),
    case("no app_id", "settings-differ", form(loaded, app_id=None)),
    case("appId in place of app_id", "settings-differ", form(loaded, app_id=None, appId="abc")),
    case(
        "a script that stops before", "page-broken", written("document.querySelector('#me').id; intercomSettings = @")
    ),
    case("a script before it without an end", "page-broken", form(lambda text: f"<script>let a;{loaded(text)}")),
    case("typographic quotes", "page-broken", document(script("intercomSettings = {app_id: \u201cabc\u201d}"))),
    case(
        "a template of PHP", "page-broken", document(script(f"intercomSettings = {{{FIXED}, user_id: '<?= $id ?>'}}"))
    ),
    case(
        "a template of Razor", "page-broken", document(script(f"intercomSettings = {{{FIXED}, user_id: '@Model.Id'}}"))
    ),
    case("a string with ${}", "page-broken", document(script(f"intercomSettings = {{{FIXED}, user_id: '${{id}}'}}"))),
    case(
        "a boot before its loader",
        "page-broken",
        form(lambda text: script(f"Intercom('boot', {text})") + script(LOADER)),
    ),
    case(
        "JSON that was escaped twice",
        "page-broken",
        form(
            lambda text: (
                f"<i id=s data-s='{html.escape(html.escape(text))}'></i>"
                f"{script('intercomSettings = JSON.parse(document.getElementById(`s`).dataset.s)')}"
            )
        ),
    ),
    case(
        "a boot with a region, which only npm maps",
        "settings-differ",
        in_europe(written(f"{LOADER}Intercom('boot', Object.assign(@, {{region: 'eu', api_base: undefined}}))")),
    ),
    case(
        "a visit of Turbo without the token",
        "settings-token-missing",
        written(
            "intercomSettings = @; document.addEventListener('turbo:load', () => Intercom('update', {user_id: '42'}))"
        ),
    ),
    # Whose page it is.
    case(
        "a boot without the user of the first",
        "page-settings-twice",
        written("Intercom('boot', @); Intercom('boot', {app_id: 'abc'})"),
    ),
    case(
        "user_id overwritten in the page",
        "intercom-user-id-differs",
        options("--user", "42", then=written("intercomSettings = Object.assign(@, {user_id: 'ada'})")),
    ),
    case("user_id NaN", "user-id-lost", written("intercomSettings = Object.assign(@, {user_id: String(NaN)})")),
    case(
        "an anonymous page with a null as text",
        "user-id-lost",
        options("--user", "", then=page(lambda each: (without(*TOKENS)(each), update(user_id="None")(each)))),
    ),
    # Tokens.
    case(
        "a promise of the token",
        "token-malformed",
        written(f"intercomSettings = Object.assign(@, {{{JWT}: Promise.resolve(1)}})"),
    ),
    case("a token in an object", "token-malformed", page(lambda each: each.update({JWT: {"token": each[JWT]}}))),
    case("a placeholder for the token", "token-malformed", page(update(**{JWT: "YOUR_JWT"}))),
    case("an opaque access token", "token-malformed", page(update(**{IDENTITY: "00D5g000004abcd!AQEAQ.xyz"}))),
    case("a token of the site's own API", "token-foreign", foreign(sub="42", role="admin")),
    case(
        "a token of Firebase",
        "token-foreign",
        foreign(user_id="u", auth_time=1, iss="https://securetoken.google.com/p"),
    ),
    case("sub a number", "token-user", identity(sub=42)),
    case("sub blank", "user-id-lost", identity(sub=" ")),
    case("sub another user", "pair-subject-differs", identity(sub="43")),
    case("no aud", "salesforce-audience", identity(aud=None)),
    case(
        "iat in the future",
        "token-not-yet-valid",
        identity(iat=int(time.time()) + 36_600, exp=4_000_000_000),
    ),
    case("exp in milliseconds for Salesforce", "token-milliseconds", identity(exp=1_900_000_000_000)),
    case("no exp for Salesforce", "salesforce-expiry-missing", identity(exp=None)),
    case("no exp for Intercom", "intercom-expiry-missing", page(token(exp=None))),
    case("exp a date", "token-time-type", page(token(exp="2027-01-01T00:00:00Z"))),
    case("a company without an id", "intercom-company-id", page(token(company={"name": "Acme"}))),
    case("an attribute that is an object", "attribute-value", page(token(plan={"name": "pro"}))),
    case("a truth value as text", "attribute-stringified", page(token(vip="true"))),
    case("the secret and a space", "intercom-secret-altered", page(signed_with(SECRET_BYTES + b" "))),
    case("the secret in hexadecimal", "intercom-secret-altered", page(signed_with(SECRET_BYTES.hex().encode()))),
    case("None as the secret", "intercom-secret-altered", page(signed_with(b"None"))),
    case("the secret as app_id", "page-secret", page(update(app_id=SECRET))),
    case("the secret as iss", "page-secret", identity(iss=SECRET, sid="s")),
    case(
        "an endpoint that answers the other token",
        "token-swapped",
        page(form=lambda each: json.dumps({"jwt": each[IDENTITY]})),
    ),
    # Uploads and options.
    case(
        "a nickname of a signer",
        "signer-invalid",
        environment(SALESFORCE_PRIVATE_KEY_FILE="", SALESFORCE_SIGNER="AWS_KMS"),
    ),
    case("an empty file uploaded, and no environment", "jwk-document", empty_upload),
    case(
        "another key uploaded than the JWK in the environment",
        "salesforce-signature",
        both(uploaded(lambda _site: OTHER_JWK), JWK_FILE),
    ),
    case("a page of HTML uploaded", "jwk-document", uploaded(lambda _site: "<html>")),
    case("the JWK as a string uploaded", "jwk-document", uploaded(lambda site: json.dumps(json.dumps(site.jwk)))),
    case("kid a number uploaded", "jwk-member", uploaded(lambda site: {**site.jwk, "kid": 7})),
    case(
        "x5c of a PEM file uploaded",
        "jwk-x5c-format",
        uploaded(
            lambda site: {
                **site.jwk,
                "x5c": [base64.b64encode((site.directory / "certificate.pem").read_bytes()).decode()],
            }
        ),
    ),
    case(
        "a newer certificate, and a prefix that is none",
        "variable-missing",
        both(uploaded(renewed), options("--prefix", "X_")),
    ),
    case(
        "the secret of another workspace",
        "secret-pem",
        environment(INTERCOM_MESSENGER_SECRET="-----BEGIN KEY-----" * 3),
    ),
    case(
        "a signer without its hyphens",
        "signer-invalid",
        environment(SALESFORCE_PRIVATE_KEY_FILE="", SALESFORCE_SIGNER="AzureKeyVault"),
    ),
    case("variables with a prefix that was not given", "variable-missing", prefixed),
    case("the certificate of the directory uploaded", "jwk-document", of_the_directory),
    case(
        "a JWK in place of its directory",
        "directory-incomplete",
        both(page(), lambda site: site.options.__setitem__(0, str(site.directory / "jwk.json"))),
    ),
    case(
        "a directory of something else",
        "directory-incomplete",
        both(page(), lambda site: site.options.__setitem__(0, os.devnull)),
    ),
    case(
        "an issuer of Fin's, where Fin makes nothing",
        "issuer-fin",
        both(page(), lambda site: site.options.extend(["--issuer", "fin.ai"])),
    ),
]

MORE_HEALTHY = [
    case("jQuery.extend", "", written("window.intercomSettings = $.extend({}, @, {z_index: 5})")),
    case("lodash", "", written("window.intercomSettings = _.assign({}, @)")),
    case(
        "Vue's data",
        "",
        written("createApp({data: () => ({s: @}), mounted() { Intercom('boot', this.s) }}).mount('#a')"),
    ),
    case(
        "a consent in a cookie", "", written("if (document.cookie.includes('consent=1')) window.intercomSettings = @")
    ),
    case("a consent in the storage", "", written("if (localStorage.getItem('ok')) window.intercomSettings = @")),
    case(
        "a consent that is compared",
        "",
        written("if (localStorage.getItem('consent') === 'yes') window.intercomSettings = @"),
    ),
    case(
        "a consent in a cookie that is split",
        "",
        written("if (document.cookie.split(';').some((c) => c.trim() === 'consent=yes')) window.intercomSettings = @"),
    ),
    case("a consent for js-cookie", "", written("if (Cookies.get('consent') == 'all') window.intercomSettings = @")),
    case(
        "the content of a meta element",
        "",
        form(
            lambda text: (
                f"<meta name=chat content='{html.escape(text)}'>"
                f"{script('intercomSettings = JSON.parse(document.querySelector(`meta[name=chat]`).content)')}"
            )
        ),
    ),
    case("a module", "", form(lambda text: loaded(text).replace("<script>", "<script type=module>"))),
    case(
        "a later script that adds to it",
        "",
        written("intercomSettings = @; intercomSettings = {...intercomSettings, hide_default_launcher: true}"),
    ),
    case("a wide screen", "", written("if (matchMedia('(min-width: 9px)').matches) window.intercomSettings = @")),
    case(
        "Rocket Loader", "", form(lambda text: loaded(text).replace("<script>", "<script type='0a1b-text/javascript'>"))
    ),
    case(
        "a delayed loader",
        "",
        form(lambda text: loaded(text).replace("<script>", "<script type=rocketlazyloadscript>")),
    ),
    case("a consent manager", "", form(lambda text: loaded(text).replace("<script>", "<script type=text/plain>"))),
    case("frozen", "", written("window.intercomSettings = Object.freeze(@)")),
    case("a proxy", "", written("window.intercomSettings = new Proxy(@, {})")),
    case(
        "reduce", "", written("window.intercomSettings = Object.entries(@).reduce((a, [k, v]) => ({...a, [k]: v}), {})")
    ),
    case(
        "a URL-encoded value",
        "",
        form(lambda text: script(f"intercomSettings = JSON.parse(decodeURIComponent('{quote(text)}'))")),
    ),
    case(
        "Base64",
        "",
        form(lambda text: script(f"intercomSettings = JSON.parse(atob('{base64.b64encode(text.encode()).decode()}'))")),
    ),
    case(
        "data of its own script",
        "",
        form(
            lambda text: script("intercomSettings = JSON.parse(document.currentScript.dataset.s);").replace(
                "<script>", f"<script data-s='{text}'>"
            )
        ),
    ),
    case(
        "document.write",
        "",
        form(lambda text: script(f"document.write('<script>intercomSettings=' + {json.dumps(text)} + '<\\/script>')")),
    ),
    case(
        "a template element beside it",
        "",
        form(lambda text: f"<template><script>intercomSettings = {{}}</script></template>{loaded(text)}"),
    ),
    case(
        "a frame beside it",
        "",
        form(lambda text: f"<iframe srcdoc='<script>intercomSettings = {{}}</script>'></iframe>{loaded(text)}"),
    ),
    case(
        "npm's boot",
        "",
        form(
            lambda text: (
                "<script type=module>import {boot, shutdown} from '@intercom/messenger-js-sdk'; onclick = shutdown; "
                f"boot({text})</script>"
            )
        ),
    ),
    case(
        "an update of what no token holds",
        "",
        written("window.intercomSettings = @; hide = () => Intercom('update', {hide_default_launcher: true})"),
    ),
    case(
        "the token from an answer",
        "",
        written(
            "fetch('/jwt').then((r) => r.json()).then((d) => Intercom('boot', {...@, intercom_user_jwt: d.jwt}))",
            lost=NO_JWT,
        ),
    ),
    case("an answer behind a guard", "", page(form=lambda each: f")]}}',\n{json.dumps(each)}")),
    case("an answer of nothing but the token", "", page(form=lambda each: each[JWT])),
    case("the token in a document of JSON:API", "", bare("jwt", within="attributes")),
    case("exp with a fraction", "", page(token(exp=time.time() + 3600.5))),
    case("the JWK in the environment", "", in_page(JWK_FILE)),
    case(
        "Fin's key set, where Fin makes the token",
        "",
        both(fin_managed, options("--issuer", "fin.ai")),
    ),
]
