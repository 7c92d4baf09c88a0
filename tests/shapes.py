"""Keys, certificates, secrets and names in the shapes that people really have, and what must be said of each."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, x448, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from joserfc.jwk import RSAKey

from fin_messenger_auth.onboarding import certificate_pem
from fin_messenger_auth.testing import throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_keys import CERTIFICATE, JWK, encrypted
from tests.broken_tokens import KEY, OTHER_KEY, SECRET


@dataclass(frozen=True)
class Shape:
    """A private key in some shape: the code of what is said, or none, and a word of the message."""

    name: str
    data: bytes = field(repr=False)
    code: str = ""
    word: str = ""
    password: bytes | None = None

    def __str__(self) -> str:
        return self.name


PKCS8 = pem_of(KEY)
PKCS1 = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
DER = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
DER_PKCS1 = KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
OPENSSH = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
PEM_CERTIFICATE = certificate_pem(CERTIFICATE)
PASSWORD = b"horse battery"
ENCRYPTED, ENCRYPTED_PKCS1 = encrypted(KEY, PASSWORD), encrypted(KEY, PASSWORD, PrivateFormat.TraditionalOpenSSL)
DER_ENCRYPTED = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))
P12 = serialize_key_and_certificates(b"key", KEY, CERTIFICATE, None, BestAvailableEncryption(PASSWORD))
OPEN_P12 = serialize_key_and_certificates(b"key", KEY, CERTIFICATE, None, NoEncryption())
P12_WITHOUT_KEY = serialize_key_and_certificates(b"key", None, CERTIFICATE, None, BestAvailableEncryption(PASSWORD))
PRIVATE_JWK = json.dumps({**RSAKey.import_key(PKCS8).as_dict(private=True), "kid": "k1"})
LINES = PKCS8.strip().splitlines()
BODY = b"".join(LINES[1:-1])
ONE_LINE = PKCS8.strip()


def joined(separator: bytes) -> bytes:
    return ONE_LINE.replace(b"\n", separator)


def of(key: object, form: PrivateFormat = PrivateFormat.PKCS8, encoding: Encoding = Encoding.PEM) -> bytes:
    data: bytes = key.private_bytes(encoding, form, NoEncryption())  # type: ignore[attr-defined]
    return data


# The outline of RFC 8017 §A.1.2 with its otherPrimeInfos.
MORE_PRIMES = b"\x30\x1d" + b"\x02\x01\x01" * 9 + b"\x30\x00"

BAG = b"Bag Attributes\n    friendlyName: key\n    localKeyID: 01 02 \nKey Attributes: <No Attributes>\n"

SILENT = [
    Shape("PKCS#8", PKCS8),
    Shape("PKCS#1", PKCS1),
    Shape("DER, PKCS#8", DER),
    Shape("DER, PKCS#1", DER_PKCS1),
    Shape("DER with a newline behind it", DER + b"\n"),
    Shape("no newline at the end", ONE_LINE),
    Shape("CRLF", PKCS8.replace(b"\n", b"\r\n")),
    Shape("CR", PKCS8.replace(b"\n", b"\r")),
    Shape("blank lines between", joined(b"\n\n")),
    Shape("blank lines around", b"\n\n" + PKCS8 + b"\n\n"),
    Shape("a byte order mark", b"\xef\xbb\xbf" + PKCS8),
    Shape("\\n", joined(b"\\n")),
    Shape("\\r\\n", joined(b"\\r\\n")),
    Shape("\\n and a newline", joined(b"\\n\n")),
    Shape("spaces", joined(b" ")),
    Shape("tabs", joined(b"\t")),
    Shape("no newlines", joined(b"")),
    Shape("no newlines, PKCS#1", PKCS1.replace(b"\n", b"")),
    Shape("indented, as in YAML", b"".join(b"      " + line + b"\n" for line in LINES)),
    Shape("a block of YAML", b"private_key: |\n" + b"".join(b"  " + line + b"\n" for line in LINES)),
    Shape("Bag Attributes", BAG + PKCS8),
    Shape("a certificate, then the key", PEM_CERTIFICATE + PKCS8),
    Shape("the key, then a chain", PKCS8 + PEM_CERTIFICATE * 3),
    Shape("no newline between certificate and key", PEM_CERTIFICATE.strip() + PKCS8),
    Shape("the key and its public key", PKCS8 + PUBLIC),
    Shape("a heredoc", b"<<-EOT\n" + PKCS8 + b"EOT\n"),
    Shape("a comment in front", b"# the key of production\n" + PKCS8),
    Shape("76 characters a line", LINES[0] + b"\n" + base64.encodebytes(DER) + LINES[-1]),
    Shape("twice the same", PKCS8 + PKCS8),
    Shape("encrypted PKCS#8", ENCRYPTED, password=PASSWORD),
    Shape("encrypted PKCS#1", ENCRYPTED_PKCS1, password=PASSWORD),
    Shape("encrypted PKCS#1, \\n", ENCRYPTED_PKCS1.replace(b"\n", b"\\n"), password=PASSWORD),
    Shape("encrypted PKCS#1, CRLF", ENCRYPTED_PKCS1.replace(b"\n", b"\r\n"), password=PASSWORD),
    Shape("encrypted DER", DER_ENCRYPTED, password=PASSWORD),
    Shape("the password with a newline", ENCRYPTED, password=PASSWORD + b"\r\n"),
    Shape("encrypted PKCS#1, spaces", ENCRYPTED_PKCS1.replace(b"\n", b" "), password=PASSWORD),
    Shape("encrypted PKCS#1, no newlines", ENCRYPTED_PKCS1.replace(b"\n", b""), password=PASSWORD),
    Shape("\\/, as PHP writes JSON", joined(b"\\n").replace(b"/", b"\\/")),
    Shape("PKCS#12", P12, password=PASSWORD),
    Shape("PKCS#12 without a password", OPEN_P12),
    Shape("Base64 of DER", base64.b64encode(DER)),
    Shape("the lines between the labels", b"\n".join(LINES[1:-1])),
    Shape("Base64 of PKCS#12", base64.b64encode(P12), password=PASSWORD),
    Shape("begin in small letters", PKCS8.replace(b"BEGIN", b"begin").replace(b"END", b"end")),
    Shape("PKCS#12 in BER", b"\x30\x80" + P12[4:] + b"\0\0", password=PASSWORD),
]

WARNED = [
    Shape("NAME=", b"SALESFORCE_PRIVATE_KEY=" + PKCS8, "key-wrapped", "NAME="),
    Shape("export NAME=", b"export KEY='" + ONE_LINE + b"'\n", "key-wrapped", "NAME="),
    Shape("a label in small letters", PKCS8.replace(b"PRIVATE KEY", b"private key"), "key-wrapped", "label"),
    Shape("JSON, a list of its lines", json.dumps(PKCS8.decode().splitlines()).encode(), "key-wrapped", "JSON"),
    Shape("PKCS#8 labelled PKCS#1", PKCS8.replace(b"PRIVATE", b"RSA PRIVATE"), "key-wrapped", "label"),
    Shape("PKCS#1 labelled PKCS#8", PKCS1.replace(b"RSA ", b""), "key-wrapped", "label"),
    Shape("PKCS#8 labelled EC", PKCS8.replace(b"PRIVATE", b"EC PRIVATE"), "key-wrapped", "label"),
    Shape("PKCS#8 labelled CERTIFICATE", PKCS8.replace(b"PRIVATE KEY", b"CERTIFICATE"), "key-wrapped", "label"),
    Shape("another label at the end", PKCS8.replace(b"END PRIVATE", b"END RSA PRIVATE"), "key-wrapped", "label"),
    Shape("encrypted, labelled plain", ENCRYPTED.replace(b"ENCRYPTED ", b""), "key-wrapped", "label", PASSWORD),
    Shape("\\\\n", joined(b"\\\\n"), "key-wrapped", "newlines"),
    Shape("\\\\\\\\n", joined(b"\\\\\\\\n"), "key-wrapped", "newlines"),
    Shape("%0A", joined(b"%0A"), "key-wrapped", "newlines"),
    Shape("%0D%0A", joined(b"%0D%0A"), "key-wrapped", "newlines"),
    Shape("/n", joined(b"/n"), "key-wrapped", "newlines"),
    Shape("n, as a shell leaves it", joined(b"n"), "key-wrapped", "newlines"),
    Shape("<br>", joined(b"<br>"), "key-wrapped", "newlines"),
    Shape("&#10;", joined(b"&#10;"), "key-wrapped", "newlines"),
    Shape("\\u000a", joined(b"\\u000a"), "key-wrapped", "newlines"),
    Shape("\\x0a", joined(b"\\x0a"), "key-wrapped", "newlines"),
    Shape("\\012", joined(b"\\012"), "key-wrapped", "newlines"),
    Shape("\\ at the end of each line", joined(b"\\\n"), "key-wrapped", "newlines"),
    Shape("$ at the end of each line, as cat -A", joined(b"$\n"), "key-wrapped", "newlines"),
    Shape("en dashes", PKCS8.replace(b"-----", "\u2013\u2013".encode()), "key-wrapped", "dashes"),
    Shape("em dashes", PKCS8.replace(b"-----", "\u2014\u2014-".encode()), "key-wrapped", "dashes"),
    Shape("two hyphens", PKCS8.replace(b"-----", b"--"), "key-wrapped", "dashes"),
    Shape("three quotes", b'"""\n' + PKCS8 + b'"""', "key-wrapped", "quotes"),
    Shape(
        "a service account of Google",
        json.dumps({"type": "service_account", "private_key": PKCS8.decode()}).encode(),
        "key-wrapped",
        "JSON",
    ),
    Shape(
        "a Secret of Kubernetes",
        json.dumps(
            {
                "kind": "Secret",
                "data": {
                    "tls.crt": base64.b64encode(PEM_CERTIFICATE).decode(),
                    "tls.key": base64.b64encode(PKCS8).decode(),
                },
            }
        ).encode(),
        "key-wrapped",
        "Base64",
    ),
    Shape("commas", joined(b","), "key-wrapped", "newlines"),
    Shape("bars", joined(b"|"), "key-wrapped", "newlines"),
    Shape("an answer by mail", joined(b"\n> "), "key-wrapped", "newlines"),
    Shape("parts of a program", joined(b'" +\n    "'), "key-wrapped", "newlines"),
    Shape("percent-encoded", quote(ONE_LINE.decode()).encode(), "key-wrapped", "percent"),
    Shape("form-encoded", quote_plus(ONE_LINE.decode()).encode(), "key-wrapped", "percent"),
    Shape("in double quotes", b'"' + ONE_LINE + b'"', "key-wrapped", "quotes"),
    Shape("in single quotes", b"'" + PKCS8 + b"'\n", "key-wrapped", "quotes"),
    Shape("in double quotes with \\n", b'"' + joined(b"\\n") + b'"', "key-wrapped", "JSON"),
    Shape("in typographic quotes", "“".encode() + ONE_LINE + "”".encode(), "key-wrapped", "quotes"),
    Shape("Base64 of PEM", base64.b64encode(PKCS8), "key-wrapped", "Base64"),
    Shape("Base64 of PEM in lines", base64.encodebytes(PKCS8), "key-wrapped", "Base64"),
    Shape("Base64URL of PEM", base64.urlsafe_b64encode(PKCS8).rstrip(b"="), "key-wrapped", "Base64"),
    Shape("Base64 of Base64 of PEM", base64.b64encode(base64.b64encode(PKCS8)), "key-wrapped", "Base64"),
    Shape("Base64 of PKCS#1", base64.b64encode(PKCS1), "key-wrapped", "Base64"),
    Shape("a data URL", b"data:application/x-pem-file;base64," + base64.b64encode(PKCS8), "key-wrapped", "Base64"),
    Shape("base64:", b"base64:" + base64.b64encode(PKCS8), "key-wrapped", "Base64"),
    Shape("UTF-16 with a mark", PKCS8.decode().encode("utf-16"), "key-wrapped", "UTF-16"),
    Shape("UTF-16BE with a mark", b"\xfe\xff" + PKCS8.decode().encode("utf-16-be"), "key-wrapped", "UTF-16"),
    Shape("UTF-16LE", PKCS8.decode().encode("utf-16-le"), "key-wrapped", "UTF-16"),
    Shape("UTF-16BE", PKCS8.decode().encode("utf-16-be"), "key-wrapped", "UTF-16"),
    Shape("UTF-16 of Base64", base64.b64encode(PKCS8).decode().encode("utf-16"), "key-wrapped", "UTF-16"),
    Shape("JSON", json.dumps({"private_key": PKCS8.decode()}).encode(), "key-wrapped", "JSON"),
    Shape(
        "JSON, deeper",
        json.dumps({"data": {"data": {"pem": PKCS8.decode(), "kid": "k1"}}}).encode(),
        "key-wrapped",
        "JSON",
    ),
    Shape(
        "JSON with Base64",
        json.dumps({"SecretBinary": base64.b64encode(PKCS8).decode()}).encode(),
        "key-wrapped",
        "Base64",
    ),
    Shape(
        "JSON in JSON", json.dumps({"SecretString": json.dumps({"k": PKCS8.decode()})}).encode(), "key-wrapped", "JSON"
    ),
    Shape(
        "JSON with a certificate",
        json.dumps([PEM_CERTIFICATE.decode(), PKCS8.decode()]).encode(),
        "key-wrapped",
        "JSON",
    ),
    Shape("a string of JSON", json.dumps(PKCS8.decode()).encode(), "key-wrapped", "JSON"),
]

REFUSED = [
    Shape("nothing", b"", "key-not-pem", "empty"),
    Shape("whitespace", b" \n", "key-not-pem", "empty"),
    Shape("the secret", SECRET.encode(), "key-not-pem", "Messenger API Secret"),
    Shape("a word", b"hunter2", "key-not-pem", "Messenger API Secret"),
    Shape("a path", b"/run/secrets/private-key.pem", "value-path", "a path"),
    Shape("a path of Windows", rb"C:\keys\private-key.pem", "value-path", "a path"),
    Shape("the first line", LINES[0], "key-damaged", "first line"),
    Shape("the first line and \\", LINES[0] + b"\\", "key-damaged", "first line"),
    Shape("the first two lines", b"\n".join(LINES[:2]), "key-damaged", "truncated"),
    Shape("no first line", b"\n".join(LINES[1:]), "key-damaged", "-----BEGIN"),
    Shape("half of it", PKCS8[:800], "key-damaged", "truncated"),
    Shape("half of it, in DER", DER[:600], "key-damaged", "truncated"),
    Shape("a line lost", PKCS8.replace(LINES[9] + b"\n", b""), "key-damaged", "truncated"),
    Shape("no Base64", b"-----BEGIN PRIVATE KEY-----\n?!\n-----END PRIVATE KEY-----\n", "key-damaged", "damaged"),
    Shape("dots", b"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n", "key-damaged", "example"),
    Shape("brackets", b"-----BEGIN PRIVATE KEY-----\n<key>\n-----END PRIVATE KEY-----\n", "key-damaged", "example"),
    Shape("a letter changed", PKCS8.replace(LINES[9], LINES[9][::-1]), "key-damaged", "numbers"),
    Shape("another label", b"-----BEGIN RUBBISH-----\nAAAA\n-----END RUBBISH-----\n", "key-not-pem", "something else"),
    Shape("two keys", PKCS8 + pem_of(OTHER_KEY), "key-several", "2 private keys"),
    Shape(
        "two keys in JSON",
        json.dumps([PKCS8.decode(), pem_of(OTHER_KEY).decode()]).encode(),
        "key-several",
        "2 private",
    ),
    Shape("an RSA key and an EC key", PKCS8 + of(ec.generate_private_key(ec.SECP256R1())), "key-several", "2 private"),
    Shape("a certificate", PEM_CERTIFICATE, "key-public", "a certificate"),
    Shape("a certificate in DER", CERTIFICATE.public_bytes(Encoding.DER), "key-public", "a certificate"),
    Shape("Base64 of a certificate", base64.b64encode(PEM_CERTIFICATE), "key-public", "a certificate"),
    Shape(
        "a certificate labelled as key",
        PEM_CERTIFICATE.replace(b"CERTIFICATE", b"PRIVATE KEY"),
        "key-public",
        "a certificate",
    ),
    Shape("a public key", PUBLIC, "key-public", "a public key"),
    Shape(
        "a public key in DER",
        KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "key-public",
        "a public key",
    ),
    Shape(
        "a public key, PKCS#1", KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "key-public", "PKCS#1"
    ),
    Shape(
        "a public key of OpenSSH",
        KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "key-public",
        "OpenSSH",
    ),
    Shape("a JWK", json.dumps(JWK).encode(), "key-public", "JWK"),
    Shape("a JWKS", json.dumps({"keys": [JWK]}).encode(), "key-public", "JWK"),
    Shape("a private JWK", PRIVATE_JWK.encode(), "key-container", "joserfc"),
    Shape("OpenSSH's own format", OPENSSH, "key-container", "ssh-keygen"),
    Shape("OpenSSH's own format, labelled RSA", OPENSSH.replace(b"OPENSSH", b"RSA"), "key-container", "ssh-keygen"),
    Shape("Base64 of OpenSSH's own format", base64.b64encode(OPENSSH), "key-container", "ssh-keygen"),
    Shape("an EC key", of(ec.generate_private_key(ec.SECP256R1())), "key-not-rsa", "EC"),
    Shape(
        "an EC key, SEC 1",
        of(ec.generate_private_key(ec.SECP384R1()), PrivateFormat.TraditionalOpenSSL),
        "key-not-rsa",
        "EC",
    ),
    Shape("an EC key in DER", of(ec.generate_private_key(ec.SECP256R1()), encoding=Encoding.DER), "key-not-rsa", "EC"),
    Shape("an Ed25519 key", of(ed25519.Ed25519PrivateKey.generate()), "key-not-rsa", "Ed25519"),
    Shape(
        "an Ed25519 key in DER",
        of(ed25519.Ed25519PrivateKey.generate(), encoding=Encoding.DER),
        "key-not-rsa",
        "Ed25519",
    ),
    Shape("an Ed448 key", of(ed448.Ed448PrivateKey.generate()), "key-not-rsa", "Ed448"),
    Shape("an X25519 key", of(x25519.X25519PrivateKey.generate()), "key-not-rsa", "X25519"),
    Shape("an X448 key", of(x448.X448PrivateKey.generate()), "key-not-rsa", "X448"),
    Shape("a DSA key", of(dsa.generate_private_key(1024)), "key-not-rsa", "DSA"),
    Shape(
        "a DSA key, traditional",
        of(dsa.generate_private_key(1024), PrivateFormat.TraditionalOpenSSL),
        "key-not-rsa",
        "DSA",
    ),
    Shape("a short key", pem_of(throwaway_rsa_key(1024)), "key-weak", "1024 bits"),
    Shape(
        "an encrypted EC key",
        encrypted(ec.generate_private_key(ec.SECP256R1()), PASSWORD),
        "key-not-rsa",
        "is EC",
        PASSWORD,
    ),
    Shape("PuTTY", b"PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n", "key-container", "puttygen"),
    Shape("JKS", b"\xfe\xed\xfe\xed\0\0\0\2\0\0\0\1" + DER, "key-container", "keytool"),
    Shape("JCEKS", b"\xce\xce\xce\xce\0\0\0\2\0\0\0\1" + DER, "key-container", "keytool"),
    Shape("Base64 of JKS", base64.b64encode(b"\xfe\xed\xfe\xed\0\0\0\2\0\0\0\1" + DER), "key-container", "keytool"),
    Shape("PVK", b"\x1e\xf1\xb5\xb0" + bytes(60), "key-container", "PVK"),
    Shape(
        "XML of .NET", b"<RSAKeyValue><Modulus>AA==</Modulus><D>AA==</D></RSAKeyValue>", "key-container", "PowerShell"
    ),
    Shape("public XML of .NET", b"<RSAKeyValue><Modulus>AA==</Modulus></RSAKeyValue>", "key-public", ".NET"),
    Shape(
        "SSH2 of ssh.com",
        b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
        "key-container",
        "puttygen",
    ),
    Shape(
        "GnuPG",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY\n=aaaa\n-----END PGP PRIVATE KEY BLOCK-----\n",
        "key-container",
        "GnuPG",
    ),
    Shape(
        "GnuPG, public",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----\n",
        "key-public",
        "GnuPG",
    ),
    Shape(
        "encrypted by GnuPG",
        b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n",
        "key-not-pem",
        "gpg -d",
    ),
    Shape(
        "parameters of EC",
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
        "key-not-pem",
        "parameters",
    ),
    Shape("openssl enc", b"Salted__" + bytes(30), "key-not-pem", "openssl enc"),
    Shape("Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "key-not-pem", "git lfs pull"),
    Shape("ZIP", b"PK\x03\x04" + bytes(30), "key-not-pem", "unzip"),
    Shape("gzip", b"\x1f\x8b\x08" + bytes(30), "key-not-pem", "gunzip"),
    Shape("xz", b"\xfd7zXZ\0" + bytes(30), "key-not-pem", "archive"),
    Shape("a modulus", b"Modulus=C0FFEE", "key-not-pem", "listing"),
    Shape("more than two primes", MORE_PRIMES, "key-weak", "two primes"),
    Shape("a listing by openssl", b"Private-Key: (2048 bit, 2 primes)\nmodulus:\n    00:\n", "key-not-pem", "listing"),
    Shape("only Bag Attributes", BAG, "key-not-pem", "pkcs12"),
    Shape("a manifest of Kubernetes", b"apiVersion: v1\nkind: Secret\ndata:\n  key: TUlJ\n", "key-not-pem", "kubectl"),
    Shape("Ansible Vault", b"$ANSIBLE_VAULT;1.1;AES256\n6162", "value-reference", "encrypted"),
    Shape("SOPS", b"ENC[AES256_GCM,data:abc,iv:abc,tag:abc,type:str]", "value-reference", "encrypted"),
    Shape("${…}", b"${SALESFORCE_PRIVATE_KEY}", "value-reference", "reference"),
    Shape(
        "Azure Key Vault",
        b"@Microsoft.KeyVault(SecretUri=https://v.example/secrets/k/)",
        "value-reference",
        "reference",
    ),
    Shape(
        "an ARN", b"arn:aws:secretsmanager:eu-central-1:123456789012:secret:k-AbCdEf", "value-reference", "reference"
    ),
    Shape("1Password", b"op://vault/item/private key", "value-reference", "reference"),
    Shape("a page of a sign-in", b"<!DOCTYPE html><html><title>Sign in</title>", "value-document", "page"),
    Shape("JSON without a key", b'{"error": "access denied"}', "value-document", "JSON"),
    Shape("a command that failed", b"bash: vault: command not found", "value-document", "failed"),
    Shape("a JWT", b"eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9." + b"A" * 43, "value-credential", "JWT"),
    Shape("masked", b"*" * 20, "value-masked", "masked"),
    Shape("a placeholder", b"<your private key>", "value-masked", "placeholder"),
    Shape("no password", ENCRYPTED, "key-password-missing", "openssl pkey"),
    Shape("no password, PKCS#1", ENCRYPTED_PKCS1, "key-password-missing", "SALESFORCE_PRIVATE_KEY_PASSWORD"),
    Shape("no password, PKCS#12", P12, "key-password-missing", "openssl pkcs12"),
    Shape("an empty password", ENCRYPTED, "key-password-missing", "is empty", b"\n"),
    Shape("a wrong password", ENCRYPTED, "key-password-wrong", "password is wrong", b"hunter22"),
    Shape("a password that nothing resolved", ENCRYPTED, "value-reference", "reference", b"${PASSWORD}"),
    Shape("a password that nothing resolved, PKCS#12", P12, "value-reference", "reference", b"${PASSWORD}"),
    Shape("a path in place of a password", ENCRYPTED, "value-path", "a path", b"/run/secrets/password"),
    Shape("a password in UTF-16", ENCRYPTED, "value-encoding", "UTF-16", PASSWORD.decode().encode("utf-16")),
    Shape("a password behind a mark", ENCRYPTED, "value-encoding", "byte order mark", b"\xef\xbb\xbf" + PASSWORD),
    Shape("a wrong password, PKCS#1", ENCRYPTED_PKCS1, "key-password-wrong", "password is wrong", b"hunter22"),
    Shape("a wrong password, PKCS#12", P12, "key-password-wrong", "password is wrong", b"hunter22"),
    Shape("a password for a key without one", PKCS8, "key-password-unneeded", "not encrypted", PASSWORD),
    Shape("an empty password for a key without one", PKCS8, "key-password-unneeded", "not encrypted", b""),
    Shape("PKCS#12 without a key", P12_WITHOUT_KEY, "key-public", "no private key", PASSWORD),
    Shape("a large file", b"A" * 1_000_001, "key-not-pem", "no format"),
]

SHAPES = [*SILENT, *WARNED, *REFUSED]


@dataclass(frozen=True)
class Value:
    """A value in the place of a secret or a name: the code of what is said, and whether that is an error."""

    place: str
    name: str
    value: str = field(repr=False)
    code: str
    level: str = "error"

    def __str__(self) -> str:
        return f"{self.place}: {self.name}"


UUID = "1b2c3d4e-0000-4000-8000-0123456789ab"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9." + "A" * 43
ACCESS_TOKEN = base64.b64encode(b"tok:00000000_0000_0000_0000_000000000000:1:0").decode()

REFERENCES = {
    "a shell": "${INTERCOM_MESSENGER_SECRET}",
    "a shell without brackets": "$INTERCOM_MESSENGER_SECRET",
    "a command": "$(op read op://vault/item)",
    "GitHub Actions": "${{ secrets.INTERCOM_MESSENGER_SECRET }}",
    "a template": "{{ intercom_messenger_secret }}",
    "Windows": "%INTERCOM_MESSENGER_SECRET%",
    "Octopus": "#{IntercomMessengerSecret}",
    "Concourse": "((intercom-messenger-secret))",
    "ERB": "<%= ENV['INTERCOM_MESSENGER_SECRET'] %>",
    "tokens in place": "__INTERCOM_MESSENGER_SECRET__",
    "Azure Key Vault": "@Microsoft.KeyVault(VaultName=v;SecretName=intercom)",
    "Azure Key Vault, a URL": "https://v.vault.azure.net/secrets/intercom/0123",
    "an ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:intercom-AbCdEf",
    "Google Secret Manager": "projects/1/secrets/intercom/versions/latest",
    "1Password": "op://vault/item/credential",
    "Vault": "vault:secret/data/intercom#secret",
    "vals": "ref+vault://secret/intercom#/secret",
    "CloudFormation": "!Ref IntercomMessengerSecret",
    "Node": "process.env.INTERCOM_MESSENGER_SECRET",
    "Python": "os.environ['INTERCOM_MESSENGER_SECRET']",
    "the name of a variable of ours": "SALESFORCE_PRIVATE_KEY_FILE",
    "Caddy": "{env.INTERCOM_MESSENGER_SECRET}",
    "Maven": "@intercom.messenger.secret@".replace("intercom", "Intercom"),
    "Laravel": "env('INTERCOM_MESSENGER_SECRET')",
    "SOPS": "ENC[AES256_GCM,data:abcdef,iv:abcdef,tag:abcdef,type:str]",
    "Spring Cloud": "{cipher}0123456789abcdef0123456789abcdef",
    "Vault transit": "vault:v1:0123456789abcdef0123456789abcdef",
}

PERHAPS = {"the name of a variable": "INTERCOM_SECRET", "env:": "env:SECRET", "a mount of Vault": "vault:fin"}

OF_ANYTHING = {
    "the end of it behind bullets": ("•" * 30 + "Z012", "value-masked"),
    "JSON": (json.dumps({"value": "x"}), "value-document"),
    "a page": ("<!DOCTYPE html><html><head></head></html>", "value-document"),
    "an error": ("An error occurred (AccessDeniedException): no", "value-document"),
    "a line": ("SOME_NAME=value-of-some-length", "value-assignment"),
    "an exported line": ('export SOME_NAME="value"', "value-assignment"),
    "a line of YAML": ("intercom_secret: value-of-some-length", "value-assignment"),
    "asterisks": ("*" * 40, "value-masked"),
    "bullets": ("•" * 20, "value-masked"),
    "[REDACTED]": ("[REDACTED]", "value-masked"),
    "an example": ("<the value of production>", "value-masked"),
    "a line end": ("value-of-some-length-and-more-of-it\\n", "value-escaped"),
    "a JWT": (TOKEN, "value-credential"),
    "a path": ("/run/secrets/some_value", "value-path"),
    "a file": ("./secrets/some-value.txt", "value-path"),
    "a path of Windows": (r"C:\secrets\some_value", "value-path"),
    "typographic quotes": ("“value-of-some-length”", "value-wrapped"),
    "a newline": ("value-of-some-length-\nand-more-of-it", "value-control"),
    "an invisible character": ("value-of-some-length-\u200band-more-of-it", "value-control"),
    "a byte order mark": ("\ufeffvalue-of-some-length-and-more-of-it", "value-encoding"),
    "a key in Base64": (base64.b64encode(DER).decode(), "value-credential"),
    "a certificate": (PEM_CERTIFICATE.decode(), "value-credential"),
}

ENVIRON_SECRET = throwaway_secret()
PLACES = ("secret", "kid", "issuer", "audience", "app-id")
VALUES = [
    *(
        Value(place, name, value, "value-reference", "error" if place == "secret" or name not in PERHAPS else "warning")
        for place in PLACES
        for name, value in (REFERENCES | PERHAPS).items()
    ),
    *(
        Value(place, name, value, "secret-pem" if (place, name) == ("secret", "a certificate") else code)
        for place in PLACES
        for name, (value, code) in OF_ANYTHING.items()
    ),
    Value("secret", "words of an example", "your-secret-key", "value-masked"),
    Value("secret", "the words of an article", "your-intercom-messenger-api-secret-here", "value-masked"),
    *(Value(place, "a comment", f"{SECRET} # of production", "value-comment", "warning") for place in PLACES[:2]),
    Value("issuer", "a comment", "https://acme.example # of production", "value-comment", "warning"),
    Value("app-id", "a comment", "abc12345 # of production", "value-comment", "warning"),
    Value("secret", "spaces", "correct horse battery staple and another", "value-space", "warning"),
    Value("kid", "spaces", "key 1", "value-space", "warning"),
    Value(
        "secret",
        "Base64 of the secret",
        base64.b64encode(f"s3cr3t-{UUID}".encode()).decode(),
        "secret-base64",
        "warning",
    ),
    Value("secret", "hexadecimal of the secret", SECRET.encode().hex(), "secret-base64", "warning"),
    Value("secret", "percent-encoded", "q83vEjRWeJCrze8SNFZ4kKvN7xI0Vni%2BeJCr%3D", "value-escaped", "warning"),
    Value("secret", "an access token with its word", f"Bearer {ACCESS_TOKEN}", "secret-other", "warning"),
    Value("secret", "another reference", "awsssm://intercom/messenger-secret", "value-reference"),
    *(Value(place, "None", "None", "value-masked") for place in PLACES[1:]),
    *(Value(place, "undefined", "undefined", "value-masked") for place in PLACES[1:]),
    *(Value(place, "the secret", ENVIRON_SECRET, "value-credential") for place in PLACES[1:]),
    Value("secret", "an access token", ACCESS_TOKEN, "secret-other", "warning"),
    Value(
        "secret", "a key of the iOS SDK", "ios_sdk-0123456789abcdef0123456789abcdef01234567", "secret-other", "warning"
    ),
    Value(
        "secret",
        "a key of the Android SDK",
        "android_sdk-0123456789abcdef0123456789abcdef0123",
        "secret-other",
        "warning",
    ),
    Value("secret", "a client secret", UUID, "secret-other", "warning"),
    Value("app-id", "a key of the iOS SDK", "ios_sdk-0123456789abcdef0123456789abcdef01234567", "value-credential"),
    Value("app-id", "a secret", SECRET, "value-credential"),
    Value("kid", "an access token", ACCESS_TOKEN, "value-credential"),
    Value("app-id", "the workspace's URL", "https://app.intercom.com/a/apps/abc12345", "app-id-url", "warning"),
    Value("app-id", "a host", "widget.intercom.io", "app-id-url", "warning"),
]

RIGHT_VALUES = {
    "secret": [
        SECRET,
        "0123456789abcdef" * 4,
        "Kq7abcdefGHIJKL0123456789_-mnopqrstuvWXYZ012",
        "x" * 32,
        "a" * 26 + "01pin==",
    ],
    "kid": [
        "k1",
        "key-2026-11",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "arn:aws:kms:eu-central-1:1:key/0123",
        "arn:aws:acm:eu-central-1:1:certificate/0123",
        "FIN_KEY:1",
        "k:1/a~b@c.d",
        "(1)",
        "https://acme.example/keys/1",
        UUID,
        "a" * 64,
    ],
    "issuer": [
        "https://acme.example",
        "https://acme.example/",
        "acme",
        "Acme Inc. of Berlin",
        "https://acme.example/a b",
        "Error Tracking GmbH",
        "Usage, Inc. #2",
        "SH Finance (Prod)",
        "株式会社",
        "CN=acme, O=Acme",
        "urn:acme:fin",
        "Your Company",
        "Permission Denied Records",
    ],
    "audience": [
        "https://acme.my.salesforce-scrt.com",
        "https://your-salesforce-subdomain-here.my.salesforce-scrt.com",
    ],
    "app-id": ["abc12345", "a1b2c3d4", "throwaway"],
}
