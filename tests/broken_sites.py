"""Pages and uploads of real sites, broken and healthy, each with the code that the doctor must print first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fin_messenger_auth import MessengerUser, TokenPairBuilder, render_snippet
from fin_messenger_auth._keys import FileKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.onboarding import certificate_pem, make_jwk, self_signed_certificate
from fin_messenger_auth.testing import decode_token
from tests.broken_setups import OTHER_CERTIFICATE, OTHER_JWK, OTHER_SIGNER
from tests.broken_tokens import AUDIENCE, OTHER_KEY, SECRET, base64url, signed

SECRET_BYTES = SECRET.encode()
TOKENS = ("intercom_user_jwt", "salesforce_identity_token")
Settings = dict[str, Any]


@dataclass
class Site:
    """A site in good health: its environment, its key directory, the command's options, and its page."""

    directory: Path
    environ: dict[str, str]
    options: list[str] = field(default_factory=list)
    document: str = ""
    saved: bytes | None = None

    def save(self, content: bytes) -> None:
        """Save the page in another encoding."""
        self.saved = content

    @property
    def builder(self) -> TokenPairBuilder:
        return TokenPairBuilder.from_env(self.environ)

    @property
    def settings(self) -> dict[str, Any]:
        return self.builder.build_settings("42")

    @property
    def jwk(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.directory / "jwk.json").read_text())
        return loaded

    def upload(self, value: object) -> None:
        path = self.directory.parent / "uploaded.json"
        if isinstance(value, bytes):
            path.write_bytes(value)
        else:
            path.write_text(value if isinstance(value, str) else json.dumps(value))
        self.options += ["--uploaded", str(path)]


Change = Callable[[Site], object]


@dataclass(frozen=True)
class SiteCase:
    name: str
    code: str  # of the first finding; empty for a healthy site
    change: Change = field(repr=False)

    def __str__(self) -> str:
        return self.name


def snippet(settings: dict[str, Any]) -> str:
    return f"<!doctype html><html><body><h1>Shop</h1>{render_snippet(settings)}</body></html>"


def by_hand(settings: dict[str, Any], *, shutdown: bool = True) -> str:
    sign_out = "function signOut() { Intercom('shutdown'); }" if shutdown else ""
    return f"<html><body><script>{sign_out}\nwindow.intercomSettings = {json.dumps(settings)};</script></body></html>"


def page(change: Callable[[dict[str, Any]], object] | None = None, form: Callable[..., str] = snippet) -> Change:
    """A page with changed settings."""

    def make(site: Site) -> None:
        settings = site.settings
        if change is not None:
            change(settings)
        site.document = form(settings)

    return make


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def remove(settings: dict[str, Any]) -> None:
        for name in names:
            settings.pop(name, None)

    return remove


def token(**changed: object) -> Callable[[dict[str, Any]], None]:
    """Another intercom_user_jwt, signed with the right secret."""

    def replace(settings: dict[str, Any]) -> None:
        claims = {**claims_of(settings["intercom_user_jwt"]), **changed}
        kept = {name: value for name, value in claims.items() if value is not None}
        settings["intercom_user_jwt"] = signed({"alg": "HS256", "typ": "JWT"}, kept, SECRET_BYTES)

    return replace


def signed_with(secret: bytes) -> Callable[[dict[str, Any]], None]:
    def replace(settings: dict[str, Any]) -> None:
        settings["intercom_user_jwt"] = signed({"alg": "HS256"}, claims_of(settings["intercom_user_jwt"]), secret)

    return replace


def claims_of(compact: str) -> dict[str, Any]:
    return decode_token(compact).claims


def other_environment(**changed: str) -> Change:
    """A page of a process with another environment than the doctor's."""

    def make(site: Site) -> None:
        site.document = snippet(TokenPairBuilder.from_env({**site.environ, **changed}).build_settings("42"))

    return make


