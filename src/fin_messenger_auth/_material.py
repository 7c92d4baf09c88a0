"""Recognises a key, a certificate or a configured value by its content, names it, and says how to convert it.

One table for keys, secrets, PINs, certificates, uploads and names. A format is told by the bytes that it begins with,
by its PEM label or by the outline of its DER; no parser is tried to see whether it fails. Good material in an unusual
wrapping is taken out of it. Functions that hold a key are decorated with ``@masked``.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64, unhexlify
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Final, NamedTuple

from ._json_values import LOST, parse_json
from .errors import ConfigurationError, InvalidKeyError, warn

_LONGEST = 1_000_000  # bytes that are looked at: keys, certificates and key stores are shorter
_LAYERS = 4  # wrappings around one another that are taken off
_SEQUENCE, _OCTETS, _LONG = 0x30, 0x04, 0x80  # of DER: a tag, and the mark of a length in several bytes (X.690 §8.1.3)
_SHORTEST_TEXT = 12  # characters
_AROUND = " \t\r\n\"'`\u2018\u2019\u201c\u201d\ufeff"  # quotes and whitespace, which belong to no value

HOLDS_PRIVATE, HOLDS_CERTIFICATE, HOLDS_PUBLIC = "private key", "certificate", "public key"


class Kind(NamedTuple):
    """What a value is."""

    name: str  # as the end of a sentence that begins with "The private key is"
    fix: str  # where a private key was expected; of a configured value, whatever was expected
    code: str = "key-not-pem"
    certificate: str = ""  # the fix where a certificate was expected
    holds: str = ""
    labels: tuple[bytes, ...] = ()  # of PEM (RFC 7468)


@dataclass(frozen=True, slots=True, repr=False)
class Thing:
    """A key, a certificate or a container that was found in a value, and what is wrong with its wrapping."""

    kind: Kind
    data: bytes  # DER, or the file as it is; PEM where that is encrypted (RFC 1421 §4.6)
    mistakes: tuple[str, ...] = ()


class _Text(NamedTuple):
    """A row of a table of texts: one that begins with the pattern is of the kind, in these places."""

    pattern: str
    kind: Kind
    places: str = ""  # where it is wrong as a configured value; everywhere if empty
    marks: str = ""  # characters of which it has one, if not empty: most patterns need not be compiled at a start

    def matches(self, text: str) -> bool:
        """Tell whether a text begins with the pattern."""
        return (not self.marks or any(map(text.__contains__, self.marks))) and bool(
            re.match(self.pattern, text, re.DOTALL)
        )


_WHOLE = "Give the file itself, which begins with -----BEGIN PRIVATE KEY-----."
_NEW_KEY = "Make a key with `fin-messenger-auth keygen DIRECTORY`."
_KEYTOOL = "Convert it: keytool -importkeystore -srckeystore FILE -destkeystore key.p12 -deststoretype PKCS12"
_EXPORT = "Take the certificate out: keytool -exportcert -rfc -alias ALIAS -keystore FILE"
_OPENSSL = "Convert it: openssl {} -in FILE -out private-key.pem"
_POWERSHELL = (
    "Convert it in PowerShell 7: $k = [Security.Cryptography.RSA]::Create(); $k.FromXmlString((Get-Content -Raw FILE));"
    " $k.ExportPkcs8PrivateKeyPem() > private-key.pem"
)
_JOSERFC = (
    "Convert it: python -c 'import json, sys; from joserfc.jwk import RSAKey; "
    "print(RSAKey.import_key(json.load(sys.stdin)).as_pem(private=True).decode())' < FILE > private-key.pem"
)
_KUBECTL = "Take the value out: kubectl get secret NAME -o jsonpath='{.data.KEY}' | base64 -d"
_PUTTYGEN = "Convert it: puttygen FILE -O private-openssh -o private-key.pem"


def _private(name: str, fix: str, *labels: bytes, code: str = "key-container", certificate: str = "") -> Kind:
    return Kind(name, fix, code, certificate, HOLDS_PRIVATE, labels)


def _no_rsa(name: str, *labels: bytes) -> Kind:
    return _private(name, f"Salesforce accepts RSA keys only. {_NEW_KEY}", *labels, code="key-not-rsa")


def _public(name: str, holds: str, *labels: bytes, certificate: str = "") -> Kind:
    return Kind(name, "Use the private key that belongs to it.", "key-public", certificate, holds, labels)


def _left_over(name: str, fix: str = "Copy the whole file again.") -> Kind:
    return Kind(name, fix, "key-damaged", fix, HOLDS_PRIVATE)


PKCS8: Final = _private("a private key (PKCS#8)", "", b"PRIVATE KEY")
PKCS1: Final = _private("an RSA private key (PKCS#1)", "", b"RSA PRIVATE KEY")
ENCRYPTED: Final = _private("an encrypted private key (PKCS#8)", "", b"ENCRYPTED PRIVATE KEY")
ENCRYPTED_PEM: Final = _private("an encrypted private key (PKCS#1)", "", b"RSA PRIVATE KEY")
PKCS12: Final = _private(
    "a PKCS#12 file (.p12, .pfx)",
    _OPENSSL.format("pkcs12 -nodes -nocerts"),
    certificate="Take the certificate out: openssl pkcs12 -in FILE -clcerts -nokeys -out certificate.pem",
)
CERTIFICATE: Final = _public(
    "a certificate", HOLDS_CERTIFICATE, b"CERTIFICATE", b"X509 CERTIFICATE", b"X.509 CERTIFICATE"
)
PUBLIC: Final = _public("a public key", HOLDS_PUBLIC, b"PUBLIC KEY")
PUBLIC_PKCS1: Final = _public("a public key (PKCS#1)", HOLDS_PUBLIC, b"RSA PUBLIC KEY")

READABLE: Final = (PKCS8, PKCS1, ENCRYPTED, ENCRYPTED_PEM, PKCS12)
"""Private keys that cryptography reads."""

_TRUSTED = _public(
    "a certificate in OpenSSL's own form (TRUSTED CERTIFICATE)",
    HOLDS_CERTIFICATE,
    b"TRUSTED CERTIFICATE",
    certificate="Convert it: openssl x509 -in FILE -out certificate.pem",
)
_PKCS7 = _public(
    "a PKCS#7 file (.p7b), which has no private key",
    HOLDS_CERTIFICATE,
    *(b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"),
    certificate="Take the certificate out: openssl pkcs7 -print_certs -in FILE -out certificate.pem (with -inform DER "
    "if the file is binary)",
)
_REQUEST = _public("a certificate request (CSR)", HOLDS_PUBLIC, b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")
_REVOKED = _public("a list of revoked certificates (CRL)", HOLDS_CERTIFICATE, b"X509 CRL")
_EC = _no_rsa("an EC key", b"EC PRIVATE KEY")
_DSA = _no_rsa("a DSA key", b"DSA PRIVATE KEY")
_OPENSSH = _private(
    "a key in OpenSSH's own format", "Convert a copy: ssh-keygen -p -m PKCS8 -f COPY", b"OPENSSH PRIVATE KEY"
)
_GNUPG = _private("a secret key of GnuPG", _NEW_KEY)
_SSH2 = _private("a key of ssh.com (SSH2)", _PUTTYGEN)
_OTHER = Kind("something else in DER or PEM", f"Expected an RSA private key. {_NEW_KEY}")

_UNKNOWN = Kind(
    "in no format that this library reads; it may be the Messenger API Secret, a password or an ID",
    "Set the variable to the content of the file that begins with -----BEGIN PRIVATE KEY-----.",
)
_FIRST_LINE = _left_over(
    "cut off after its first line, as `docker --env-file` and other readers of .env files do",
    "Write it as one line, with \\n in place of each newline, or name its file in the variable that ends in _FILE.",
)
_TRUNCATED = _left_over("truncated: its end is missing")
_DAMAGED = _left_over("damaged: its Base64 cannot be decoded")
_EXAMPLE = _left_over("an example: dots or brackets stand in place of its Base64", f"Use your own. {_NEW_KEY}")

# Formats by the outline of their DER: tags in hexadecimal, those of an inner sequence in brackets.
_OUTLINES: tuple[tuple[str, Kind], ...] = (
    (r"02 30\(06.*?\) 04.*", PKCS8),  # RFC 5958 §2
    (r"02( 02){8}.*", PKCS1),  # RFC 8017 §A.1.2
    (r"30\(06.*?\) 04", ENCRYPTED),  # RFC 5958 §3
    (r"02 30\(06 a0\).*", PKCS12),  # RFC 7292 §4
    (r"30\((a0 )?02 30 30 30 30 30.*?\) 30\(06.*?\) 03", CERTIFICATE),  # RFC 5280 §4.1
    (r"30\(06.*?\) 03", PUBLIC),  # RFC 5280 §4.1.2.7
    (r"02 02", PUBLIC_PKCS1),  # RFC 8017 §A.1.1
    (r"02 04.*", _EC),  # RFC 5915 §3
    (r"02( 02){5}", _DSA),
    (r"30\(02 30 30.*?\) 30\(06.*?\) 03", _REQUEST),  # RFC 2986 §4
    (r"30\((02 )?30 30 1[78].*", _REVOKED),  # RFC 5280 §5.1
    (r"06 a0", _PKCS7),  # RFC 5652 §3
    (r".*", _OTHER),
)

# Binary formats, by the bytes that they begin with.
_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (rb"\xfe\xed\xfe\xed", _private("a Java key store (JKS)", _KEYTOOL, certificate=_EXPORT)),
    (
        rb"\xce\xce\xce\xce",
        _private("a Java key store (JCEKS)", f"{_KEYTOOL} -srcstoretype JCEKS", certificate=_EXPORT),
    ),
    (rb"openssh-key-v1\0", _OPENSSH),
    (rb"\x3f\x6f\xf9\xeb", _SSH2),
    (rb"\x1e\xf1\xb5\xb0", _private("a private key of Microsoft's (PVK)", _OPENSSL.format("rsa -inform PVK"))),
    (rb"\0\0\0[\x07\x0b\x13](?:ssh-|ecdsa-)", _public("a public key of OpenSSH", HOLDS_PUBLIC)),
    (rb"(?:\x95..|\x94.)\x04.{4}[\x01\x11\x13\x16]", _GNUPG),
    (rb"(?:\x99..|\x98.)\x04.{4}[\x01\x11\x13\x16]", _public("a public key of GnuPG", HOLDS_PUBLIC)),
    (rb"Salted__", Kind("encrypted by `openssl enc`", "Decrypt it: openssl enc -d -CIPHER -in FILE -out COPY")),
    (rb"PK\x03\x04", Kind("a ZIP archive", "Unpack it: unzip FILE")),
    (rb"\x1f\x8b\x08", Kind("compressed by gzip", "Unpack it: gunzip FILE")),
    (rb"BZh[1-9]|\xfd7zXZ\0|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", Kind("an archive", "Unpack it first.")),
)

# PEM documents whose content is not DER, by how their label begins and ends.
_LABELS: tuple[tuple[bytes, bytes, Kind], ...] = (
    (b"PGP PRIVATE KEY BLOCK", b"", _GNUPG),
    (b"PGP PUBLIC KEY BLOCK", b"", _public("a public key of GnuPG", HOLDS_PUBLIC)),
    (b"PGP ", b"", Kind("encrypted or signed by GnuPG", "Decrypt it: gpg -d FILE > private-key.pem")),
    (b"SSH2 PUBLIC KEY", b"", _public("a public key of ssh.com (SSH2)", HOLDS_PUBLIC)),
    (b"SSH2 ", b"", _SSH2),
    (b"", b" PARAMETERS", Kind("the parameters of a key, without the key", f"Copy the whole file. {_NEW_KEY}")),
)
_OF_LABELS = (CERTIFICATE, _TRUSTED, _PKCS7, PUBLIC, PUBLIC_PKCS1, _REQUEST, _REVOKED, _EC, _DSA, _OPENSSH)

_FIXES = {
    "value-assignment": "Leave out the name in front of it.",
    "value-comment": "Remove it: it counts as part of the value.",
    "value-credential": "Set the value that the variable's name asks for.",
    "value-document": "Set only the value itself.",
    "value-escaped": "Write it as it is, decoded and without \\n at its end.",
    "value-masked": "Put your own value in its place.",
    "value-path": "Set the content itself, or name the file in the variable that ends in _FILE.",
    "value-reference": "Set the value itself, or have it resolved before the process starts.",
    "value-space": "Remove the spaces, unless they belong to it.",
    "app-id-url": "Set the ID alone: it is the part after /apps/ in the workspace's URL.",
    "value-encoding": "Save it as UTF-8 without a byte order mark; in PowerShell 5: … | Out-File -Encoding ascii FILE",
    "secret-base64": "Compare it with the one in Intercom: Settings > Messenger > Security.",
    "secret-other": "Copy the Messenger API Secret from Intercom: Settings > Messenger > Security.",
}


def _value(name: str, code: str) -> Kind:
    return Kind(name, _FIXES[code], code)


_UNRESOLVED = _value("a reference that nothing has resolved", "value-reference")
_SECRETS, _IDS = "secret pin", "kid issuer audience app-id key-name"
_VALUES = f"{_SECRETS} {_IDS}"
_ANYWHERE = f"key path {_VALUES}"

_TEMPLATE = (
    r"\$\{|\$\(.*\)$|\$[A-Z][A-Z0-9_]{2,}$|%[A-Z][A-Z0-9_]+%$|\{\{.*\}\}$|\(\(.*\)\)$|#\{.*\}#?$|<%.*%>$|__[A-Z0-9_]+__$"
    r"|\{[A-Za-z$][\w.:$-]*\}$|@+[A-Z][\w.]+@+$|@Microsoft\.KeyVault\(|!(Ref|Sub|GetAtt|ImportValue|vault|secret|env)\b"
    r"|(INTERCOM_(APP_ID|MESSENGER_SECRET)|SALESFORCE_(KEY_ID|ISSUER|AUDIENCE|PRIVATE_KEY))(_FILE)?$"
)
_ADDRESS = (
    r"arn:aws[\w-]*:(secretsmanager|ssm):|projects/[^/]+/secrets/|https://[\w-]+\.vault\.azure\.net/secrets/"
    r"|vault:(secrets?|kv)/|vault:\S+\#\S|ssm:/\S|(?i:resolve|secretsmanager):\S|(valueFrom|secretKeyRef):"
    r"|(?i:op|ref\+\w+|secrets?|ssm|sm|gc?psm|asm|awssm|akvs?|keyvault|azurekeyvault|berglas|bws|doppler|infisical|keeper"
    r"|lastpass|chamber|k8s|env|sops|vault)://|(process\.env|os\.(environ|getenv)|ENV|getenv)[.\[(]|env[(\[]"
)
_PERHAPS_REFERENCE = r"(INTERCOM|SALESFORCE)_[A-Z0-9_]+$|env:[A-Z_]+$|(secrets|vars)\.\w+$|(?i:vault|ssm):\S"
_ENCRYPTED = r"ENC[\[(]|\{cipher\}|vault:v\d+:|\$ANSIBLE_VAULT;|AQICAH[A-Za-z0-9+/]|U2FsdGVkX1|age1\w"
_ASSIGNMENT = (
    r"(export |set |ENV |-e |--env )?[\"']?(\$env:)?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+[\"']?(\s*=\s*[^\s=]|\s*:\s+\S)"
    r"|(?i:[\"']?[\w.-]*(secret|token|password|key_?id|kid|issuer|audience|app_?id|pin)[\"']?\s*(=|:\s)\s*[^\s=])"
)
_LOST = f"(?i:{'|'.join(map(re.escape, LOST))})$"
_MASKED = r"[*•●·∙█▪…]+$|.*[*•●·∙█▪]{4}|(?i:\W?(redacted|masked)\W?$|\W(filtered|hidden|removed|sensitive value)\W$)"
_PLACEHOLDER = r"<[^<>]*>$|\[[^\[\]\"']*\]$|\.{3}$"
_EXAMPLE_WORDS = (
    r"(?i:(todo|tbd|fixme|changeme)$|your[-_ ]\S*[-_ ]here$"
    r"|(your|insert|enter|paste|put|add|replace|change)[-_ ]?(your|the|me|here|this|it|in|own|secret|key)\b)"
)
_PATH = (
    r"(?:~|\.{1,2})/\S|/(?:run|etc|var|mnt|home|vault|secrets?|opt|tmp|usr|srv|root|Users|private|certs?|keys?|app)/\S"
    r"|[A-Za-z]:\\\S|\\\\\w|file:/|(?:[~\w.-]*/)+[\w.-]+\.(?:pem|key|txt|json|crt|cer|p12|pfx|jwk|env)$"
)
_FAILED = r"(?i:(error|fatal|usage|(ba|z)?sh): \S|an error occurred|(access ?denied|permission denied)[.:]?( |$)(?!\w))"
_CREDENTIAL = (
    r"(?:Bearer )?dG9r[A-Za-z0-9+/_=-]{20,}$|(ios|android)_sdk-\w+$|[sr]k_(live|test)_\w+$|gh[pousr]_\w+$|xox[abprs]-"
    r"|AKIA[A-Z0-9]{16}$|AIza[\w-]{30,}$|ya29\.|hvs\.\w|00D\w{12,15}!|3MVG9\S{40,}$"
)

# Texts by how they begin, asked for in this order.
_TEXTS: tuple[_Text, ...] = (
    _Text(r".*-----END [A-Z ]*PRIVATE KEY-", _left_over("truncated: its -----BEGIN line is missing"), "key", "-"),
    _Text(r"PuTTY-User-Key-File-", _private("a key of PuTTY (.ppk)", _PUTTYGEN)),
    _Text(r"(ssh-|ecdsa-|sk-)[\w@.-]+ +AAAA", _public("a public key of OpenSSH", HOLDS_PUBLIC), "", " "),
    _Text(r"<RSAKeyValue>.*<D>", _private("a private key of .NET in XML", _POWERSHELL), "", "<"),
    _Text(r"<RSAKeyValue>", _public("a public key of .NET in XML", HOLDS_PUBLIC), "", "<"),
    _Text(r'\{(?=.*"kty"\s*:).*"d"\s*:\s*"[\w-]{20}', _private("a private JWK", _JOSERFC), "", "{"),
    _Text(r'\{.*"(kty|keys)"\s*:', _public("a JWK or JWKS, which is public", HOLDS_PUBLIC), "", "{"),
    _Text(
        r"(RSA )?(Private|Public)-Key: \(|Modulus=|\w+ Fingerprint=|\s*0:d=0 ",
        Kind("a listing by `openssl`", _WHOLE),
        "",
        "(=",
    ),
    _Text(r"Bag Attributes", Kind("a listing by `openssl pkcs12` without the key", PKCS12.fix)),
    _Text(r"version https://git-lfs", Kind("a pointer of Git LFS, not the file", "Fetch the file: git lfs pull")),
    _Text(r"(---\s+)?apiVersion:", Kind("a manifest of Kubernetes", _KUBECTL), "", ":"),
    _Text(_ENCRYPTED, _value("encrypted by a tool that keeps secrets", "value-reference")),
    _Text(_TEMPLATE, _UNRESOLVED, _ANYWHERE, "$%{(#<_@!"),
    _Text(_ADDRESS, _UNRESOLVED, _ANYWHERE, ":/.[("),
    _Text(
        r"MII[\w+/]{60}|LS0tLS1CRUdJTi|-{4,5} ?BEGIN ", _value("a key or a certificate", "value-credential"), _VALUES
    ),
    _Text(r"eyJ[\w-]{8,}(\.[\w-]*){2,4}$", _value("a JWT", "value-credential"), "", "."),
    _Text(_CREDENTIAL, _value("the credential of another service", "value-credential"), _IDS),
    _Text(
        r"(?i:<(!doctype|html|head|body|\?xml|error)\b)",
        _value("a page, perhaps of a sign-in", "value-document"),
        "",
        "<",
    ),
    _Text(r"\{.*[:\"'].*\}$|\[.*[\"'].*\]$", _value("JSON, perhaps of a secret manager", "value-document"), "", "{["),
    _Text(_FAILED, _value("the message of a command that failed", "value-document")),
    _Text(_ASSIGNMENT, _value("a whole line NAME=value", "value-assignment"), "", "=:"),
    _Text(_LOST, _value("a missing value that was converted to text", "value-masked"), _IDS),
    _Text(r"(?i:[a-z][a-z0-9+.-]+://|arn:)", _value("a URL, or a reference", "value-reference"), _SECRETS, ":"),
    _Text(_MASKED, _value("masked: it consists of asterisks or a word such as REDACTED", "value-masked")),
    _Text(_PLACEHOLDER, _value("a placeholder", "value-masked"), "", "<[."),
    _Text(_EXAMPLE_WORDS, _value("a placeholder", "value-masked"), "secret"),
    _Text(_PERHAPS_REFERENCE, _UNRESOLVED, "key path secret", "_:."),
    _Text(_PATH, _value("a path", "value-path"), f"key {_VALUES}", "/\\"),
    _Text(r".*\\[nrt]$", _value("followed by a newline that is written out (\\n)", "value-escaped"), "", "\\"),
    _Text(
        r"[\w+/=-]{32,}$", _value("as long as a secret, and every page shows the app ID", "value-credential"), "app-id"
    ),
)

_ENCODED = _Text(
    r"\ufeff|.*\0", _value("in UTF-16 or begins with a byte order mark, as PowerShell writes it", "value-encoding")
)
_BASE64_TEXT = _Text(
    r"[\w+/-]{16,}={0,2}$",
    _value(
        "Base64 or hexadecimal of a text: perhaps it was encoded twice, as in a Secret of Kubernetes", "secret-base64"
    ),
    "secret",
)

# Texts that are perhaps meant.
_DOUBTFUL: tuple[_Text, ...] = (
    _Text(_CREDENTIAL, _value("another credential, by its form", "secret-other"), "secret"),
    _Text(_PERHAPS_REFERENCE, _value("perhaps a reference that nothing has resolved", "value-reference"), _IDS, "_:."),
    _Text(r".*\s#(?!\d+$)", _value("followed by a comment (#)", "value-comment"), _VALUES, "#"),
    _Text(r"[^\s%]*%(2B|2F|3D)", _value("percent-encoded, perhaps (%)", "value-escaped"), "secret kid", "%"),
    _Text(r"\S+ +\S", _value("of several words", "value-space"), "secret kid app-id", " "),
    _Text(r"https?://|.*[/.]", _value("a URL, or part of one", "app-id-url"), "app-id", "/."),
    _Text(
        r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$",
        _value("a UUID, as the client secrets of Intercom's Developer Hub are", "secret-other"),
        "secret",
        "-",
    ),
    _BASE64_TEXT,
)

RSA_PSS: Final = "1.2.840.113549.1.1.10"  # the OID in a certificate whose key is for RSA-PSS only
_ALGORITHMS = {  # by their OID (RFC 8017 §C, RFC 5480, RFC 8410)
    "2a864886f70d010101": "RSA",
    "2a864886f70d01010a": "RSA-PSS",
    "2a8648ce3d0201": "EC",
    "2b656e": "X25519",
    "2b656f": "X448",
    "2b6570": "Ed25519",
    "2b6571": "Ed448",
    "2a8648ce380401": "DSA",
    "2a864886f70d010301": "DH",
}

_BLOCK = re.compile(
    rb"-{4,5} ?BEGIN ([A-Z0-9. #]+?) ?-{4,5}"
    rb"([^-]*(?:-(?!---)[^-]*)*)"
    rb"(?:-{4,5} ?END ([A-Z0-9. #]*?) ?-{4,5})?",
    re.IGNORECASE,
)
_HEADERS = re.compile(rb"\A(?:(?:\s|\\{1,8}[nr])*(?:[A-Za-z-]+: [^\r\n\\]*(?:[\r\n]|\\{1,8}[nr])+)+)?")
_DASHES = rb"(?:-|\xe2\x80[\x90-\x95]|\xe2\x88\x92)+"
_ARMOUR = _DASHES + rb" ?((?:BEGIN|END) [A-Z0-9. #]+?) ?" + _DASHES
_DEK = re.compile(rb"DEK-Info: ?([A-Z0-9-]+),((?:[0-9A-Fa-f]{16}){1,2})")
_LINE_ENDS = rb"(?:\s|\\{1,8}(?:[nrt]|u000[aAdD]|x0[aAdD]|01[25])|%0[aAdD])+"
_ESCAPED_OTHERWISE = rb"\\\\[nr]|\\(?:u00|x0|01)|%0[aAdD]"
_ELLIPSIS = rb"\.{3}|\xe2\x80\xa6|[<\[*]|(?i:your|redacted)"
_TEXT_OF_BASE64 = rb"(?:data:[\w/.;+-]*,|base64:)?([A-Za-z0-9+/_-]{48,}={0,2})"


def things_in(value: bytes, mistakes: tuple[str, ...] = ()) -> list[Thing]:
    """Return the keys, certificates and containers in a value, whatever is wrapped around them."""
    value = value.removeprefix(BOM_UTF8)
    if len(value) > _LONGEST or len(mistakes) > _LAYERS:
        return []
    kind = _kind_of(value)
    if kind is not None:
        more = min(_missing(value), 0) if kind in READABLE else 0  # openssl, too, reads a key with something behind it
        return [Thing(kind, value[: len(value) + more], mistakes)]
    blocks = [_thing_in(block, mistakes) for block in _BLOCK.finditer(value)]
    if blocks and value.startswith(b"-----BEGIN "):
        return blocks
    for name, unwrap in _WRAPPINGS:
        found = [thing for inner in unwrap(value) for thing in things_in(inner, _with(mistakes, name, inner))]
        if found:
            return found
    return blocks


def _with(mistakes: tuple[str, ...], name: str, inner: bytes) -> tuple[str, ...]:
    """Add the name of a wrapping, unless it is the Base64 of a binary file, which a variable cannot hold otherwise."""
    return mistakes if name == "Base64" and _kind_of(inner) else (*mistakes, name)


def find_private_key(value: bytes) -> Thing:
    """Return the private key in a value; ``InvalidKeyError`` if there is none, or several, or one that is not RSA."""
    things = things_in(value)
    keys = {thing.data: thing for thing in things if thing.kind.holds == HOLDS_PRIVATE}
    if len(keys) > 1:
        raise InvalidKeyError(
            f"There are {len(keys)} private keys, and nothing says which of them signs; keep one.", "key-several"
        )
    found = next(iter(keys.values()), things[0] if things else None)
    kind = kind_of_text(value) if found is None else found.kind
    if found is not None and kind is PKCS8:
        check_algorithm(_algorithm_of(found.data), "The private key")
    if found is not None and kind in (PKCS8, PKCS1) and _has_more_primes(found.data):
        message = f"The private key has more than two primes (RFC 8017 §3.2), which few programs read. {_NEW_KEY}"
        raise InvalidKeyError(message, "key-weak")
    if found is None or kind not in READABLE:
        raise InvalidKeyError(f"The private key is {kind.name}. {kind.fix}", kind.code)
    return found


def find_certificate(value: bytes) -> bytes:
    """Return the DER of a certificate; of several, the first. ``InvalidKeyError`` if there is none."""
    things = things_in(value)
    for thing in things:
        if thing.kind is CERTIFICATE:
            return thing.data
    kind = things[0].kind if things else kind_of_text(value)
    fix = kind.certificate or "Make it from the private key: fin-messenger-auth certificate --private-key FILE"
    raise InvalidKeyError(f"The certificate cannot be read: it is {kind.name}. {fix}", "certificate-unreadable")


def kind_of_text(value: bytes) -> Kind:
    """Return what a value is that holds no key and no certificate."""
    text = value.decode(errors="replace").strip().strip("\"'`")
    if not text:
        return Kind("empty", "Set it, or let it name the file.")
    rows = (row for row in _TEXTS if not row.places or "key" in row.places.split())
    found = next((row.kind for row in rows if row.matches(text)), None)
    return found or _UNKNOWN


def configured_string(value: object, name: str, place: str = "") -> str:
    """Return a key ID, an issuer, an audience or an app ID, checked: the platforms compare them byte for byte.

    ``name`` is what the error calls it. With a ``place`` of the table, its content is judged.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a str, got {type(value).__name__}.")
    try:
        plain = str.__str__(value[:])
    except Exception as error:
        raise ConfigurationError(f"{name}: the {type(value).__name__} cannot be read as a str.") from error
    if not plain.strip():
        raise ConfigurationError(f"{name} is blank.", "value-blank")
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} contains bytes that are not UTF-8.") from None
    if place:
        _judge(_judgement(plain, place), name)
    check_ends(plain, name)
    return plain


