"""The commands that make keys and find faults, as a person runs them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth import _jws, onboarding, render_snippet
from fin_messenger_auth._keys import FileKeySource, StringKeySource
from fin_messenger_auth._signers import HMACSigner, RSASigner
from fin_messenger_auth._tokens import SalesforceMinter
from fin_messenger_auth._users import MessengerUser
from fin_messenger_auth.cli import main
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_tokens import AUDIENCE, ISSUER, KEY, SECRET, base64url, intercom, salesforce
from tests.org_double import DEPLOYMENT, JWKS_PATH, ORG_ID, OrgDouble


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("commands") / "keys"
    assert main(["keygen", str(directory), "--issuer", ISSUER]) == 0
    return directory


@pytest.fixture
def environ(keys: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    variables = {
        "INTERCOM_APP_ID": "abc",
        "INTERCOM_MESSENGER_SECRET": SECRET,
        "SALESFORCE_PRIVATE_KEY_FILE": str(keys / "private-key.pem"),
        "SALESFORCE_KEY_ID": kid_of(keys),
        "SALESFORCE_ISSUER": ISSUER,
        "SALESFORCE_AUDIENCE": AUDIENCE,
        "no_proxy": "127.0.0.1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def kid_of(keys: Path) -> str:
    return str(json.loads((keys / "jwk.json").read_text())["kid"])


def standard_input(text: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8")


def output(capsys: pytest.CaptureFixture[str], *argv: str, status: int = 0) -> str:
    assert main(argv) == status
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def identity_token(keys: Path, issuer: str = ISSUER) -> str:
    signer = RSASigner(FileKeySource(keys / "private-key.pem"), kid=kid_of(keys))
    minter = SalesforceMinter(signer, issuer=issuer, audience=AUDIENCE)
    return _jws.encode(minter.claims(MessengerUser("user-42"), int(time.time())), signer)


def user_jwt(**attributes: object) -> str:
    claims = {"user_id": "42", "exp": int(time.time()) + 3600, **attributes}
    return _jws.encode(claims, HMACSigner(StringKeySource(SECRET)))


class TestKeygen:
    def test_it_says_what_to_do_in_order_with_the_values(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = output(capsys, "keygen", str(tmp_path / "keys"), "--kid", "key-7", "--issuer", ISSUER, "--days", "365")
        variables = (f"SALESFORCE_JWK_FILE={tmp_path}/keys/jwk.json", f"SALESFORCE_ISSUER={ISSUER}")
        for needed in ("1. ", "6. ", "key-7", *variables, "365 days", "jwk.json"):
            assert needed in text
        assert "BEGIN" not in text

    def test_it_encrypts(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "password").write_text("correct horse\n")
        arguments = ("--password-file", str(tmp_path / "password"))
        text = output(capsys, "keygen", str(tmp_path / "keys"), *arguments)
        assert "correct horse" not in text
        opened = ("--private-key", str(tmp_path / "keys" / "private-key.pem"), *arguments)
        jwk = output(capsys, "jwk", *opened, "--certificate", str(tmp_path / "keys" / "certificate.pem"))
        assert json.loads(jwk) == json.loads((tmp_path / "keys" / "jwk.json").read_text())
        assert output(capsys, "certificate", *opened).startswith("-----BEGIN CERTIFICATE-----\n")

    def test_a_blank_issuer_is_refused_before_anything_is_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["keygen", str(tmp_path / "keys"), "--issuer", " "]) == 1
        assert "--issuer is blank" in capsys.readouterr().err
        assert main(["keygen", str(tmp_path / "keys"), "--issuer", "fin.ai"]) == 1
        assert "--issuer is fin.ai" in capsys.readouterr().err
        assert not (tmp_path / "keys").exists()

    def test_it_ends_with_the_whole_command_of_the_doctor(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = output(capsys, "keygen", str(tmp_path / "my keys"), "--issuer", "Acme & Sons")
        assert text.endswith(f"Then: fin-messenger-auth doctor '{tmp_path}/my keys' --issuer 'Acme & Sons'\n")

    def test_it_overwrites_nothing(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["keygen", str(keys)]) == 1
        assert "already exists" in capsys.readouterr().err


class TestKeysThatExist:
    def test_a_jwk_that_was_made_by_hand_is_repaired(
        self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = json.loads((keys / "jwk.json").read_text())
        (tmp_path / "jwk.json").write_text(json.dumps(made | {"n": made["n"] + "=="}))
        assert json.loads(output(capsys, "jwk", "--repair", str(tmp_path / "jwk.json"))) == made

    def test_the_certificate_of_the_key_is_taken_out_of_a_chain(
        self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = onboarding.make_key_directory(tmp_path / "new")
        (tmp_path / "chain.pem").write_bytes(
            (tmp_path / "new" / "certificate.pem").read_bytes() + (keys / "certificate.pem").read_bytes()
        )
        arguments = ("--private-key", str(keys / "private-key.pem"), "--certificate", str(tmp_path / "chain.pem"))
        assert json.loads(output(capsys, "jwk", *arguments))["kid"] == kid_of(keys) != new.kid

    def test_a_certificate_alone_makes_the_jwk(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        made = json.loads(output(capsys, "jwk", "--certificate", str(keys / "certificate.pem")))
        assert made == json.loads((keys / "jwk.json").read_text())

    def test_a_jwk_needs_a_certificate(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["jwk", "--private-key", str(keys / "private-key.pem")]) == 1
        assert "--certificate FILE" in capsys.readouterr().err

    def test_a_public_key_and_its_certificate_make_the_jwk(
        self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        public = RSASigner(FileKeySource(keys / "private-key.pem")).public_key
        (tmp_path / "public.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        arguments = ("--public-key", str(tmp_path / "public.pem"), "--certificate", str(keys / "certificate.pem"))
        assert json.loads(output(capsys, "jwk", *arguments)) == json.loads((keys / "jwk.json").read_text())

    def test_a_rotation_has_both_keys_in_one_set(
        self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = onboarding.make_key_directory(tmp_path / "new", kid="key-8")
        text = output(capsys, "jwks", str(keys / "certificate.pem"), str(new.jwk))
        assert [key["kid"] for key in json.loads(text)["keys"]] == [kid_of(keys), "key-8"]

    def test_a_renewed_certificate_keeps_the_kid(
        self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        private = ("--private-key", str(keys / "private-key.pem"))
        (tmp_path / "new.pem").write_text(output(capsys, "certificate", *private, "--days", "365"))
        jwk = json.loads(output(capsys, "jwk", *private, "--certificate", str(tmp_path / "new.pem")))
        assert jwk["kid"] == kid_of(keys)
        assert jwk["x5c"] != json.loads((keys / "jwk.json").read_text())["x5c"]

    @pytest.mark.parametrize(
        ("x5c", "message"),
        [
            ("-----BEGIN CERTIFICATE-----", "x5c contains PEM lines"),
            ("AAAA", "cannot be read"),
        ],
    )
    def test_what_the_doctor_condemns_is_not_written(
        self, x5c: str, message: str, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        jwk = {**json.loads((keys / "jwk.json").read_text()), "x5c": [x5c]}
        (tmp_path / "jwk.json").write_text(json.dumps(jwk))
        assert main(["jwks", str(tmp_path / "jwk.json")]) == 1
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.out == ""

    def test_a_warning_is_issued_once(self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        jwk = {**json.loads((keys / "jwk.json").read_text()), "use": "enc"}
        (tmp_path / "jwk.json").write_text(json.dumps(jwk))
        assert main(["jwks", str(tmp_path / "jwk.json")]) == 0
        assert capsys.readouterr().err.count("warning: use of the JWK") == 1

    @pytest.mark.parametrize(
        ("path", "shown"), [("nofile.json", "'nofile.json'"), ("nofile", "<path not shown: it could be a secret>")]
    )
    def test_a_file_that_is_not_there_is_named(self, path: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["jwks", path]) == 1
        assert f"{shown} cannot be read: No such file" in capsys.readouterr().err

    def test_a_certificate_in_place_of_a_public_key_is_named(
        self, keys: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        certificate = str(keys / "certificate.pem")
        assert main(["jwk", "--public-key", certificate, "--certificate", certificate]) == 1
        assert "Expected a public key, got a certificate" in capsys.readouterr().err

    def test_a_private_jwk_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "jwk.json").write_text('{"kty": "RSA", "d": "c2VjcmV0"}')
        assert main(["jwks", str(tmp_path / "jwk.json")]) == 1
        error = capsys.readouterr().err
        assert "contains a private key" in error
        assert "c2VjcmV0" not in error


class TestInspect:
    def test_a_healthy_token_is_said_to_be(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        token = identity_token(keys)
        options = ("--key", str(keys / "jwks.json"), "--issuer", ISSUER, "--audience", AUDIENCE)
        text = output(capsys, "inspect", token, *options)
        assert "✓ Nothing wrong was found.\n\n0 errors, 0 warnings, 0 unchecked" in text
        assert token not in text
        assert token.split(".")[2] not in text

    def test_the_article_of_the_fault_is_one_sentence(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options = ("--key", str(keys / "certificate.pem"), "--issuer", ISSUER)
        text = output(capsys, "inspect", identity_token(keys, ISSUER + "/"), *options, status=1)
        assert "✗ issuer: " in text
        assert "only a final slash differs" in text
        assert "salesforce-issuer-differs (documented: https://" in text
        assert "1 error," in text

    def test_an_intercom_token_from_standard_input(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "secret").write_text(SECRET + "\n")
        monkeypatch.setattr(sys, "stdin", standard_input(user_jwt(plan="pro") + "\n"))
        text = output(capsys, "inspect", "-", "--secret-file", str(tmp_path / "secret"))
        assert text.startswith("intercom_user_jwt\n")
        assert "✓ Nothing wrong was found." in text
        assert SECRET not in text

    def test_without_any_key_it_says_what_it_could_not_check(
        self, keys: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = output(capsys, "inspect", identity_token(keys))
        assert "signature: The match of signature and kid with the keyset was not checked" in text
        assert "2 unchecked" in text

    def test_the_key_is_looked_at_too(self, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        jwk = json.loads((keys / "jwk.json").read_text())
        (tmp_path / "jwk.json").write_text(json.dumps({name: jwk[name] for name in jwk if name != "x5c"}))
        (tmp_path / "list.json").write_text(json.dumps([jwk]))
        options = ("--issuer", ISSUER, "--audience", AUDIENCE, "--key")
        text = output(capsys, "inspect", identity_token(keys), *options, str(tmp_path / "jwk.json"), status=1)
        assert "jwk-x5c-missing" in text
        assert "1 error," in text
        assert "jwk-document" in output(
            capsys, "inspect", identity_token(keys), *options, str(tmp_path / "list.json"), status=1
        )

    def test_the_environment_says_what_to_verify_with(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in throwaway_environ().items():
            monkeypatch.setenv(f"ACME_{name}", value)
        settings = throwaway_builder().build_settings(42)
        options = ("--env", "--prefix", "ACME_")
        for name in ("intercom_user_jwt", "salesforce_identity_token"):
            text = output(capsys, "inspect", settings[name], *options)
            assert text.startswith(name)
            assert "✓ Nothing wrong was found." in text
        other = output(capsys, "inspect", user_jwt(), *options, status=1)
        assert "✗ signature" in other
        assert main(["inspect", settings["intercom_user_jwt"], "--env"]) == 1
        assert "INTERCOM_APP_ID" in capsys.readouterr().err

    @pytest.mark.parametrize("form", ["snippet", "settings", "by hand"])
    def test_a_page_or_its_settings(
        self, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in throwaway_environ().items():
            monkeypatch.setenv(name, value)

        def inspected(status: int = 0, **changed: object) -> str:
            settings = {**throwaway_builder().build_settings(42), **changed}
            page = {
                "snippet": f"<html>{render_snippet(settings)}</html>",
                "settings": json.dumps(settings),
                "by hand": f"<script>window.intercomSettings = {json.dumps(settings)}; // shutdown\n</script>",
            }[form]
            monkeypatch.setattr(sys, "stdin", standard_input(page))
            text = output(capsys, "inspect", "-", "--env", status=status)
            assert "eyJ" not in text
            return text

        assert inspected() == "✓ Nothing wrong was found.\n\n0 errors, 0 warnings, 0 unchecked\n"
        assert "intercom-user-id-differs" in inspected(1, user_id="7")
        assert "intercom-signature" in inspected(1, intercom_user_jwt=user_jwt())
        assert "token-missing" in inspected(1, salesforce_identity_token=None)

    def test_a_page_without_anything_to_verify_with(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = throwaway_builder(fin_managed=True).build_settings(42)
        monkeypatch.setattr(sys, "stdin", standard_input(json.dumps(settings)))
        found = json.loads(output(capsys, "inspect", "-", "--json"))
        assert {each["code"] for each in found["findings"]} == {"unchecked"}

    def test_json_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = json.loads(output(capsys, "inspect", user_jwt(tags=["x", 1]), "--json"))
        assert found["token"] == "intercom_user_jwt"
        assert found["header"] == {"alg": "HS256", "typ": "JWT"}
        assert found["claims"]["tags"] == ["x", 1]
        assert {each["code"] for each in found["findings"]} == {
            "unchecked",
            "attribute-value",
        }
        assert set(found["findings"][0]) == {"code", "check", "level", "message", "fix", "evidence", "url"}

    def test_a_check_that_was_not_made_is_not_shown_as_passed(self, capsys: pytest.CaptureFixture[str]) -> None:
        token = intercom(header={"alg": "HS512"}).token
        text = output(capsys, "inspect", token, status=1)
        assert "✗ algorithm" in text
        assert "✓" not in text

    @pytest.mark.filterwarnings("ignore")
    def test_what_is_no_token_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = output(capsys, "inspect", "ab" * 32, status=1)
        assert "token-user-hash" in text
        assert "✓" not in text
        assert "findings" in json.loads(output(capsys, "inspect", "x", "--json", status=1))

    def test_a_token_in_a_claim_is_cut(self, capsys: pytest.CaptureFixture[str]) -> None:
        inner = salesforce().token
        text = output(capsys, "inspect", user_jwt(note=inner[:250]))
        assert inner[:121] not in text
        assert "(250 characters)" in text


@pytest.mark.usefixtures("environ")
class TestDoctor:
    def test_a_healthy_set_up(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = output(capsys, "doctor", str(keys), "--issuer", ISSUER, "--attribute", "plan")
        assert "0 errors, 0 warnings, 5 unchecked" in text
        assert "plan" in text

    def test_a_fault_is_the_first_thing_said(
        self, keys: Path, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ.setenv("SALESFORCE_KEY_ID", "WebAppKey1")
        environ.setenv("SALESFORCE_TOKEN_LIFETIME", "60")
        text = output(capsys, "doctor", str(keys), status=1)
        assert text.startswith("✗ key id: ")
        assert text.index("! times") < text.index("? remote settings")

    def test_json_for_machines(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = json.loads(output(capsys, "doctor", str(keys), "--json"))
        assert {each["level"] for each in found["findings"]} == {"unchecked"}

    def test_variables_may_have_a_prefix(
        self, keys: Path, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in [name for name in os.environ if name.startswith(("INTERCOM_", "SALESFORCE_"))]:
            environ.setenv(f"ACME_{name}", os.environ[name])
            environ.delenv(name)
        jwks = json.loads((keys / "jwks.json").read_text())
        options = ("--org-id", ORG_ID, "--deployment", DEPLOYMENT, "--prefix", "ACME_")
        with OrgDouble(jwks=jwks, issuer=ISSUER, headers={"Cache-Control": "max-age=300"}) as org:
            text = output(capsys, "doctor", "--online", org.url, "--jwks-url", org.url + JWKS_PATH, *options)
        assert "0 errors, 0 warnings" in text

    def test_online(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        jwks = json.loads((keys / "jwks.json").read_text())
        options = ("--org-id", ORG_ID, "--deployment", DEPLOYMENT)
        with OrgDouble(jwks=jwks, issuer=ISSUER, headers={"Cache-Control": "max-age=300"}) as org:
            text = output(capsys, "doctor", "--online", org.url, "--jwks-url", org.url + JWKS_PATH, *options)
            assert "0 errors, 0 warnings" in text
            [token] = org.tokens
        assert token not in text

    def test_online_a_guest_is_an_error(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        jwks = json.loads((keys / "jwks.json").read_text())
        with OrgDouble(jwks=jwks, issuer=ISSUER + "/", refusal="guest") as org:
            options = ("--online", org.url, "--org-id", ORG_ID, "--deployment", DEPLOYMENT)
            assert "online-guest" in output(capsys, "doctor", *options, status=1)

    def test_online_without_a_token(self, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        environ.delenv("SALESFORCE_KEY_ID")
        with OrgDouble(jwks={"keys": []}, issuer=ISSUER) as org:
            options = ("--online", org.url, "--org-id", ORG_ID, "--deployment", DEPLOYMENT)
            text = output(capsys, "doctor", *options, status=1)
        assert "The token exchange was not checked." in text
        assert "variable-missing" in text

    def test_half_a_question_is_wrong_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["doctor", "--online", "https://x"])
        assert caught.value.code == 2
        assert "needs --" in capsys.readouterr().err


def test_a_fresh_machine_needs_one_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fin_messenger_auth", "keygen", str(tmp_path / "keys")]
    subprocess.run(command, capture_output=True, check=True, env={"PATH": "/nowhere"})
    assert (tmp_path / "keys" / "jwk.json").is_file()


def test_nothing_is_printed_of_a_private_key(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = (keys / "private-key.pem").read_text().splitlines()[5]
    for argv in (["doctor", str(keys)], ["jwk", "--private-key", str(keys / "private-key.pem"), "--certificate", "x"]):
        main(argv)
        captured = capsys.readouterr()
        assert body not in captured.out + captured.err
    private = RSASigner(FileKeySource(keys / "private-key.pem"))
    assert base64url(pem_of(KEY))[:40] not in repr(private)
