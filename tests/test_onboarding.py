"""From nothing to what is uploaded: every file checked by somebody else's program."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import stat
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import joserfc.jwt
import jwt as pyjwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import KeySet, RSAKey

from fin_messenger_auth import _jws, onboarding
from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._keys import FileKeySource, StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.diagnosis import Level, check_jwk, check_jwks
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthWarning,
    InvalidKeyError,
    KeyUnavailableError,
    SigningError,
)
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_keys import PUBLIC_PEM, WEAK_KEY, foreign_certificate
from tests.broken_tokens import KEY, OTHER_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNER = RSASigner(StringKeySource(pem_of(KEY)), kid="key-1")
CERTIFICATE = onboarding.self_signed_certificate(SIGNER, SIGNER.public_key)
JWK = onboarding.make_jwk(SIGNER.public_key, CERTIFICATE, kid="key-1")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


CLAIMS: dict[str, Any] = {"iss": "acme", "sub": "42", "exp": 4_000_000_000}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> onboarding.KeyDirectory:
    return onboarding.make_key_directory(tmp_path_factory.mktemp("keygen") / "new" / "keys")


@pytest.fixture(scope="module")
def document() -> str:
    other = RSASigner(StringKeySource(pem_of(OTHER_KEY)))
    second = onboarding.make_jwk(other.public_key, onboarding.self_signed_certificate(other, other.public_key))
    return json.dumps(onboarding.make_jwks([second, JWK]))


@pytest.fixture(scope="module")
def token() -> str:
    return _jws.encode(CLAIMS, SIGNER)


class TestKeyDirectory:
    def test_it_holds_four_files_and_nothing_else(self, made: onboarding.KeyDirectory) -> None:
        assert sorted(each.name for each in made.path.iterdir()) == [
            "certificate.pem",
            "jwk.json",
            "jwks.json",
            "private-key.pem",
        ]

    def test_the_private_key_is_its_owners_only_and_the_signer_takes_it(self, made: onboarding.KeyDirectory) -> None:
        assert mode(made.private_key) == 0o600
        assert made.private_key.read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
        assert RSASigner(FileKeySource(made.private_key)).public_key.key_size == 2048

    def test_the_file_is_never_there_with_another_mode(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        opened = []
        really_open = os.open

        def watched(path: Path, flags: int, mode: int) -> int:
            opened.append((path.name, bool(flags & os.O_EXCL), mode))
            return really_open(path, flags, mode)

        monkeypatch.setattr(os, "open", watched)
        mask = os.umask(0)
        try:
            made = onboarding.make_key_directory(tmp_path / "keys")
        finally:
            os.umask(mask)
        assert opened[0] == ("private-key.pem", True, 0o600)
        assert mode(made.private_key) == 0o600
        assert mode(made.path) == 0o700

    def test_the_jwk_is_what_salesforce_asks_for(self, made: onboarding.KeyDirectory) -> None:
        document = made.jwk.read_bytes()
        assert list(json.loads(document)) == ["kty", "kid", "use", "alg", "n", "e", "x5c"]
        assert check_jwk(document, public_key=RSASigner(FileKeySource(made.private_key)).public_key) == []
        assert check_jwks((made.path / "jwks.json").read_bytes()) == []
        assert made.kid == RSAKey.import_key(json.loads(document)).thumbprint()

    def test_nothing_is_overwritten(self, made: onboarding.KeyDirectory, tmp_path: Path) -> None:
        before = made.private_key.read_bytes()
        with pytest.raises(ConfigurationError, match=r"private-key\.pem already exists and is not overwritten"):
            onboarding.make_key_directory(made.path)
        assert made.private_key.read_bytes() == before
        (tmp_path / "jwk.json").symlink_to("/nowhere")
        with pytest.raises(ConfigurationError, match=r"jwk\.json already exists"):
            onboarding.make_key_directory(tmp_path)
        assert not (tmp_path / "private-key.pem").exists()

    def test_a_file_that_appears_meanwhile_is_not_overwritten(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        really_open = os.open

        def rival(path: Path, flags: int, mode: int) -> int:
            path.write_text("a rival's key")
            return really_open(path, flags, mode)

        monkeypatch.setattr(os, "open", rival)
        with pytest.raises(ConfigurationError, match=r"private-key\.pem already exists"):
            onboarding.make_key_directory(tmp_path / "keys")
        assert (tmp_path / "keys" / "private-key.pem").read_text() == "a rival's key"

    def test_what_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigurationError, match=r"file/keys cannot be created: Not a directory"):
            onboarding.make_key_directory(tmp_path / "file" / "keys")
        with pytest.raises(ConfigurationError, match=r"cannot be created: File exists"):
            onboarding.make_key_directory(tmp_path / "file")

    def test_a_directory_that_takes_no_file_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_arguments: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "open", full)
        with pytest.raises(ConfigurationError, match=r"private-key\.pem cannot be written: No space left"):
            onboarding.make_key_directory(tmp_path)

    def test_the_key_can_be_encrypted(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("correct horse\n")
        password = FileKeySource(tmp_path / "password")
        made = onboarding.make_key_directory(tmp_path / "keys", password=password, kid="key-7", alg="RS512", days=90)
        assert made.private_key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        signer = RSASigner(FileKeySource(made.private_key), password=password)
        assert check_jwk(made.jwk.read_bytes(), public_key=signer.public_key) == []
        assert (made.kid, made.alg, made.encrypted) == ("key-7", "RS512", True)
        assert "SALESFORCE_PRIVATE_KEY_PASSWORD_FILE=/path/to/the/password" in onboarding.environment_lines(made)

    @pytest.mark.parametrize("password", ["", " ", "x" * 1024])
    def test_a_password_that_protects_nothing_is_refused(self, tmp_path: Path, password: str) -> None:
        with pytest.raises(ConfigurationError, match=r"1 to 1023 bytes"):
            onboarding.make_key_directory(tmp_path, password=StringKeySource(password))
        assert list(tmp_path.iterdir()) == []

    def test_the_printed_environment_makes_tokens_that_the_jwk_verifies(self, made: onboarding.KeyDirectory) -> None:
        lines = onboarding.environment_lines(made, issuer="Acme & Sons' issuer")
        environ = dict(shlex.split(line)[0].split("=", 1) for line in lines)
        environ |= {"INTERCOM_APP_ID": "abc", "INTERCOM_MESSENGER_SECRET": "s" * 32}
        environ["SALESFORCE_AUDIENCE"] = environ["SALESFORCE_AUDIENCE"].replace("YOUR-SUBDOMAIN", "acme")
        pair = TokenPairBuilder.from_env(environ).build("42")
        assert pair is not None
        assert pair.salesforce_identity_token is not None
        key = RSAKey.import_key(json.loads(made.jwk.read_bytes()))
        token = joserfc.jwt.decode(pair.salesforce_identity_token, key, algorithms=["RS256"])
        assert token.header["kid"] == made.kid
        assert token.claims["iss"] == "Acme & Sons' issuer"
        assert lines[0].startswith("SALESFORCE_JWK_FILE=")

    def test_the_steps_are_in_order_with_the_values_filled_in(self, made: onboarding.KeyDirectory) -> None:
        steps = onboarding.salesforce_steps(made, issuer="https://acme.example")
        assert [re.findall(r"New Key\b|New Keyset|Add User|Active|Publish|Verify\.", each)[0] for each in steps] == [
            "New Key",
            "New Keyset",
            "Add User",
            "Active",
            "Publish",
            "Verify.",
        ]
        assert str(made.jwk) in steps[0]
        assert "https://acme.example" in steps[1]
        assert made.kid in steps[1]

    def test_another_size_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"2048, 3072 or 4096"):
            onboarding.make_key_directory(tmp_path, bits=1024)


@pytest.mark.parametrize("bits", [3072, 4096])
def test_larger_keys_are_made(bits: int) -> None:
    assert onboarding.generate_private_key(bits).key_size == bits


@dataclass(frozen=True)
class RemoteSigner:
    """A signer as somebody else writes it, for a key that cannot be exported."""

    sign_remotely: Callable[[bytes], bytes]
    alg: str = "RS256"
    kid: str | None = None

    def sign(self, signing_input: bytes, /) -> bytes:
        return self.sign_remotely(signing_input)


class TestCertificate:
    @pytest.mark.parametrize("alg", ["RS256", "RS512"])
    def test_any_signer_makes_one(self, alg: Literal["RS256", "RS512"]) -> None:
        local = RSASigner(StringKeySource(pem_of(KEY)), alg=alg)
        made = onboarding.self_signed_certificate(RemoteSigner(local.sign, alg=alg), local.public_key)
        made.verify_directly_issued_by(made)
        assert made.public_key() == local.public_key
        assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert made.subject == made.issuer == x509.Name.from_rfc4514_string("CN=fin-messenger-auth")
        assert made.signature_hash_algorithm is not None
        assert made.signature_hash_algorithm.name == {"RS256": "sha256", "RS512": "sha512"}[alg]

    def test_it_is_valid_for_two_years_by_default_and_from_now_on(self) -> None:
        now = datetime(2026, 11, 22, tzinfo=UTC)
        made = onboarding.self_signed_certificate(SIGNER, SIGNER.public_key, now=now)
        assert made.not_valid_after_utc == now + timedelta(days=730)
        assert made.not_valid_before_utc < now

    def test_the_openssl_program_reads_and_verifies_it(self, program: Callable[[str], str], tmp_path: Path) -> None:
        openssl = program("openssl")
        (tmp_path / "certificate.pem").write_bytes(onboarding.certificate_pem(CERTIFICATE))
        path = str(tmp_path / "certificate.pem")
        text = subprocess.run([openssl, "x509", "-in", path, "-noout", "-text"], capture_output=True, check=True).stdout
        assert b"sha256WithRSAEncryption" in text
        assert b"Public-Key: (2048 bit)" in text
        subprocess.run([openssl, "verify", "-CAfile", path, path], capture_output=True, check=True)

    def test_the_certificate_in_the_jwk_has_the_key_that_n_and_e_say(
        self, program: Callable[[str], str], tmp_path: Path
    ) -> None:
        (tmp_path / "x5c.der").write_bytes(base64.b64decode(JWK["x5c"][0], validate=True))
        command = [program("openssl"), "x509", "-inform", "DER", "-in", str(tmp_path / "x5c.der"), "-noout", "-modulus"]
        modulus = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        n = int.from_bytes(base64.urlsafe_b64decode(JWK["n"] + "=="), "big")
        assert modulus.strip() == f"Modulus={n:X}"
        assert JWK["e"] == "AQAB"

    def test_a_signer_of_another_key_is_found_out(self) -> None:
        with pytest.raises(SigningError, match=r"does not belong to public_key"):
            onboarding.self_signed_certificate(SIGNER, OTHER_KEY.public_key())

    @pytest.mark.parametrize("signature", [b"", b"\0" * 256, "text"])
    def test_what_is_no_signature_is_found_out(self, signature: bytes) -> None:
        with pytest.raises(SigningError):
            onboarding.self_signed_certificate(RemoteSigner(lambda _: signature), SIGNER.public_key)

    def test_a_signer_that_fails_is_named(self) -> None:
        def fail(_: bytes) -> bytes:
            raise ConnectionError("the KMS is down")

        with pytest.raises(SigningError, match=r"RemoteSigner raised ConnectionError"):
            onboarding.self_signed_certificate(RemoteSigner(fail), SIGNER.public_key)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"days": 10}, "over 10"),
            ({"days": 10**9}, "cannot be made"),
        ],
    )
    def test_what_cannot_be_is_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            onboarding.self_signed_certificate(SIGNER, SIGNER.public_key, **options)

    def test_another_algorithm_and_a_weak_key_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"RS256 or RS512"):
            onboarding.self_signed_certificate(RemoteSigner(bytes, alg="HS256"), SIGNER.public_key)
        with pytest.raises(InvalidKeyError, match=r"1024 bits"):
            onboarding.self_signed_certificate(SIGNER, WEAK_KEY.public_key())

    @pytest.mark.parametrize(
        "document", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", pem_of(KEY)]
    )
    def test_what_is_no_certificate_is_refused(self, document: bytes) -> None:
        with pytest.raises(InvalidKeyError, match=r"cannot be read"):
            onboarding.read_certificate(document)

    def test_a_certificate_of_another_kind_of_key_is_refused(self) -> None:
        with pytest.raises(InvalidKeyError, match=r"is EllipticCurve|is EC"):
            onboarding.read_certificate(foreign_certificate(ec.generate_private_key(ec.SECP256R1())))


class TestJWK:
    def test_a_new_certificate_for_the_same_key_keeps_the_kid(self) -> None:
        first = onboarding.make_jwk(SIGNER.public_key, CERTIFICATE)
        renewed = onboarding.self_signed_certificate(SIGNER, SIGNER.public_key, days=365)
        second = onboarding.make_jwk(SIGNER.public_key, renewed)
        assert (first["kid"], first["n"]) == (second["kid"], second["n"])
        assert first["x5c"] != second["x5c"]
        assert onboarding.thumbprint(SIGNER.public_key) == first["kid"]

    def test_x5c_is_standard_base64_on_one_line(self) -> None:
        assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", JWK["x5c"][0])
        assert onboarding.certificate_in(JWK) == CERTIFICATE

    def test_the_public_key_of_a_kms_is_enough(self) -> None:
        for encoding in (Encoding.PEM, Encoding.DER):
            data = KEY.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
            assert onboarding.make_jwk(onboarding.read_public_key(data), CERTIFICATE, kid="key-1") == JWK

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            (pem_of(KEY), "got a private key"),
            (b"", "got empty"),
            (PUBLIC_PEM[:200], "is truncated"),
            (WEAK_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "1024 bits"),
            (
                ec.generate_private_key(ec.SECP256R1())
                .public_key()
                .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                "is EC",
            ),
        ],
    )
    def test_what_is_no_public_key_is_refused(self, document: bytes, message: str) -> None:
        with pytest.raises(InvalidKeyError, match=message):
            onboarding.read_public_key(document)

    def test_a_certificate_for_another_key_is_refused(self) -> None:
        with pytest.raises(InvalidKeyError, match=r"for another key"):
            onboarding.make_jwk(OTHER_KEY.public_key(), CERTIFICATE)

    def test_a_weak_key_is_refused(self) -> None:
        with pytest.raises(InvalidKeyError, match=r"1024 bits"):
            onboarding.make_jwk(WEAK_KEY.public_key(), CERTIFICATE)

    @pytest.mark.parametrize(
        ("days_ahead", "message"), [(731, "expired"), (721, "requires 10 more days"), (-2, "not valid before")]
    )
    def test_a_certificate_must_be_valid_long_enough(self, days_ahead: int, message: str) -> None:
        with pytest.raises(InvalidKeyError, match=message):
            onboarding.make_jwk(SIGNER.public_key, CERTIFICATE, now=datetime.now(UTC) + timedelta(days=days_ahead))

    def test_a_certificate_that_ends_within_a_month_is_warned_of(self) -> None:
        with pytest.warns(FinMessengerAuthWarning, match=r"The certificate ends on"):
            onboarding.make_jwk(SIGNER.public_key, CERTIFICATE, now=datetime.now(UTC) + timedelta(days=710))

    def test_another_algorithm_and_a_blank_kid_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"RS256 or RS512"):
            onboarding.make_jwk(SIGNER.public_key, CERTIFICATE, alg="PS256")
        with pytest.raises(ConfigurationError, match=r"kid of the JWK"):
            onboarding.make_jwk(SIGNER.public_key, CERTIFICATE, kid=" ")
        with pytest.raises(ConfigurationError, match=r"kid of the JWK has whitespace"):
            onboarding.make_jwk(SIGNER.public_key, CERTIFICATE, kid="key-1\n")

    def test_the_files_of_the_vendors_tool_are_read(self) -> None:
        theirs = {**JWK, "y": "y", "crv": "crv", "d": "d", "k": "k"}
        assert onboarding.read_jwk(json.dumps(theirs)) == JWK

    @pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "k"])
    def test_a_real_private_member_is_refused(self, member: str) -> None:
        with pytest.raises(InvalidKeyError, match=rf"contains a private key \(its member {member}\)") as caught:
            onboarding.read_jwk(json.dumps({**JWK, member: "c2VjcmV0"}))
        assert "c2VjcmV0" not in str(caught.value)

    @pytest.mark.parametrize("document", ["", "[]", '{"keys": []}', "7", "[" * 5000])
    def test_what_is_no_jwk_is_refused(self, document: str) -> None:
        with pytest.raises(InvalidKeyError):
            onboarding.read_jwk(document)

    @pytest.mark.parametrize("chain", [None, [], "text", [7], ["not standard Base64 -_"], ["AAAA"]])
    def test_a_jwk_without_a_certificate_has_none(self, chain: object) -> None:
        with pytest.raises(InvalidKeyError):
            onboarding.certificate_in({**JWK, "x5c": chain})


class TestJWKS:
    def test_both_keys_of_a_rotation_stand_in_it(self) -> None:
        other = RSASigner(StringKeySource(pem_of(OTHER_KEY)))
        second = onboarding.make_jwk(other.public_key, onboarding.self_signed_certificate(other, other.public_key))
        jwks = onboarding.make_jwks([JWK, {**second, "d": "d"}])
        assert jwks == {"keys": [JWK, second]}
        assert check_jwks(json.dumps(jwks)) == []

    @pytest.mark.parametrize(
        ("jwk", "code"),
        [({**JWK, "x5c": []}, "jwk-x5c-missing"), (JWK, "certificate-validity")],
        ids=["no certificate", "expired"],
    )
    def test_the_rules_of_uploads_are_warnings_for_a_served_set(self, jwk: dict[str, Any], code: str) -> None:
        now = CERTIFICATE.not_valid_after_utc + timedelta(days=1)
        with pytest.warns(FinMessengerAuthWarning) as caught:
            jwks = onboarding.make_jwks([jwk], now=now)
        assert [str(getattr(each.message, "code", None)) for each in caught] == [code]
        findings = check_jwks(json.dumps(jwks), now=now.timestamp())
        assert [(each.code, each.level) for each in findings] == [(code, Level.WARNING)]
        with pytest.raises(InvalidKeyError) as refused:
            onboarding.read_jwk(json.dumps(jwk), now=now)
        assert refused.value.code == code

    def test_what_would_not_work_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"no keys"):
            onboarding.make_jwks([])
        with pytest.raises(ConfigurationError, match=r"the same kid, \"key-1\";"):
            onboarding.make_jwks([JWK, JWK])
        with pytest.raises(ConfigurationError, match=r"kid of the JWK is missing"):
            onboarding.make_jwks([{"kty": "RSA", "alg": "RS256"}])
        with pytest.raises(InvalidKeyError, match=r"private key"):
            onboarding.make_jwks([{**JWK, "d": "AQAB"}])


class TestOthersVerifyWithTheKeySet:
    def test_joserfc(self, document: str, token: str) -> None:
        keys = KeySet.import_key_set(json.loads(document))
        assert joserfc.jwt.decode(token, keys, algorithms=["RS256"]).claims == CLAIMS

    def test_pyjwt(self, document: str, token: str) -> None:
        key = pyjwt.PyJWKSet.from_json(document)["key-1"]
        assert pyjwt.decode(token, key, algorithms=["RS256"]) == CLAIMS


def test_a_password_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError):
        onboarding.private_key_pem(KEY, password=FileKeySource(tmp_path / "nowhere"))


def test_onboarding_knows_nothing_of_diagnosis() -> None:
    for module in Path(onboarding.__file__).parent.glob("*.py"):
        assert not re.search(r"^ *(from|import) .*diagnosis", module.read_text(), re.MULTILINE)