def check_content(value: bytes, name: str, place: str) -> None:
    """Refuse a secret, a PIN or a path that is certainly something else, and warn of one that perhaps is."""
    plain = in_utf_8(value)
    text = plain.decode(errors="replace") if plain == value else f"\ufeff{plain.decode(errors='replace')}"
    _judge(_judgement(text, place), name)


def check_ends(text: str, name: str) -> None:
    """Refuse a value with a quote or whitespace around it, or with control characters in it."""
    if without_ends(text) != text:
        raise ConfigurationError(
            f"{name} has whitespace, a newline or a quote around it, which would count as part of it; remove it.",
            "value-wrapped",
        )
    if not text.isprintable():
        raise ConfigurationError(
            f"{name} has a newline or another character in it that does not show; set it again, on one line.",
            "value-control",
        )


def without_ends(text: str) -> str:
    """Return a text without quotes, whitespace and characters that do not show around it."""
    hidden = "" if text.isprintable() else "".join({each for each in text if not each.isprintable()})
    return text.strip(_AROUND + hidden)


def looks_like_path(text: str) -> bool:
    """Tell whether a text can only be a path."""
    return re.match(_PATH, text) is not None


def _judge(row: _Text | None, name: str) -> None:
    """Refuse a value that is certainly wrong, and warn of one that perhaps is."""
    if row is None:
        return
    code = row.kind.code if row.kind.code in _FIXES else "value-document"
    message = f"{name} is {row.kind.name}. {_FIXES[code]}"
    if row in _DOUBTFUL:
        warn(message, code)
    else:
        raise ConfigurationError(message, code)


