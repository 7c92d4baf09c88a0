"""Environments and key directories with one or two faults, and the codes that must be found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth._tokens import AUDIENCE_PLACEHOLDER
from fin_messenger_auth.onboarding import certificate_pem, make_jwk, make_jwks, self_signed_certificate
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_tokens import AUDIENCE, ISSUER, OTHER_KEY, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Setup:
    """The arguments of ``run_checks``, healthy until a case changes them. The directory is a copy."""

    directory: Path
    environ: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def healthy(cls, directory: Path) -> Setup:
        environ = {
            "INTERCOM_APP_ID": "abc",
            "INTERCOM_MESSENGER_SECRET": SECRET,
            "SALESFORCE_PRIVATE_KEY_FILE": str(directory / "private-key.pem"),
            "SALESFORCE_KEY_ID": json.loads((directory / "jwk.json").read_text())["kid"],
            "SALESFORCE_ISSUER": ISSUER,
            "SALESFORCE_AUDIENCE": AUDIENCE,
        }
        return cls(directory, environ, {"issuer": ISSUER})

    def lose(self, *names: str) -> Setup:
        for name in names:
            del self.environ[name]
        return self

    def fin_managed(self) -> Setup:
        self.lose(*[name for name in self.environ if name.startswith("SALESFORCE_")])
        self.environ["SALESFORCE_IDENTITY"] = "fin-managed"
        self.options.clear()
        return self


@dataclass(frozen=True)
class SetupCase:
    codes: set[str]
    change: Callable[[Setup], object] = field(repr=False)

    def __str__(self) -> str:
        return "+".join(sorted(self.codes)) or "healthy"


def environment(*codes: str, **changed: str) -> SetupCase:
    return SetupCase(set(codes), lambda setup: setup.environ.update(changed))


def lost(*names: str, codes: tuple[str, ...]) -> SetupCase:
    return SetupCase(set(codes), lambda setup: setup.lose(*names))


def write(name: str, document: bytes | str, *codes: str) -> SetupCase:
    data = document.encode() if isinstance(document, str) else document
    return SetupCase(set(codes), lambda setup: (setup.directory / name).write_bytes(data))


def several(*cases: SetupCase) -> SetupCase:
    return SetupCase(
        {code for each in cases for code in each.codes}, lambda setup: [each.change(setup) for each in cases]
    )


OTHER_SIGNER = RSASigner(StringKeySource(pem_of(OTHER_KEY)))
OTHER_CERTIFICATE = self_signed_certificate(OTHER_SIGNER, OTHER_SIGNER.public_key)
OTHER_JWK = make_jwk(OTHER_SIGNER.public_key, OTHER_CERTIFICATE)


def fin_managed(setup: Setup) -> None:
    setup.fin_managed()


def password_file(setup: Setup) -> None:
    path = setup.directory / "password"
    path.write_text("password\n")
    path.chmod(0o600)
    setup.environ["SALESFORCE_PRIVATE_KEY_PASSWORD_FILE"] = str(path)


def pem_with_escaped_newlines(setup: Setup) -> None:
    pem = (setup.directory / "private-key.pem").read_text()
    setup.lose("SALESFORCE_PRIVATE_KEY_FILE").environ["SALESFORCE_PRIVATE_KEY"] = pem.replace("\n", "\\n")


def rename_kid(setup: Setup) -> None:
    jwk = {**json.loads((setup.directory / "jwk.json").read_text()), "kid": "renamed"}
    (setup.directory / "jwk.json").write_text(json.dumps(jwk))
    (setup.directory / "jwks.json").write_text(json.dumps(make_jwks([jwk])))


def sign_with_another_key(setup: Setup) -> None:
    path = setup.directory / "another.pem"
    path.write_bytes(pem_of(OTHER_KEY))
    path.chmod(0o600)
    setup.environ["SALESFORCE_PRIVATE_KEY_FILE"] = str(path)


def open_directory(setup: Setup) -> None:
    pem_with_escaped_newlines(setup)
    (setup.directory / "private-key.pem").chmod(0o604)


def open_secret(setup: Setup) -> None:
    path = setup.directory / "secret"
    path.write_text(SECRET)
    path.chmod(0o644)
    setup.lose("INTERCOM_MESSENGER_SECRET").environ["INTERCOM_MESSENGER_SECRET_FILE"] = str(path)


def renew(setup: Setup, *names: str) -> None:
    signer = RSASigner(StringKeySource((setup.directory / "private-key.pem").read_bytes()))
    made = self_signed_certificate(signer, signer.public_key, days=365)
    jwk = make_jwk(signer.public_key, made)
    files = {
        "certificate.pem": certificate_pem(made),
        "jwk.json": json.dumps(jwk).encode(),
        "jwks.json": json.dumps(make_jwks([jwk])).encode(),
    }
    for name in names:
        (setup.directory / name).write_bytes(files[name])


HEALTHY = [
    SetupCase(set(), lambda setup: (setup.directory / "certificate.pem").unlink()),
    SetupCase(set(), lambda setup: (setup.directory / "jwks.json").unlink()),
    SetupCase(set(), lambda _setup: None),
    SetupCase(set(), lambda setup: setup.options.pop("issuer")),
    SetupCase(set(), lambda setup: (setup.directory / "private-key.pem").chmod(0o400)),
    SetupCase(set(), fin_managed),
    SetupCase(set(), pem_with_escaped_newlines),
    environment(INTERCOM_REGION="eu", INTERCOM_TOKEN_LIFETIME="900", SALESFORCE_TOKEN_LIFETIME="900"),
]

BROKEN = [
    lost("INTERCOM_APP_ID", codes=("variable-missing",)),
    environment("variable-missing", INTERCOM_MESSENGER_SECRET=" "),
    lost("SALESFORCE_KEY_ID", codes=("variable-missing",)),
    lost("SALESFORCE_AUDIENCE", "SALESFORCE_PRIVATE_KEY_FILE", codes=("variable-missing",)),
    SetupCase({"salesforce-signer-unset"}, lambda setup: setup.fin_managed().lose("SALESFORCE_IDENTITY")),
    environment("salesforce-signer-ambiguous", SALESFORCE_IDENTITY="fin-managed"),
    SetupCase(
        {"salesforce-signer-ambiguous"},
        lambda setup: setup.fin_managed().environ.update(SALESFORCE_IDENTITY="salesforce"),
    ),
    environment("salesforce-signer-ambiguous", SALESFORCE_IDENTITY="fin_managed"),
    environment("region-unknown", INTERCOM_REGION="us-east-1"),
    environment("lifetime-invalid", INTERCOM_TOKEN_LIFETIME="1h"),
    environment("lifetime-invalid", SALESFORCE_TOKEN_LIFETIME="0"),
    environment("lifetime-short", SALESFORCE_TOKEN_LIFETIME="60"),
    environment("variable-and-file", SALESFORCE_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----"),
    environment("key-unavailable", SALESFORCE_PRIVATE_KEY_FILE="/nowhere/private-key.pem"),
    environment("key-unavailable", SALESFORCE_PRIVATE_KEY_PASSWORD_FILE="/nowhere/password"),
    environment("value-wrapped", INTERCOM_APP_ID="abc\n"),
    environment("value-wrapped", INTERCOM_APP_ID='"abc"'),
    environment("value-wrapped", SALESFORCE_AUDIENCE=f"'{AUDIENCE}'"),
    environment("value-wrapped", SALESFORCE_ISSUER=f'"{ISSUER}"'),
    environment("value-wrapped", SALESFORCE_KEY_ID="`WebAppKey1`"),
    environment("value-wrapped", INTERCOM_APP_ID=" abc"),
    environment("value-wrapped", SALESFORCE_KEY_ID="key-1\n"),
    environment("placeholder", SALESFORCE_AUDIENCE=AUDIENCE_PLACEHOLDER),
    environment("placeholder", SALESFORCE_AUDIENCE=AUDIENCE_PLACEHOLDER.lower()),
    environment("salesforce-audience", SALESFORCE_AUDIENCE="https://your-org.my.salesforce-scrt.com"),
    environment("salesforce-audience", SALESFORCE_AUDIENCE=AUDIENCE + "/"),
    SetupCase(
        {"issuer-fin"},
        lambda setup: (setup.environ.update(SALESFORCE_ISSUER="fin.ai"), setup.options.update(issuer="fin.ai")),
    ),
    environment("argument-invalid", INTERCOM_APP_ID="abc\udcff"),
    environment("secret-short", INTERCOM_MESSENGER_SECRET="tooshort"),
    environment("secret-weak", INTERCOM_MESSENGER_SECRET="x" * 24),
    environment("value-wrapped", INTERCOM_MESSENGER_SECRET=f'"{SECRET}"'),
    SetupCase({"key-password-unneeded"}, password_file),
    environment("salesforce-issuer-differs", SALESFORCE_ISSUER=ISSUER + "/"),
    environment("salesforce-issuer-differs", SALESFORCE_ISSUER=ISSUER.upper()),
    environment("salesforce-kid-differs", SALESFORCE_KEY_ID="WebAppKey1"),
    SetupCase({"salesforce-kid-differs"}, rename_kid),
    SetupCase({"salesforce-signature"}, sign_with_another_key),
    SetupCase({"clock-wrong"}, lambda setup: setup.options.update(now=0)),
    SetupCase({"directory-incomplete"}, lambda setup: setup.options.update(key_directory="/nowhere")),
    SetupCase({"directory-incomplete"}, lambda setup: (setup.directory / "jwk.json").unlink()),
    SetupCase({"file-permissions"}, open_directory),
    SetupCase({"file-permissions"}, open_secret),
    SetupCase(
        {"file-permissions"},
        lambda setup: (setup.directory / "private-key.pem").chmod(0o640),
    ),
    SetupCase({"directory-differs"}, lambda setup: renew(setup, "certificate.pem")),
    SetupCase({"directory-differs"}, lambda setup: renew(setup, "jwk.json")),
    SetupCase({"directory-differs"}, lambda setup: renew(setup, "jwks.json")),
    SetupCase({"directory-differs"}, lambda setup: renew(setup, "jwk.json", "jwks.json")),
    write("jwks.json", '{"keys": 7}', "jwks-empty"),
    write("certificate.pem", certificate_pem(OTHER_CERTIFICATE), "key-differs"),
    write("jwk.json", json.dumps(OTHER_JWK), "key-differs"),
    write("jwks.json", json.dumps(make_jwks([OTHER_JWK])), "directory-differs"),
    write("jwk.json", "{", "jwk-document"),
    # Two at once.
    several(
        environment("region-unknown", INTERCOM_REGION="de"),
        environment("lifetime-invalid", INTERCOM_TOKEN_LIFETIME="-1"),
    ),
    several(
        environment("salesforce-kid-differs", SALESFORCE_KEY_ID="WebAppKey1"),
        environment("salesforce-issuer-differs", SALESFORCE_ISSUER=ISSUER + "/"),
    ),
    several(
        environment("salesforce-audience", SALESFORCE_AUDIENCE="acme"),
        SetupCase({"salesforce-signature"}, sign_with_another_key),
    ),
    several(
        SetupCase({"file-permissions"}, open_directory),
        write("certificate.pem", "rubbish", "certificate-unreadable"),
    ),
    several(
        lost("INTERCOM_APP_ID", codes=("variable-missing",)),
        environment("key-unavailable", SALESFORCE_PRIVATE_KEY_FILE="/nowhere/private-key.pem"),
    ),
]
