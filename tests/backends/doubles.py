"""Stand-ins for three services, as far as a signer speaks to them: their own wire format, over a local port.

They follow the services' published REST interfaces. They are no emulators: whether the services
themselves agree can only be seen there.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

HOST = "127.0.0.1"
Answer = tuple[int, dict[str, Any]]
Service = Callable[[str, str, dict[str, str], dict[str, Any]], Answer]  # method, path, headers, body


def sign_digest(key: RSAPrivateKey, digest: bytes, hash_: HashAlgorithm) -> bytes:
    return key.sign(digest, PKCS1v15(), Prehashed(hash_))


def aws_kms(key: RSAPrivateKey, seconds: float = 0.0) -> Service:
    """AWS KMS, JSON 1.1: ``GetPublicKey`` and ``Sign`` of one key, each answer after so many ``seconds``."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    hashes: dict[str, HashAlgorithm] = {"RSASSA_PKCS1_V1_5_SHA_256": SHA256(), "RSASSA_PKCS1_V1_5_SHA_512": SHA512()}

    def answer(_method: str, _path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        time.sleep(seconds)
        about = {"KeyId": "arn:aws:kms:eu-central-1:000000000000:key/" + body["KeyId"].rpartition("/")[2]}
        if headers["X-Amz-Target"] == "TrentService.GetPublicKey":
            usable = {"KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": list(hashes)}
            return 200, about | usable | {"PublicKey": b64encode(public).decode()}
        signature = sign_digest(key, b64decode(body["Message"], validate=True), hashes[body["SigningAlgorithm"]])
        return 200, about | {"Signature": b64encode(signature).decode()}

    return answer


def google_cloud_kms(keys: dict[str, RSAPrivateKey], algorithm: str = "RSA_SIGN_PKCS1_2048_SHA256") -> Service:
    """Cloud KMS API v1, over REST: ``getPublicKey`` and ``asymmetricSign``."""

    def answer(method: str, path: str, _headers: dict[str, str], body: dict[str, Any]) -> Answer:
        name, _, operation = (
            path.partition("?")[0].removeprefix("/v1/").replace("/publicKey", ":publicKey").partition(":")
        )
        if name not in keys:
            return 404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "no such version"}}
        if (method, operation) == ("GET", "publicKey"):
            pem = keys[name].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            return 200, {"name": name, "pem": pem, "algorithm": algorithm}
        hash_name = algorithm.rpartition("_")[2].lower()
        digest = b64decode(body["digest"][hash_name], validate=True)
        signature = sign_digest(keys[name], digest, SHA256() if hash_name == "sha256" else SHA512())
        return 200, {"name": name, "signature": b64encode(signature).decode()}

    return answer


def azure_key_vault(keys: dict[str, RSAPrivateKey]) -> Service:
    """Key Vault REST API: ``GET /keys/{name}/{version}`` and ``POST …/sign``, after the bearer challenge."""

    def answer(method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        if headers.get("Authorization") != "Bearer throwaway":
            return 401, {"error": {"code": "Unauthorized"}}
        name = path.partition("?")[0].removeprefix("/keys/").removesuffix("/sign")
        if name not in keys:
            return 404, {"error": {"code": "KeyNotFound", "message": "no such key"}}
        kid = f"https://{headers['Host']}/keys/{name}"
        if method == "GET":
            numbers = keys[name].public_key().public_numbers()
            key = {"kid": kid, "kty": "RSA", "n": _base64url_int(numbers.n), "e": _base64url_int(numbers.e)}
            return 200, {"key": key | {"key_ops": ["sign", "verify"]}, "attributes": {"enabled": True}}
        digest = urlsafe_b64decode(body["value"] + "==")
        signature = sign_digest(keys[name], digest, SHA256() if body["alg"] == "RS256" else SHA512())
        return 200, {"kid": kid, "value": urlsafe_b64encode(signature).rstrip(b"=").decode()}

    return answer


def vault_transit(versions: dict[int, RSAPrivateKey]) -> Service:
    """Vault's transit engine: ``GET /v1/transit/keys/{name}`` and ``POST /v1/transit/sign/{name}``."""

    def answer(method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        if headers.get("X-Vault-Token") != "throwaway":
            return 403, {"errors": ["permission denied"]}
        if method == "GET" and path == "/v1/transit/keys/messenger":
            pems = {
                str(version): {
                    "public_key": key.public_key()
                    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                    .decode()
                }
                for version, key in versions.items()
            }
            return 200, {"data": {"name": "messenger", "type": "rsa-2048", "keys": pems}}
        if not path.startswith("/v1/transit/sign/messenger"):
            return 404, {"errors": []}
        version = body.get("key_version", max(versions))
        hash_: HashAlgorithm = SHA512() if body.get("hash_algorithm") == "sha2-512" else SHA256()
        data = b64decode(body["input"], validate=True)
        padding = PKCS1v15() if body.get("signature_algorithm") == "pkcs1v15" else PSS(MGF1(hash_), PSS.MAX_LENGTH)
        signature = versions[version].sign(data, padding, Prehashed(hash_) if body.get("prehashed") else hash_)
        return 200, {"data": {"signature": f"vault:v{version}:{b64encode(signature).decode()}"}}

    return answer


def _base64url_int(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()


@contextmanager
def serving(service: Service, certificate: Path | None = None) -> Iterator[str]:
    """Serve ``service`` on a free local port, over TLS where there is a certificate; yield ``host:port``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else {}
            status, answer = service(self.command, self.path, dict(self.headers.items()), body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status == 401:
                challenge = 'Bearer authorization="https://login.example/tenant", resource="https://vault.azure.net"'
                self.send_header("WWW-Authenticate", challenge)
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256  # for bursts

        def handle_error(self, *_: object) -> None:
            """Keep quiet: a client has given up."""

    server = Server((HOST, 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def write_certificate(path: Path, key: RSAPrivateKey) -> Path:
    """Write a key and a self-signed certificate for the local host into one PEM file."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path