def _judgement(text: str, place: str) -> _Text | None:
    """Return the row that a configured value is of, or ``None`` if nothing speaks against it."""
    plain = text.strip(_AROUND)
    for row in (_ENCODED, *_TEXTS, *_DOUBTFUL):
        if not row.places or place in row.places.split():
            subject = text if row is _ENCODED else plain
            if row.matches(subject) and (row is not _BASE64_TEXT or _is_text(plain)):
                return row
    return None


def _is_text(base64: str) -> bool:
    in_hex = re.fullmatch("(?:[0-9A-Fa-f]{2})+", base64)
    data = unhexlify(base64) if in_hex else _base64(base64.translate(str.maketrans("-_", "+/")).encode())
    decoded = data.decode(errors="replace")
    return len(decoded) >= _SHORTEST_TEXT and decoded.isascii() and decoded.strip().isprintable()


def find_public_key(value: bytes) -> bytes:
    """Return the DER of a public key for RSA; ``InvalidKeyError`` if there is none, or a private key."""
    things = things_in(value)
    kinds = [thing.kind for thing in things] or [kind_of_text(value)]
    if any(kind.holds == HOLDS_PRIVATE and kind.code != "key-damaged" for kind in kinds):
        raise InvalidKeyError("Expected a public key, got a private key.", "argument-invalid")
    found = next((thing for thing in things if thing.kind in (PUBLIC, PUBLIC_PKCS1)), None)
    if kinds[0].code == "key-damaged" or (found is not None and not _kind_of(found.data)):
        raise InvalidKeyError("The public key is truncated or damaged. Copy the whole file again.")
    if found is None:
        fix = (
            "`openssl x509 -pubkey -noout -in FILE` prints the key in it."
            if kinds[0].holds == HOLDS_CERTIFICATE
            else ""
        )
        raise InvalidKeyError(f"Expected a public key, got {kinds[0].name}. {fix}".rstrip(), "argument-invalid")
    if found.kind is PUBLIC:
        check_algorithm(_algorithm_of(found.data), "The public key")
    return found.data