def as_javascript(settings: dict[str, Any]) -> str:
    """Object literals as people write them: no quotes around names, single quotes, comments, a trailing comma."""
    lines = [f"  {name}: '{value}', // set by the server" for name, value in settings.items()]
    body = "\n".join(lines)
    sign_out = "function out() { Intercom('shutdown') }"
    return f"<script>\n/* Messenger */\nwindow.intercomSettings = {{\n{body}\n}};\n{sign_out}</script>"


def boot_call(settings: dict[str, Any]) -> str:
    return f"<script>Intercom('shutdown'); window.Intercom('boot', {json.dumps(settings)})</script>"


def npm_call(settings: dict[str, Any]) -> str:
    imported = "import Intercom, { shutdown } from '@intercom/messenger-js-sdk';"
    return f"<script type=module>{imported} Intercom({json.dumps(settings)})</script>"


def endpoint(settings: dict[str, Any]) -> str:
    return json.dumps(settings)


def wrapped_endpoint(settings: dict[str, Any]) -> str:
    return json.dumps({"ok": True, "settings": settings})


def update(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda settings: settings.update(values)


def options(*words: str, then: Change | None = None) -> Change:
    def make(site: Site) -> None:
        site.options += words
        (then or page())(site)

    return make


def in_europe(then: Change) -> Change:
    def make(site: Site) -> None:
        site.environ["INTERCOM_REGION"] = "eu"
        then(site)

    return make


def changed_token(name: str, change: Callable[[str], str]) -> Change:
    return page(lambda settings: settings.update({name: change(settings[name])}))


def uploaded(change: Change) -> Change:
    def make(site: Site) -> None:
        page()(site)
        site.upload(change(site))

    return make


def jwk_with(**changed: object) -> Change:
    return uploaded(lambda site: {name: value for name, value in {**site.jwk, **changed}.items() if value is not None})


def without_environment(change: Change) -> Change:
    def make(site: Site) -> None:
        uploaded(change)(site)
        site.document = snippet({"app_id": "abc", "api_base": site.settings["api_base"]})
        site.environ = dict.fromkeys(site.environ, "")

    return make


def signs_out_by_attribute(settings: Settings) -> str:
    return by_hand(settings, shutdown=False) + """<a href="/out" onclick="Intercom('shutdown')">Sign out</a>"""


def private_key(site: Site) -> object:
    return (site.directory / "private-key.pem").read_text()


def kid_in_another_case(site: Site) -> object:
    return {**site.jwk, "kid": site.jwk["kid"].swapcase()}


def renewed(site: Site) -> object:
    """The directory has a newer certificate than the upload."""
    old = site.jwk
    signer = RSASigner(FileKeySource(site.directory / "private-key.pem"))
    certificate = self_signed_certificate(signer, signer.public_key, days=1000)
    (site.directory / "certificate.pem").write_bytes(certificate_pem(certificate))
    jwk = make_jwk(signer.public_key, certificate, kid=old["kid"])
    (site.directory / "jwk.json").write_text(json.dumps(jwk))
    (site.directory / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
    return old


def fin_managed(site: Site) -> None:
    for name in [name for name in site.environ if name.startswith("SALESFORCE_")]:
        del site.environ[name]
    site.environ["SALESFORCE_IDENTITY"] = "fin-managed"
    site.options.clear()


def fin_managed_endpoint(site: Site) -> None:
    fin_managed(site)
    page(form=endpoint)(site)


def fin_managed_page(change: Callable[[dict[str, Any]], object] | None = None) -> Change:
    def make(site: Site) -> None:
        fin_managed(site)
        page(change)(site)

    return make


def environment(**changed: str) -> Change:
    def make(site: Site) -> None:
        page()(site)
        site.environ.update(changed)

    return make


def document(text: str) -> Change:
    return lambda site: setattr(site, "document", text)


def broken_out(site: Site) -> None:
    settings = {**site.settings, "page_title": "</script><script>alert(1)</script>"}
    site.document = f"<script>Intercom('shutdown'); window.intercomSettings = {json.dumps(settings)};</script>"


def user_hash(settings: dict[str, Any]) -> None:
    settings["user_hash"] = settings.pop("intercom_user_jwt")


def swapped(settings: dict[str, Any]) -> None:
    first, second = settings["intercom_user_jwt"], settings["salesforce_identity_token"]
    settings["intercom_user_jwt"], settings["salesforce_identity_token"] = second, first


def cut_off(name: str) -> Callable[[dict[str, Any]], None]:
    def cut(settings: Settings) -> None:
        message, _, signature = settings[name].rpartition(".")
        settings[name] = f"{message}.{signature[: len(signature) // 8 * 4]}"

    return cut


def other_signer(settings: dict[str, Any]) -> None:
    claims = claims_of(settings["salesforce_identity_token"])
    header = {"alg": "RS256", "typ": "JWT", "kid": OTHER_JWK["kid"]}
    message = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims).encode())}"
    settings["salesforce_identity_token"] = f"{message}.{base64url(OTHER_SIGNER.sign(message.encode()))}"


