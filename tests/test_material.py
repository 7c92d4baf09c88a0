"""What a value is: keys, certificates, secrets and names in the shapes that people really have."""

from __future__ import annotations

import base64
import re
import secrets
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from hypothesis import given, settings
from hypothesis import strategies as st

from fin_messenger_auth import RSASigner, StringKeySource
from fin_messenger_auth._keys import read_private_key
from fin_messenger_auth._material import _DOUBTFUL, _TEXTS, check_algorithm, configured_string, things_in
from fin_messenger_auth.diagnosis import check_certificate, check_environment, check_private_key, check_secret
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, InvalidKeyError, problems_of
from fin_messenger_auth.onboarding import read_certificate, read_public_key
from fin_messenger_auth.testing import throwaway_environ
from tests.broken_keys import CERTIFICATE
from tests.broken_tokens import KEY, SECRET
from tests.shapes import (
    BODY,
    PEM_CERTIFICATE,
    PKCS1,
    PKCS8,
    PRIVATE_JWK,
    RIGHT_VALUES,
    SHAPES,
    SILENT,
    VALUES,
    WARNED,
    Shape,
    Value,
)
from tests.trackers import TRACKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Program

MANY = 150
DISTINCT = 15  # bytes of a part that is there by no chance

# The key is truncated: it is refused before the time that a whole key takes to be parsed.
ENVIRON = throwaway_environ() | {"SALESFORCE_PRIVATE_KEY": throwaway_environ()["SALESFORCE_PRIVATE_KEY"][:500]}
OF = {"secret": "INTERCOM_MESSENGER_SECRET", "kid": "SALESFORCE_KEY_ID", "issuer": "SALESFORCE_ISSUER"}
OF |= {"audience": "SALESFORCE_AUDIENCE", "app-id": "INTERCOM_APP_ID"}


def test_there_are_many_shapes() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= MANY


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_shape_of_a_key_is_read_or_named(shape: Shape) -> None:
    found = check_private_key(shape.data, password=shape.password)

    assert {each.code for each in found} == ({shape.code} if shape.code else set())
    assert {str(each.level) for each in found} <= {"warning" if shape in WARNED else "error"}
    assert shape.word in " ".join(each.message for each in found)
    opener = None if shape.password is None else StringKeySource(shape.password)
    assert [each.code for each in problems_of(lambda: RSASigner(StringKeySource(shape.data), password=opener))] == [
        each.code for each in found
    ]
    assert not any(BODY[at : at + 40].decode() in each.message for at in range(100, 1000, 300) for each in found)
    if shape in SILENT or shape in WARNED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FinMessengerAuthWarning)
            key = read_private_key(shape.data, shape.password)
        assert key.private_numbers() == KEY.private_numbers()


def said_of(place: str, value: str) -> list[tuple[str, str]]:
    """What the doctor says of a variable, apart from the key."""
    found = check_environment({**ENVIRON, OF[place]: value})
    return [(each.code, str(each.level)) for each in found if each.code != "key-damaged"]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_each_value_that_cannot_be_right_is_named(value: Value) -> None:
    found = check_environment({**ENVIRON, OF[value.place]: value.value})

    assert (value.code, value.level) in [(each.code, str(each.level)) for each in found]
    assert value.value not in " ".join(each.message for each in found)


@pytest.mark.parametrize(
    ("place", "value"), [(place, each) for place, values in RIGHT_VALUES.items() for each in values]
)
def test_nothing_is_said_of_a_value_that_can_be_right(place: str, value: str) -> None:
    assert said_of(place, value) == []


@pytest.mark.parametrize("row", [each for each in (*_TEXTS, *_DOUBTFUL) if each.marks], ids=lambda row: row.kind.name)
@settings(max_examples=20)
@given(data=st.data())
def test_what_a_pattern_matches_has_one_of_its_marks(row: Any, data: st.DataObject) -> None:
    assert row.matches(data.draw(st.from_regex(re.compile(rf"\A(?:{row.pattern})", re.DOTALL))))


def test_line_ends_are_told_from_the_letters_beside_them() -> None:
    lines = [bytes([letter]) * 63 + b"/" for letter in b"ABCD"]  # each ends with what its line end begins with
    der = b"\x30\x81\xbd" + base64.b64decode(b"".join(lines))[3:]
    text = base64.b64encode(der)
    body = b"".join(b"/n" + text[at : at + 64] for at in range(0, len(text), 64))

    [found] = things_in(b"-----BEGIN RUBBISH-----%s/n-----END RUBBISH-----" % body)

    assert found.data == der