def check_algorithm(algorithm: str, name: str) -> None:
    """Refuse a key that is not for RSA, or for RSA-PSS only (RFC 4055 §1.2)."""
    if algorithm == "RSA-PSS":
        raise InvalidKeyError(
            f"{name} is an RSA-PSS key: verifiers that read that in the certificate refuse RS256 and RS512. Salesforce "
            f"needs a plain RSA key. {_NEW_KEY}",
            "key-pss",
        )
    if algorithm != "RSA":
        raise not_rsa(algorithm, name)


def not_rsa(algorithm: str, name: str) -> InvalidKeyError:
    """Return the error about a key of another algorithm."""
    return InvalidKeyError(f"{name} is {algorithm}, not RSA; Salesforce accepts RSA keys only.", "key-not-rsa")


def _algorithm_of(der: bytes) -> str:
    """Return the algorithm of a PKCS#8 key or a public key, by the name that people know it by."""
    sequence = next((content for tag, content in islice(_elements(_first(der)), 2) if tag == _SEQUENCE), b"")
    return _ALGORITHMS.get(_first(sequence).hex(), "of another algorithm")


def _has_more_primes(der: bytes) -> bool:
    inner = next((content for tag, content in _elements(_first(der)) if tag == _OCTETS), der)  # of PKCS#8
    return re.fullmatch("02( 02){8} 30.*", _outline(inner)) is not None