def identity(**changed: object) -> Change:
    """A page whose salesforce_identity_token was made with other claims, by a program with the right key or another."""

    def make(settings: Settings) -> None:
        claims = {**claims_of(settings["salesforce_identity_token"]), **changed}
        kept = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "typ": "JWT", "kid": OTHER_JWK["kid"]}
        settings["salesforce_identity_token"] = signed(header, kept, OTHER_KEY)

    def of_this_key(site: Site) -> None:
        settings = site.settings
        claims = {**claims_of(settings["salesforce_identity_token"]), **changed}
        kept = {name: value for name, value in claims.items() if value is not None}
        key = load_pem_private_key((site.directory / "private-key.pem").read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        header = {"alg": "RS256", "typ": "JWT", "kid": site.jwk["kid"]}
        site.document = snippet({**settings, "salesforce_identity_token": signed(header, kept, key)})

    foreign_key = {"nonce", "scope", "iss"} & changed.keys()
    return page(make) if foreign_key else of_this_key


def foreign(**claims: object) -> Change:
    """A page with a token of the site's own sign-in in place of intercom_user_jwt."""
    token = signed({"alg": "HS256", "typ": "JWT"}, {"exp": 4_000_000_000, **claims}, b"of the site's own sign-in")
    return page(update(intercom_user_jwt=token))


def bare(name: str, *, user: str = "42", secret: bytes = SECRET_BYTES, within: str = "") -> Change:
    """An endpoint that answers with the token and nothing else."""

    def make(site: Site) -> None:
        settings = site.settings
        signed_with(secret)(settings)
        answer = {name: settings["intercom_user_jwt"]}
        site.document = json.dumps({within: answer, "ok": True} if within else answer)
        site.options += ["--user", user]

    return make


def other_secret_and_workspace(site: Site) -> None:
    settings = {**site.settings, "app_id": "xyz"}
    signed_with(b"x" * 40)(settings)
    site.document = by_hand(settings)


def attributes(form: Callable[..., str] = snippet, **beside: object) -> Change:
    def make(site: Site) -> None:
        user = MessengerUser("42", email="ada@example.com", attributes={"plan": "pro"})
        site.document = form({**site.builder.build_settings(user), **beside})

    return make


def case(name: str, code: str, change: Change) -> SiteCase:
    return SiteCase(name, code, change)


BROKEN_SITES = [
    # Tokens in the page.
    case("no settings", "page-settings-missing", document("<h1>Shop</h1>")),
    case("empty page", "page-settings-missing", document("")),
    case(
        "settings from a variable",
        "page-settings-missing",
        document("<script>intercomSettings = made;</script>"),
    ),
    case("user_id without a token", "settings-token-missing", page(without("intercom_user_jwt"))),
    case("token of an empty string", "settings-token-missing", page(update(intercom_user_jwt=""))),
    case("no Salesforce token", "token-missing", page(without("salesforce_identity_token"))),
    case("Salesforce token None", "token-missing", page(update(salesforce_identity_token="None"))),
    case("user_id None", "user-id-lost", page(update(user_id="None"))),
    case("user_id null in quotes", "user-id-lost", page(update(user_id="null"), by_hand)),
    case("another user beside the token", "intercom-user-id-differs", page(update(user_id="43"))),
    case("token of another user", "intercom-user-id-differs", page(token(user_id="43"))),
    case("user_id a number in the token", "token-user", page(token(user_id=42))),
    case("no user_id in the token", "token-user", page(token(user_id=None))),
    case("null as a string in the token", "user-id-lost", page(token(user_id="null"))),
    case("exp in milliseconds", "token-milliseconds", page(token(exp=1_900_000_000_000))),
    case("exp as a string", "token-time-type", page(token(exp="1900000000"))),
    case("expired", "token-expired", page(token(exp=1_600_000_000))),
    case("secret with a newline", "intercom-secret-altered", page(signed_with(SECRET_BYTES + b"\n"))),
    case("secret in quotes", "intercom-secret-altered", page(signed_with(b'"' + SECRET_BYTES + b'"'))),
    case("empty secret", "intercom-secret-altered", page(signed_with(b""))),
    case("secret of another workspace", "intercom-signature", page(signed_with(b"x" * 40))),
    case("token in user_hash", "token-user-hash", page(user_hash)),
    case("user_hash as the token", "token-user-hash", page(update(intercom_user_jwt="ab" * 32))),
    case("tokens swapped", "token-swapped", page(swapped)),
    case("Intercom token cut off", "intercom-signature", page(cut_off("intercom_user_jwt"))),
    case("Salesforce token cut off", "salesforce-signature", page(cut_off("salesforce_identity_token"))),
    case(
        "token with Bearer",
        "token-wrapped",
        changed_token(TOKENS[0], "Bearer {}".format),
    ),
    case(
        "token in quotes",
        "token-wrapped",
        changed_token(TOKENS[0], '"{}"'.format),
    ),
    case("signed with another key", "salesforce-signature", page(other_signer)),
    case(
        "unsigned token",
        "token-unsigned",
        changed_token(TOKENS[0], lambda token: token.rpartition(".")[0] + "."),
    ),
    # The process of the page has another configuration.
    case("another kid", "salesforce-kid-differs", other_environment(SALESFORCE_KEY_ID="WebAppKey1")),
    case("another issuer", "salesforce-issuer-differs", other_environment(SALESFORCE_ISSUER="https://other.example")),
    case(
        "an issuer with a slash",
        "salesforce-issuer-differs",
        other_environment(SALESFORCE_ISSUER="https://acme.example/"),
    ),
    case("another secret", "intercom-signature", other_environment(INTERCOM_MESSENGER_SECRET="y" * 44)),
    case("another workspace", "settings-differ", other_environment(INTERCOM_APP_ID="xyz")),
    case("another region", "settings-differ", other_environment(INTERCOM_REGION="eu")),
    case(
        "region of the npm package missing",
        "settings-differ",
        options(
            then=lambda site: (site.environ.update(INTERCOM_REGION="eu"), page(without("api_base"), npm_call)(site))
        ),
    ),
    case(
        "api_base missing in Europe",
        "settings-differ",
        options(
            then=lambda site: (site.environ.update(INTERCOM_REGION="eu"), page(without("api_base"), by_hand)(site))
        ),
    ),
    case(
        "another environment",
        "page-elsewhere",
        other_environment(INTERCOM_APP_ID="xyz", INTERCOM_MESSENGER_SECRET="y" * 44, SALESFORCE_ISSUER="staging"),
    ),
    case("another environment, by hand", "page-elsewhere", other_secret_and_workspace),
    # A token of another program.
    case("an ID token for Salesforce", "token-foreign", identity(nonce="n", email_verified=True)),
    case("an access token for Salesforce", "token-foreign", identity(scope="openid", client_id="c")),
    case("a Connected App's assertion", "token-foreign", identity(aud="https://login.salesforce.com", iss="3MVG9x")),
    case("a session of Supabase for Intercom", "token-foreign", foreign(sub="42", role="authenticated", amr=["pwd"])),
    case("a token of SimpleJWT for Intercom", "token-foreign", foreign(user_id="42", token_type="access", jti="x")),
    # A token that is nearly right.
    case("user_id in place of sub", "token-user", identity(sub=None, user_id="42")),
    case("exp is a lifetime", "token-expired", page(token(exp=3600))),
    case("exp is a lifetime in quotes", "token-expired", page(token(exp="6000"))),
    case("exp of Salesforce's token is a lifetime", "token-expired", identity(exp=6000)),
    case("aud of two", "salesforce-audience", identity(aud=[AUDIENCE, "https://other.example"])),
    case("aud of the org", "salesforce-audience", identity(aud="https://acme.my.salesforce.com")),
    # What is no page of the Messenger.
    case(
        "a mark that nothing filled in",
        "page-mark",
        document("<p>Shop</p><fin-messenger-mark id=.0></fin-messenger-mark>"),
    ),
    case("JSON that was encoded twice", "page-settings-missing", page(form=lambda each: json.dumps(json.dumps(each)))),
    case("an empty list", "page-settings-missing", document("[]")),
    case("a token of nothing else, another user", "page-user-differs", bare("token", user="43")),
    case("a token of nothing else, another secret", "intercom-signature", bare("jwt", secret=b"x" * 40)),
    case("the token alone, another user", "page-user-differs", options("--user", "43", then=page(without("user_id")))),
    case("the token alone for nobody", "page-not-anonymous", options("--user", "", then=page(without("user_id")))),
    case("Salesforce's token alone", "page-not-anonymous", page(without("user_id", "intercom_user_jwt"))),
    # The form of the page.
    case("a value ends the script", "page-broken", broken_out),
    case("no shutdown", "page-shutdown-missing", page(form=lambda each: by_hand(each, shutdown=False))),
    case("signed and in the clear", "settings-signed-twice", attributes(plan="free")),
    case("e-mail in the clear", "settings-signed-twice", attributes(email="ada@example.com")),
    case("user_hash beside the token", "token-user-hash", page(update(user_hash="ab" * 32))),
    case("hand-written, another user", "intercom-user-id-differs", page(update(user_id="43"), as_javascript)),
    case("boot call, no token", "settings-token-missing", page(without("intercom_user_jwt"), boot_call)),
    case("endpoint, no token", "settings-token-missing", page(without("intercom_user_jwt"), endpoint)),
    case(
        "wrapped endpoint, no Salesforce token",
        "token-missing",
        page(without("salesforce_identity_token"), wrapped_endpoint),
    ),
    case("npm, another user", "intercom-user-id-differs", page(update(user_id="43", region="us"), npm_call)),
    # Whose page it is.
    case("somebody else's page", "page-user-differs", options("--user", "43")),
    case(
        "an anonymous page for a user",
        "page-anonymous",
        options("--user", "42", then=page(without("user_id", *TOKENS))),
    ),
    case("a user's page for nobody", "page-not-anonymous", options("--user", "")),
    # Where Fin makes the second token.
    case("Fin makes it, and the page has one", "issuer-fin", fin_managed_page(update(**{TOKENS[1]: "x.y.z"}))),
    case("Fin makes it, no Intercom token", "settings-token-missing", fin_managed_page(without("intercom_user_jwt"))),
    # The upload.
    case("two keys uploaded", "jwk-document", uploaded(lambda site: {"keys": [OTHER_JWK, site.jwk]})),
    case("no environment, another key uploaded", "directory-differs", without_environment(lambda _site: OTHER_JWK)),
    case(
        "no environment, another kid uploaded",
        "directory-differs",
        without_environment(lambda site: {**site.jwk, "kid": "WebAppKey1"}),
    ),
    case("another key uploaded", "salesforce-signature", uploaded(lambda _site: OTHER_JWK)),
    case("another kid uploaded", "salesforce-kid-differs", jwk_with(kid="WebAppKey1")),
    case("another alg uploaded", "salesforce-algorithm-differs", jwk_with(alg="RS512")),
    case("no x5c uploaded", "jwk-x5c-missing", jwk_with(x5c=None)),
    case("no alg uploaded", "jwk-member", jwk_with(alg=None)),
    case("x5c with PEM lines", "jwk-x5c-format", jwk_with(x5c=["-----BEGIN CERTIFICATE-----\nMIIB"])),
    case("certificate of another key", "jwk-certificate-differs", jwk_with(x5c=OTHER_JWK["x5c"])),
    case("a certificate uploaded", "jwk-document", uploaded(lambda _site: certificate_pem(OTHER_CERTIFICATE).decode())),
    case("a private key uploaded", "jwk-private", uploaded(private_key)),
    case("not JSON uploaded", "jwk-document", uploaded(lambda _site: "{")),
    case("a private JWK uploaded", "jwk-private", jwk_with(d="AQAB")),
    case("an older certificate uploaded", "directory-differs", uploaded(renewed)),
    case(
        "kid in another case",
        "salesforce-kid-differs",
        uploaded(kid_in_another_case),
    ),
    # The configuration comes first.
    case("issuer fin.ai", "issuer-fin", environment(SALESFORCE_ISSUER="fin.ai")),
    case(
        "audience of the org", "salesforce-audience", environment(SALESFORCE_AUDIENCE="https://acme.my.salesforce.com")
    ),
    case("kid lost", "variable-missing", environment(SALESFORCE_KEY_ID="")),
]


def anonymous(form: Callable[..., str] = snippet) -> Change:
    return options("--user", "", then=page(without("user_id", *TOKENS), form))


HEALTHY_SITES = [
    case("snippet", "", page()),
    case("snippet of the user", "", options("--user", "42")),
    case("by hand, with shutdown", "", page(form=by_hand)),
    case("the token identifies alone", "", options("--user", "42", then=page(without("user_id")))),
    case("the token alone, by hand", "", page(without("user_id"), by_hand)),
    case("the token alone from an endpoint", "", page(without("user_id"), endpoint)),
    case("an endpoint that answers token", "", bare("token")),
    case("an endpoint that answers jwt", "", bare("jwt")),
    case("an endpoint that wraps the token", "", bare("token", within="data")),
    case("aud is a list of one", "", identity(aud=[AUDIENCE])),
    case("further claims for Salesforce", "", identity(sid="s", jti="j")),
    case("a claim of an attribute that providers know", "", page(token(client_id="7", scope="all"))),
    case("user_id a number beside the token", "", page(update(user_id=42))),
    case("JavaScript literals", "", page(form=as_javascript)),
    case("boot call", "", page(form=boot_call)),
    case("npm package", "", page(update(region="us"), npm_call)),
    case(
        "npm package in Europe",
        "",
        options(
            then=lambda site: (site.environ.update(INTERCOM_REGION="eu"), page(update(region="eu"), npm_call)(site))
        ),
    ),
    case("endpoint", "", page(form=endpoint)),
    case("endpoint that wraps", "", page(form=wrapped_endpoint)),
    case("anonymous", "", anonymous()),
    case("anonymous, by hand", "", anonymous(by_hand)),
    case("anonymous endpoint", "", anonymous(endpoint)),
    case("attributes", "", attributes()),
    case("attributes by hand", "", attributes(by_hand)),
    case("Europe", "", in_europe(page())),
    case("Fin makes it", "", fin_managed_page()),
    case("Fin makes it, endpoint", "", fin_managed_endpoint),
    case("Fin makes it, the token alone", "", fin_managed_page(without("user_id"))),
    case("uploaded", "", uploaded(lambda site: site.jwk)),
    case("uploaded with the dummies of Salesforce's tool", "", jwk_with(d="d", y="y", k="k", crv="crv")),
    case("shutdown in an event attribute", "", page(form=signs_out_by_attribute)),
    case("no environment", "", without_environment(lambda site: site.jwk)),
    case("public settings", "", page(update(hide_default_launcher=True, page_title="<b> & co"))),
    case("single quotes in a value", "", page(update(page_title="it's"), by_hand)),
]

MUST_NOT_BE_PRINTED = re.compile(r"eyJ[\w-]{10,}\.|ada@example\.com")
