"""Stand-ins for four services, as far as a signer speaks to them: their own wire format, over a local port.

They follow the services' published interfaces. They are no emulators: whether the services themselves agree can only be
seen there.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

HOST = "127.0.0.1"
Answer = tuple[int, dict[str, Any]]
Service = Callable[[str, str, dict[str, str], dict[str, Any]], Answer]  # method, path, headers, body


def sign_digest(key: Any, digest: bytes, hash_: HashAlgorithm) -> bytes:
    signature: bytes = key.sign(digest, PKCS1v15(), Prehashed(hash_))
    return signature


class FaultyKey:
    """An RSA key that signs as it is told to.

    Attributes:
        fault: ``pss``, ``twice`` (it hashes the digest), ``other key``, ``cut``; ``None`` signs rightly.
    """

    def __init__(self, key: RSAPrivateKey, other: RSAPrivateKey) -> None:
        self.key, self.other = key, other
        self.fault: str | None = None
        self.public_key = key.public_key

    def sign(self, data: bytes, padding: Any, hash_: Any) -> bytes:
        plain = SHA256() if len(data) == SHA256.digest_size else SHA512()
        if self.fault == "pss":
            padding = PSS(MGF1(plain), PSS.MAX_LENGTH)
        elif self.fault == "twice":
            hash_ = plain
        signature = (self.other if self.fault == "other key" else self.key).sign(data, padding, hash_)
        return signature[:100] if self.fault == "cut" else signature


class Line:
    """What lies before a service, and fails as it is told to.

    Attributes:
        fault: An answer in place of the service's, ``drop`` to close the connection, ``hang`` to hold it; ``None``.
        requests: The method and the path of each request, and its body.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.fault: Answer | Literal["drop", "hang"] | None = None
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.released = threading.Event()

    def __call__(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        self.requests.append((method, headers.get("X-Amz-Target", path), body))
        if self.fault == "hang":
            self.released.wait(30)
        if isinstance(self.fault, str):
            raise ConnectionAbortedError
        return self.service(method, path, headers, body) if self.fault is None else self.fault


def aws_kms(key: Any, seconds: float = 0.0) -> Service:
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


def google_cloud_kms(keys: dict[str, Any], algorithms: dict[str, str] | None = None) -> Service:
    """Cloud KMS API v1, over REST: ``getPublicKey`` and ``asymmetricSign``; some versions have other algorithms."""

    def answer(method: str, path: str, _headers: dict[str, str], body: dict[str, Any]) -> Answer:
        name, _, operation = (
            path.partition("?")[0].removeprefix("/v1/").replace("/publicKey", ":publicKey").partition(":")
        )
        if name not in keys:
            return 404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "no such version"}}
        algorithm = (algorithms or {}).get(name, "RSA_SIGN_PKCS1_2048_SHA256")
        if (method, operation) == ("GET", "publicKey"):
            pem = keys[name].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            return 200, {"name": name, "pem": pem, "algorithm": algorithm}
        hash_name = algorithm.rpartition("_")[2].lower()
        digest = b64decode(body["digest"][hash_name], validate=True)
        signature = sign_digest(keys[name], digest, SHA256() if hash_name == "sha256" else SHA512())
        return 200, {"name": name, "signature": b64encode(signature).decode()}

    return answer


def azure_key_vault(keys: dict[str, Any]) -> Service:
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


class Tokens:
    """The tokens that Vault knows, with the seconds that each has left.

    Attributes:
        left: Seconds, by token.
        lease: Seconds that a renewal gives; 0 if they are not renewable.
        namespace: The namespace that requests must name, if any.
    """

    def __init__(self, *tokens: str, lease: int = 0, namespace: str | None = None) -> None:
        self.left = dict.fromkeys(tokens or ["throwaway"], 3600)
        self.lease = lease
        self.namespace = namespace

    def answer(self, path: str, token: str) -> Answer | None:
        if path == "/v1/auth/token/lookup-self":
            return 200, {"data": {"ttl": self.left[token], "renewable": self.lease > 0}}
        if path == "/v1/auth/token/renew-self":
            self.left[token] = self.lease
            return 200, {"auth": {"lease_duration": self.lease, "renewable": True}}
        return None


def vault_transit(versions: dict[int, Any], tokens: Tokens | None = None) -> Service:
    """Vault's transit engine: ``GET /v1/transit/keys/{name}`` and ``POST /v1/transit/sign/{name}``."""
    known = tokens or Tokens()

    def answer(method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        if known.left.get(headers.get("X-Vault-Token", ""), 0) <= 0:
            return 403, {"errors": ["permission denied"]}
        if headers.get("X-Vault-Namespace") != known.namespace:
            return 404, {"errors": []}
        if about := known.answer(path, headers["X-Vault-Token"]):
            return about
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
            try:
                status, answer = service(self.command, self.path, dict(self.headers.items()), body)
            except ConnectionAbortedError:
                self.close_connection = True
                return
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

        def do_PUT(self) -> None:
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


@contextmanager
def serving_grpc(service: Service) -> Iterator[str]:
    """Serve the double of Google Cloud KMS over gRPC."""
    import grpc
    from google.cloud.kms_v1.types import resources
    from google.cloud.kms_v1.types import service as messages

    codes = {403: grpc.StatusCode.PERMISSION_DENIED, 404: grpc.StatusCode.NOT_FOUND}
    codes |= {429: grpc.StatusCode.RESOURCE_EXHAUSTED, 400: grpc.StatusCode.INVALID_ARGUMENT}

    def ask(context: Any, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            status, answer = service(method, f"/v1/{path}", {}, body)
        except ConnectionAbortedError:
            context.abort(grpc.StatusCode.UNAVAILABLE, "dropped")
        if status != 200:
            context.abort(codes[status], str(answer))
        return answer

    def get(request: Any, context: Any) -> Any:
        return resources.PublicKey(**ask(context, "GET", f"{request.name}/publicKey", {}))

    def sign(request: Any, context: Any) -> Any:
        digest = request.digest.sha256 or request.digest.sha512
        body = {"digest": {f"sha{len(digest) * 8}": b64encode(digest).decode()}}
        answer = ask(context, "POST", f"{request.name}:asymmetricSign", body)
        return messages.AsymmetricSignResponse(name=answer["name"], signature=b64decode(answer["signature"]))

    def handler(function: Any, asked: Any, answered: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(function, asked.deserialize, answered.serialize)

    methods = {
        "GetPublicKey": handler(get, messages.GetPublicKeyRequest, resources.PublicKey),
        "AsymmetricSign": handler(sign, messages.AsymmetricSignRequest, messages.AsymmetricSignResponse),
    }
    server = grpc.server(ThreadPoolExecutor(16))
    name = "google.cloud.kms.v1.KeyManagementService"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, methods)])
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        server.stop(None)


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