def _kind_of(value: bytes) -> Kind | None:
    """Return the kind of a binary value, or ``None`` of a text."""
    if value[:5] == b"-----":
        return None
    if value[:1] == b"\x30" and not (value[1:5].isascii() and value[1:5].decode().isprintable()):
        outline, missing = _outline(value), _missing(value)
        kind = next(kind for pattern, kind in _OUTLINES if re.fullmatch(pattern, outline))
        if missing > 0:
            return _TRUNCATED
        return _TRUSTED if missing < 0 and kind is CERTIFICATE else kind
    return next((kind for pattern, kind in _BEGINNINGS if re.match(pattern, value, re.DOTALL)), None)


def _thing_in(block: re.Match[bytes], mistakes: tuple[str, ...]) -> Thing:
    label, body, end = block.groups()
    for beginning, ending, known in _LABELS:
        if label.startswith(beginning) and label.endswith(ending):
            return Thing(known, body, mistakes)
    if dek := _DEK.search(body):
        encrypted = {b"EC PRIVATE KEY": _EC, b"DSA PRIVATE KEY": _DSA}.get(label, ENCRYPTED_PEM)
        return Thing(
            encrypted, _encrypted_pem(dek[1], dek[2], _base64(re.sub(_LINE_ENDS, b"", body[dek.end() :]))), mistakes
        )
    content, escaped = _content(_HEADERS.sub(b"", body, count=1))
    kind = _kind_of(content) if content else None
    if kind is None:
        of_label = [each for each in _OF_LABELS if label in each.labels]
        kind = of_label[0] if of_label else _what_is_left(label, body, end, content)
    if escaped:
        mistakes = (*mistakes, "line ends")
    if kind.labels and (label not in kind.labels or end not in (None, *kind.labels)):
        mistakes = (*mistakes, "label")
    return Thing(kind, content, mistakes)


