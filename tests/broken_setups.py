"""Set-ups, of environment and key directory, with one fault or two, and the codes that must be found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fin_messenger_auth.keys import StringKeySource
from fin_messenger_auth.onboarding import certificate_pem, make_jwk, make_jwks, self_signed_certificate
from fin_messenger_auth.onboarding.steps import AUDIENCE_PLACEHOLDER
from fin_messenger_auth.signers import RSASigner
from fin_messenger_auth.testing.throwaway import pem_of
from tests.broken_tokens import AUDIENCE, ISSUER, OTHER_KEY, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Setup:
    """The arguments of ``examine``, healthy until a case changes them. The directory is a copy of its own."""

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
    setup.environ["SALESFORCE_PRIVATE_KEY_PASSWORD_FILE"] = str(path)


def pem_with_written_line_ends(setup: Setup) -> None:
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
    pem_with_written_line_ends(setup)
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
    SetupCase(set(), pem_with_written_line_ends),
    environment(INTERCOM_REGION="eu", INTERCOM_TOKEN_LIFETIME="900", SALESFORCE_TOKEN_LIFETIME="900"),
]

BROKEN = [
    lost("INTERCOM_APP_ID", codes=("environment-incomplete",)),
    environment("environment-incomplete", INTERCOM_MESSENGER_SECRET=" "),
    lost("SALESFORCE_KEY_ID", codes=("environment-incomplete",)),
    lost("SALESFORCE_AUDIENCE", "SALESFORCE_PRIVATE_KEY_FILE", codes=("environment-incomplete",)),
    SetupCase({"environment-nobody-signs"}, lambda setup: setup.fin_managed().lose("SALESFORCE_IDENTITY")),
    environment("environment-both-sign", SALESFORCE_IDENTITY="fin-managed"),
    SetupCase(
        {"environment-identity"}, lambda setup: setup.fin_managed().environ.update(SALESFORCE_IDENTITY="salesforce")
    ),
    environment("environment-identity", SALESFORCE_IDENTITY="fin_managed"),
    environment("environment-region", INTERCOM_REGION="us-east-1"),
    environment("environment-lifetime", INTERCOM_TOKEN_LIFETIME="1h"),
    environment("environment-lifetime", SALESFORCE_TOKEN_LIFETIME="0"),
    environment("environment-lifetime-short", SALESFORCE_TOKEN_LIFETIME="60"),
    environment("environment-key-twice", SALESFORCE_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----"),
    environment("environment-file", SALESFORCE_PRIVATE_KEY_FILE="/nowhere/private-key.pem"),
    environment("environment-file", SALESFORCE_PRIVATE_KEY_PASSWORD_FILE="/nowhere/password"),
    environment("environment-blanks", INTERCOM_APP_ID="abc\n"),
    environment("environment-blanks", INTERCOM_APP_ID='"abc"'),
    environment("environment-blanks", SALESFORCE_AUDIENCE=f"'{AUDIENCE}'"),
    environment("environment-blanks", "salesforce-issuer-differs", SALESFORCE_ISSUER=f'"{ISSUER}"'),
    environment("environment-blanks", "salesforce-kid-differs", SALESFORCE_KEY_ID="`WebAppKey1`"),
    environment("environment-placeholder", SALESFORCE_AUDIENCE=AUDIENCE_PLACEHOLDER),
    environment("environment-audience", SALESFORCE_AUDIENCE=AUDIENCE + "/"),
    SetupCase(
        {"environment-issuer-fin"},
        lambda setup: (setup.environ.update(SALESFORCE_ISSUER="fin.ai"), setup.options.update(issuer="fin.ai")),
    ),
    environment("environment-refused", INTERCOM_APP_ID="abc\udcff"),
    environment("secret-short", INTERCOM_MESSENGER_SECRET="tooshort"),
    environment("secret-weak", INTERCOM_MESSENGER_SECRET="x" * 24),
    environment("value-wrapped", INTERCOM_MESSENGER_SECRET=f'"{SECRET}"'),
    SetupCase({"key-password-unneeded"}, password_file),
    environment("salesforce-issuer-slash", SALESFORCE_ISSUER=ISSUER + "/"),
    environment("salesforce-issuer-case", SALESFORCE_ISSUER=ISSUER.upper()),
    environment("salesforce-kid-differs", SALESFORCE_KEY_ID="WebAppKey1"),
    SetupCase({"salesforce-kid-differs"}, rename_kid),
    SetupCase({"salesforce-signature"}, sign_with_another_key),
    SetupCase({"clock-implausible", "certificate-not-yet-valid"}, lambda setup: setup.options.update(now=0)),
    SetupCase({"directory-missing"}, lambda setup: setup.options.update(key_directory="/nowhere")),
    SetupCase({"directory-incomplete"}, lambda setup: (setup.directory / "jwk.json").unlink()),
    SetupCase({"directory-permissions"}, open_directory),
    SetupCase({"environment-permissions"}, open_secret),
    SetupCase(
        {"directory-permissions", "environment-permissions"},
        lambda setup: (setup.directory / "private-key.pem").chmod(0o640),
    ),
    SetupCase({"directory-certificate-differs"}, lambda setup: renew(setup, "certificate.pem")),
    SetupCase({"directory-certificate-differs"}, lambda setup: renew(setup, "jwk.json")),
    SetupCase({"directory-certificate-differs"}, lambda setup: renew(setup, "jwks.json")),
    SetupCase({"directory-certificate-differs"}, lambda setup: renew(setup, "jwk.json", "jwks.json")),
    write("jwks.json", '{"keys": 7}', "jwks-empty", "directory-jwks-differs"),
    write("certificate.pem", certificate_pem(OTHER_CERTIFICATE), "key-differs"),
    write("jwk.json", json.dumps(OTHER_JWK), "key-differs", "directory-jwks-differs"),
    write("jwks.json", json.dumps(make_jwks([OTHER_JWK])), "directory-jwks-differs"),
    write("jwk.json", "{", "jwk-document"),
    # Two at once.
    several(
        environment("environment-region", INTERCOM_REGION="de"),
        environment("environment-lifetime", INTERCOM_TOKEN_LIFETIME="-1"),
    ),
    several(
        environment("salesforce-kid-differs", SALESFORCE_KEY_ID="WebAppKey1"),
        environment("salesforce-issuer-slash", SALESFORCE_ISSUER=ISSUER + "/"),
    ),
    several(
        environment("environment-audience", SALESFORCE_AUDIENCE="acme"),
        SetupCase({"salesforce-signature"}, sign_with_another_key),
    ),
    several(
        SetupCase({"directory-permissions"}, open_directory),
        write("certificate.pem", "rubbish", "certificate-unreadable"),
    ),
    several(
        lost("INTERCOM_APP_ID", codes=("environment-incomplete",)),
        environment("environment-file", SALESFORCE_PRIVATE_KEY_FILE="/nowhere/private-key.pem"),
    ),
]
