"""The signing service of ``examples/signer_package``, and packages that offer signers, installed for one test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def install(site: Path, name: str, signers: Mapping[str, str]) -> None:
    """Write the metadata that pip would write of a distribution with entry points."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{signer} = {factory}\n" for signer, factory in signers.items())
    (info / "entry_points.txt").write_text(f"[fin_messenger_auth.signers]\n{lines}")


@contextmanager
def signing_service(key: RSAPrivateKey) -> Iterator[str]:
    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

        def do_POST(self) -> None:
            digest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["sha256"]
            signature = key.sign(bytes.fromhex(digest), PKCS1v15(), Prehashed(SHA256()))
            self.reply(json.dumps({"signature": signature.hex()}).encode())

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