def _encrypted_pem(cipher: bytes, iv: bytes, content: bytes) -> bytes:
    text = b2a_base64(content, newline=False)
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    head = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: %s,%s\n" % (cipher, iv)
    return b"-----BEGIN RSA PRIVATE KEY-----\n%s\n%s\n-----END RSA PRIVATE KEY-----\n" % (head, lines)


def _what_is_left(label: bytes, body: bytes, end: bytes | None, content: bytes) -> Kind:
    """Return the kind of a PEM block whose content is no DER: what became of a private key."""
    if not label.endswith(b"PRIVATE KEY"):
        return _OTHER
    if not body.strip(b" \t\r\n\"'\\,"):
        return _FIRST_LINE
    if re.search(_ELLIPSIS, body):
        return _EXAMPLE
    return _TRUNCATED if end is None or content else _DAMAGED


def _content(body: bytes) -> tuple[bytes, bool]:
    """Return what the Base64 of a PEM block holds, and whether its line ends are escaped in an unusual way."""
    text, escaped = b"".join(body.split()), b"\\" in body or b"%" in body
    if escaped:
        text = re.sub(_LINE_ENDS, b"", text.replace(b"\\/", b"/"))  # some writers of JSON escape the slash
    content = _base64(text)
    if content and _missing(content) == 0:
        return content, escaped and re.search(_ESCAPED_OTHERWISE, body) is not None
    for width, size in product(
        (64, 76), range(1, 13)
    ):  # what stands at equal distances is what became of the line ends
        end, step = body[:size], width + size
        if body[step : step + size] == end:
            lines = b"".join(body[at + size : at + step] for at in range(0, len(body), step))
            joined = _base64(re.sub(_LINE_ENDS, b"", lines.removesuffix(end)))
            if joined and _missing(joined) == 0:
                return joined, True
    return content, False