@pytest.mark.parametrize("pin", ["123456", "CRYPTO_USER:Passw0rd", "vault:Passw0rd", "changeme", "enter-the-dragon"])
def test_a_pin_may_be_a_password_or_name_its_user(pin: str) -> None:
    assert configured_string(pin, "The PIN", "pin") == pin


@pytest.mark.parametrize("name", ["YubiKey PIV #15835999", "Private key for Digital Signature", "KEY_1:2", "(a b)"])
def test_the_label_of_a_token_may_have_any_form(name: str) -> None:
    assert configured_string(name, "token", "key-name") == name


def test_nothing_is_said_of_random_secrets() -> None:
    for _ in range(200):
        for value in (secrets.token_urlsafe(32), secrets.token_hex(32), secrets.token_urlsafe(24)):
            assert check_secret(value.encode()) == []


# What the programs write that people make keys with: commands of bash, and the code of what is said, if anything.
# They are run one after another, in a directory with key.pem (PKCS#8), rsa.pem (PKCS#1) and certificate.pem.
LEGACY = "-provider legacy -provider default"
MADE = {
    "openssl genrsa": ("openssl genrsa 2048", ""),
    "openssl genpkey": ("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", ""),
    "openssl rsa -text": ("openssl rsa -traditional -text -in key.pem", ""),
    "openssl rsa -text -noout": ("openssl rsa -text -noout -in key.pem", "key-not-pem"),
    "openssl pkcs12 -nodes": ("openssl pkcs12 -in own.p12 -passin pass:pw -nodes", ""),
    "openssl rsa, DER": ("openssl rsa -traditional -in key.pem -outform DER", ""),
    "openssl pkcs8, DER": ("openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER", ""),
    "openssl pkcs8 -v2 aes-256-cbc": ("openssl pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -passout pass:pw", ""),
    "openssl pkcs8 -v2 des3": ("openssl pkcs8 -topk8 -v2 des3 -in key.pem -passout pass:pw", ""),
    "openssl pkcs8 -scrypt": ("openssl pkcs8 -topk8 -scrypt -in key.pem -passout pass:pw", ""),
    "openssl pkcs8 -v1 PBE-SHA1-3DES": ("openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in key.pem -passout pass:pw", ""),
    "openssl pkcs8 -v2prf SHA-512": ("openssl pkcs8 -topk8 -v2prf hmacWithSHA512 -in key.pem -passout pass:pw", ""),
    "openssl rsa -aes256": ("openssl rsa -traditional -aes256 -in key.pem -passout pass:pw", ""),
    "openssl rsa -des3": ("openssl rsa -traditional -des3 -in key.pem -passout pass:pw", ""),
    "openssl pkcs8 -v2 camellia256": (
        "openssl pkcs8 -topk8 -v2 camellia256 -in key.pem -passout pass:pw",
        "key-cipher",
    ),
    "openssl pkcs8 -v2 aria256": ("openssl pkcs8 -topk8 -v2 aria256 -in key.pem -passout pass:pw", "key-cipher"),
    "openssl pkcs8 -v2prf MD5": ("openssl pkcs8 -topk8 -v2prf hmacWithMD5 -in key.pem -passout pass:pw", "key-cipher"),
    "openssl rsa -camellia256": ("openssl rsa -traditional -camellia256 -in key.pem -passout pass:pw", "key-cipher"),
    "openssl rsa -des": (f"openssl rsa -traditional -des {LEGACY} -in key.pem -passout pass:pw", "key-cipher"),
    "openssl pkcs8 -v1 DES": (
        f"openssl pkcs8 -topk8 -v1 PBE-SHA1-DES {LEGACY} -in key.pem -passout pass:pw",
        "key-cipher",
    ),
    "openssl pkcs12": ("openssl pkcs12 -export -inkey key.pem -in certificate.pem -passout pass:pw", ""),
    "openssl pkcs12 -legacy": (
        "openssl pkcs12 -export -legacy -inkey key.pem -in certificate.pem -passout pass:pw",
        "",
    ),
    "openssl genpkey, RSA-PSS": ("openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048", "key-pss"),
    "openssl pkey -pubout, RSA-PSS": ("openssl pkey -in pss.pem -pubout", "key-public"),
    "openssl ecparam": ("openssl ecparam -name prime256v1 -genkey", "key-not-rsa"),
    "openssl genpkey, Ed25519": ("openssl genpkey -algorithm ed25519", "key-not-rsa"),
    "openssl dsaparam": ("openssl dsaparam -noout -genkey 1024", "key-not-rsa"),
    "openssl req": ("openssl req -new -key key.pem -subj /CN=x", "key-public"),
    "openssl req, DER": ("openssl req -new -key key.pem -subj /CN=x -outform DER", "key-public"),
    "openssl x509": ("cat certificate.pem", "key-public"),
    "openssl x509, version 1": (
        "openssl req -new -key key.pem -subj /CN=x | openssl x509 -req -signkey key.pem",
        "key-public",
    ),
    "openssl x509 -trustout": ("openssl x509 -in certificate.pem -trustout -addtrust serverAuth", "key-public"),
    "openssl crl2pkcs7": ("openssl crl2pkcs7 -nocrl -certfile certificate.pem", "key-public"),
    "openssl crl2pkcs7, DER": ("openssl crl2pkcs7 -nocrl -certfile certificate.pem -outform DER", "key-public"),
    "openssl rsa -outform PVK": ("openssl rsa -in key.pem -outform PVK -pvk-none", "key-container"),
    "openssl enc": ("openssl enc -aes-256-cbc -pbkdf2 -in key.pem -pass pass:pw", "key-not-pem"),
    "openssl enc -a": ("openssl enc -aes-256-cbc -pbkdf2 -a -in key.pem -pass pass:pw", "key-not-pem"),
    "ssh-keygen": ("ssh-keygen -q -t rsa -b 2048 -N '' -f a && cat a", "key-container"),
    "ssh-keygen with a passphrase": ("ssh-keygen -q -t rsa -b 2048 -N passphrase -f b && cat b", "key-container"),
    "ssh-keygen -m PEM": ("ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f c && cat c", ""),
    "ssh-keygen -m PKCS8": ("ssh-keygen -q -t rsa -b 2048 -m PKCS8 -N '' -f d && cat d", ""),
    "ssh-keygen, Ed25519": ("ssh-keygen -q -t ed25519 -N '' -f e && cat e", "key-container"),
    "ssh-keygen, public": ("ssh-keygen -q -t rsa -b 2048 -N '' -f f && cat f.pub", "key-public"),
    "ssh-keygen -e": ("ssh-keygen -q -t rsa -b 2048 -N '' -f g && ssh-keygen -e -f g.pub", "key-public"),
    "puttygen": ("puttygen rsa.pem -O private -o /dev/stdout", "key-container"),
    "puttygen, version 2": ("puttygen rsa.pem -O private --ppk-param version=2 -o /dev/stdout", "key-container"),
    "puttygen, ssh.com": ("puttygen rsa.pem -O private-sshcom -o /dev/stdout", "key-container"),
    "puttygen, new OpenSSH": ("puttygen rsa.pem -O private-openssh-new -o /dev/stdout", "key-container"),
    "keytool, JKS": ("keytool {} -storetype JKS -keystore a.jks && cat a.jks", "key-container"),
    "keytool, JCEKS": ("keytool {} -storetype JCEKS -keystore a.jceks && cat a.jceks", "key-container"),
    "keytool, PKCS#12": ("keytool {} -storetype PKCS12 -keystore a.p12 && cat a.p12", ""),
    "keytool, two keys": ("keytool {} -keystore b.p12 && keytool {}2 -keystore b.p12 && cat b.p12", "key-several"),
}
KEYTOOL = "-genkeypair -keyalg RSA -keysize 2048 -dname CN=x -storepass passwd -keypass passwd -alias a"
PROGRAMS = ("openssl", "ssh-keygen", "puttygen", "keytool")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a key, its certificate and its PKCS#12 file."""
    path = tmp_path_factory.mktemp("keys")
    (path / "key.pem").write_bytes(PKCS8)
    (path / "rsa.pem").write_bytes(PKCS1)
    (path / "certificate.pem").write_bytes(PEM_CERTIFICATE)
    (path / "own.p12").write_bytes(
        serialize_key_and_certificates(b"x", KEY, CERTIFICATE, None, BestAvailableEncryption(b"pw"))
    )
    return path