def in_utf_8(value: bytes) -> bytes:
    """Return a text without its byte order mark, converted from UTF-16."""
    return next(iter(_utf_16(value)), value).removeprefix(BOM_UTF8)


def _utf_16(value: bytes) -> list[bytes]:
    for mark, encoding in ((BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if value.startswith(mark):
            return [value[2:].decode(encoding, "ignore").encode(errors="ignore")]
    if value[:200:2].count(0) > len(value[:200]) // 4:
        return [value.decode("utf-16-be", "ignore").encode(errors="ignore")]
    if value[1:200:2].count(0) > len(value[:200]) // 4:
        return [value.decode("utf-16-le", "ignore").encode(errors="ignore")]
    return []


def _in_json(value: bytes) -> list[bytes]:
    if value.lstrip()[:1] not in (b"{", b"[", b'"'):
        return []
    parsed = parse_json(value)
    if any("kty" in each or isinstance(each.get("keys"), list) for each in _objects(parsed)):
        return []  # a JWK and a JWKS are not wrappings
    return [each.encode() for each in _strings(parsed)]


def _objects(value: object) -> list[dict[str, Any]]:
    """Return a JSON object, or the objects of a list, as dicts."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        yield "\n".join(value)  # perhaps the lines of one document
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _in_quotes(value: bytes) -> list[bytes]:
    text = value.strip().removesuffix(b";").removesuffix(b",")
    quoted = re.fullmatch(rb"(?:[\"'`]|\xe2\x80[\x98-\x9f])+(.*?)(?:[\"'`]|\xe2\x80[\x98-\x9f])+", text, re.DOTALL)
    return [quoted[1]] if quoted else []


def _in_assignment(value: bytes) -> list[bytes]:
    found = re.fullmatch(rb"\s*(?:export |set )?\w+\s*=\s*(.*-----BEGIN .*)", value, re.DOTALL)
    return [found[1]] if found else []


def _in_percent(value: bytes) -> list[bytes]:
    if not re.search(rb"BEGIN(%20|\+)", value):
        return []
    return [re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: unhexlify(found[1]), value.replace(b"+", b" "))]


def _in_dashes(value: bytes) -> list[bytes]:
    return [] if _BLOCK.search(value) or not re.search(_ARMOUR, value) else [re.sub(_ARMOUR, rb"-----\1-----", value)]


def _in_base64(value: bytes) -> list[bytes]:
    found = None if b"-----" in value else re.fullmatch(_TEXT_OF_BASE64, re.sub(_LINE_ENDS, b"", value))
    return [_base64(found[1].translate(bytes.maketrans(b"-_", b"+/")))] if found else []


_WRAPPINGS: tuple[tuple[str, Callable[[bytes], list[bytes]]], ...] = (
    ("UTF-16", _utf_16),
    ("JSON", _in_json),
    ("assignment", _in_assignment),
    ("quotes", _in_quotes),
    ("percent", _in_percent),
    ("dashes", _in_dashes),
    ("Base64", _in_base64),
)

MISTAKES: Final = {
    "UTF-16": "is in UTF-16, as PowerShell writes it; save it as UTF-8",
    "JSON": "is inside JSON; take it out",
    "assignment": "has NAME= in front of it; leave that out",
    "quotes": "has quotes around it; remove them",
    "percent": "is percent-encoded; decode it",
    "dashes": "has other dashes than five hyphens around BEGIN and END, as word processors write them; write five",
    "Base64": "is Base64 once more than it must be; decode it: base64 -d FILE",
    "line ends": "has newlines that are escaped twice or in another unusual way; write real ones, or \\n",
    "label": "has another PEM label (-----BEGIN …) than its content; write it again: openssl pkey -in FILE -out COPY",
}
"""Wrappings that are mistakes, in words that follow the name of what is wrapped."""


def _base64(text: bytes) -> bytes:
    try:
        return a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except Error:
        return b""


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tags and contents of DER elements, one after another (X.690 §8.1)."""
    at = 0
    while at + 2 <= len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length == _LONG:  # in BER: up to a mark at the end
            length = len(data) - at
        elif length > _LONG:
            size = length - _LONG
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        yield tag, data[at : at + length]
        at += length


def _first(data: bytes) -> bytes:
    """Return the content of the first DER element."""
    return next(_elements(data), (0, b""))[1]


def _outline(der: bytes) -> str:
    parts = []
    for tag, content in islice(_elements(_first(der)), 12):
        inner = " ".join(f"{each:02x}" for each, _ in islice(_elements(content), 12)) if tag == _SEQUENCE else ""
        parts.append(f"{tag:02x}({inner})" if inner else f"{tag:02x}")
    return " ".join(parts)


def _missing(der: bytes) -> int:
    """Return how many bytes of a DER element are missing; below zero for how many there are too many."""
    if len(der) < 2 or der[1] == _LONG:  # noqa: PLR2004
        return 0
    size = max(der[1] - _LONG, 0)
    length = int.from_bytes(der[2 : 2 + size], "big") if size else der[1]
    return 2 + size + length - len(der)