def output_of(command: str, directory: Path) -> bytes:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=directory, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("name", MADE)
def test_what_programs_write_is_read_or_named(name: str, workshop: Path, program: Program) -> None:
    for each in PROGRAMS:
        if each in f"{name} {MADE[name][0]}":
            program(each)
    command, code = MADE[name]
    if "pss.pem" in command:
        command = f"openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -out pss.pem && {command}"
    data = output_of(command.replace("{}", KEYTOOL), workshop)
    password = (
        b"passwd"
        if ("keytool" in name and "PKCS#12" in name) or "two keys" in name
        else b"pw"
        if "pass:pw" in command and "-nodes" not in command
        else None
    )

    found = check_private_key(data, password=password)

    assert [each.code for each in found] == [code] * bool(code)
    assert "damaged" not in " ".join(each.message for each in found)


# How a file of each kind is made, and what its program asks for on the way.
CONVERTED = {
    "z.jks": ("keytool {} -storetype JKS -keystore z.jks", "-srcstorepass passwd -deststorepass passwd", "key.p12"),
    "a.ppk": ("puttygen rsa.pem -O private -o a.ppk", "", "private-key.pem"),
    "a.ssh": ("puttygen rsa.pem -O private-sshcom -o a.ssh", "", "private-key.pem"),
    "a.pvk": ("openssl rsa -in key.pem -outform PVK -pvk-none -out a.pvk", "-passin pass:", "private-key.pem"),
    "COPY": ("ssh-keygen -q -t rsa -b 2048 -N '' -f COPY", "-P '' -N ''", "COPY"),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_the_command_in_the_message_converts_it(name: str, workshop: Path, program: Program) -> None:
    made, answers, result = CONVERTED[name]
    program(made.split()[0])
    output_of(made.replace("{}", KEYTOOL), workshop)
    [found] = check_private_key((workshop / name).read_bytes())
    command = found.message.partition("Convert ")[2].partition(": ")[2].replace("FILE", name)
    (workshop / "private-key.pem").unlink(missing_ok=True)

    output_of(f"{command} {answers}", workshop)

    read_private_key((workshop / result).read_bytes(), b"passwd" if result == "key.p12" else None)


def test_a_private_jwk_is_converted_by_the_command_in_the_message(tmp_path: Path) -> None:
    (tmp_path / "FILE").write_text(PRIVATE_JWK)
    [found] = check_private_key(PRIVATE_JWK.encode())

    output_of(found.message.partition("Convert it: ")[2].replace("python -c", f"{sys.executable} -c"), tmp_path)

    assert read_private_key((tmp_path / "private-key.pem").read_bytes()).private_numbers() == KEY.private_numbers()


CERTIFICATES = {
    "PKCS#7": ("openssl crl2pkcs7 -nocrl -certfile certificate.pem", "openssl pkcs7 -print_certs"),
    "TRUSTED": ("openssl x509 -in certificate.pem -trustout -addtrust serverAuth", "openssl x509 -in FILE"),
    "PKCS#12": ("cat own.p12", "openssl pkcs12"),
    "a JKS": ("keytool {} -storetype JKS -keystore c.jks && cat c.jks", "keytool -exportcert"),
    "a request": ("openssl req -new -key key.pem -subj /CN=x", "fin-messenger-auth certificate"),
    "a key": ("cat key.pem", "fin-messenger-auth certificate"),
    "a list": ("echo x", "fin-messenger-auth certificate"),
    "half of one": ("head -c 500 certificate.pem", "Copy the whole file again"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_what_is_no_certificate_is_named(name: str, workshop: Path, program: Program) -> None:
    command, says = CERTIFICATES[name]
    program(command.split()[0])
    [found] = check_certificate(output_of(command.replace("{}", KEYTOOL), workshop))

    assert found.code == "certificate-unreadable"
    assert says in found.message


@pytest.mark.parametrize("wrap", [base64.b64encode, lambda pem: pem.decode().encode("utf-16"), lambda pem: PKCS8 + pem])
def test_a_certificate_is_taken_out_of_what_is_wrapped_around_it(wrap: Callable[[bytes], bytes]) -> None:
    assert read_certificate(wrap(PEM_CERTIFICATE)) == CERTIFICATE


def test_public_keys_are_read_or_named() -> None:
    for encoding, form in [(Encoding.PEM, PublicFormat.PKCS1), (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]:
        assert read_public_key(KEY.public_key().public_bytes(encoding, form)) == KEY.public_key()
    damaged = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[:24] + bytes(270)
    for document, says in [
        (PEM_CERTIFICATE, "openssl x509 -pubkey"),
        (b"-----BEGIN PUBLIC KEY-----\n", "is truncated"),
        (damaged, "is damaged"),
    ]:
        with pytest.raises(InvalidKeyError, match=says):
            read_public_key(document)


def test_the_path_of_a_file_is_shown_if_it_looks_like_one_and_what_is_none_is_named() -> None:
    def says(path: str) -> str:
        environ = {name: value for name, value in ENVIRON.items() if name != "INTERCOM_MESSENGER_SECRET"}
        [first, *_] = check_environment({**environ, "INTERCOM_MESSENGER_SECRET_FILE": path})
        return first.message

    assert "/run/secrets/intercom_messenger_secret" in says("/run/secrets/intercom_messenger_secret")
    assert "quotes" in says("'/run/secrets/intercom_messenger_secret'")
    assert "a reference" in says("${SECRETS}/intercom")
    assert "set INTERCOM_MESSENGER_SECRET to" in says(PKCS8.decode())
    assert "set INTERCOM_MESSENGER_SECRET to" in says(base64.b64encode(PKCS8).decode())
    assert SECRET not in says(SECRET)


def test_the_fix_of_what_stands_around_a_value_leaves_the_value_alone(tmp_path: Path) -> None:
    def fix(**variables: str) -> str:
        environ = {name: value for name, value in ENVIRON.items() if f"{name}_FILE" not in variables}
        return next(each.fix for each in check_environment(environ | variables) if each.code == "value-wrapped")

    (tmp_path / "secret").write_text(f"{SECRET}\n\n")
    assert f"`printf %s VALUE > {tmp_path}/secret`" in fix(INTERCOM_MESSENGER_SECRET_FILE=f"{tmp_path}/secret")
    assert fix(INTERCOM_MESSENGER_SECRET_FILE="'/run/s'") == "Set `INTERCOM_MESSENGER_SECRET_FILE=/run/s`."
    assert fix(INTERCOM_APP_ID="abc\u200b") == "Set `INTERCOM_APP_ID=abc`."


def test_only_a_regular_file_has_a_mode_to_be_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for path in (str(tmp_path), "/dev/null"):
        found = check_environment({**throwaway_environ(), "SALESFORCE_PRIVATE_KEY_FILE": path})
        assert "file-permissions" not in [each.code for each in found]


def test_a_certificate_for_rsa_pss_is_refused(workshop: Path, program: Program) -> None:
    program("openssl")
    make = "openssl req -x509 -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -nodes -keyout p.pem -subj /CN=x"
    [found] = check_certificate(output_of(f"{make} | tee c.pem", workshop))
    assert found.code == "key-pss"
    with pytest.raises(InvalidKeyError, match="RSA-PSS"):
        read_public_key(output_of("openssl pkey -in p.pem -pubout", workshop))
    with pytest.raises(InvalidKeyError, match="RSA-PSS"):
        read_private_key(output_of("openssl pkcs12 -export -inkey p.pem -in c.pem -passout pass:", workshop))


@pytest.mark.parametrize("shape", [each for each in SHAPES if each.code and each not in WARNED], ids=str)
@pytest.mark.parametrize("tracker", TRACKERS)
def test_no_report_of_a_refused_key_holds_a_part_of_it(shape: Shape, tracker: str) -> None:
    source = StringKeySource(shape.data)
    opener = None if shape.password is None else StringKeySource(shape.password)
    with pytest.raises(ConfigurationError) as caught:
        RSASigner(source, password=opener)

    seen = TRACKERS[tracker](caught.value)

    assert BODY[200:230].decode() not in seen
    part = shape.data[20:50]
    assert len(set(part)) < DISTINCT or repr(part)[2:-1] not in seen
    assert not shape.password or shape.password.decode(errors="replace") not in seen


@pytest.mark.parametrize("algorithm", ["DH", "DSA", "EC", "Ed25519", "X25519", "X448", "of another algorithm"])
def test_a_key_of_another_algorithm_is_refused(algorithm: str) -> None:
    with pytest.raises(InvalidKeyError, match=f"The key is {algorithm}, not RSA"):
        check_algorithm(algorithm, "The key")
    check_algorithm("RSA", "The key")
