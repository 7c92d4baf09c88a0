"""An AWS KMS emulator and a software HSM, started for these tests, and a wire that can be made to fail."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from fin_messenger_auth._jws import encode
from fin_messenger_auth.testing import throwaway_rsa_key

from . import doubles

# The core's test matrix stays light: these need the dependency group `backends`, as the session of that name has it.
CLIENTS = (
    "boto3",
    "pkcs11",
    "ministack",
    "moto",
    "gunicorn",
    "google.cloud.kms",
    "azure.keyvault.keys",
    "azure.identity",
    "hvac",
)


def _missing() -> list[str]:
    return [name for name in CLIENTS if not (_found(name.partition(".")[0]) and _found(name))]


def _found(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


collect_ignore_glob = ["test_*.py"] if _missing() else []

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def kms_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an AWS KMS emulator that treats digests and disabled keys as AWS does."""
    port, directory = free_port(), tmp_path_factory.mktemp("ministack")
    environ = os.environ | {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
        "SERVICES": "kms",
        "TMPDIR": str(directory),
    }
    with running(["ministack"], port, directory, environ):
        yield port


@contextmanager
def running(
    command: Sequence[str], port: int, directory: Path, environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module that serves on a port, in a directory, where it leaves its log."""
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", *command], env=environ, cwd=directory, stdout=log, stderr=log)
        try:
            _wait_for(port, server, directory / "log")
            yield server
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, f"the server ended before it listened: {log.read_text()[-2000:]}"
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server does not listen")


class Wire:
    """What lies between a client and a service: it hands requests on, until it is told to fail.

    Attributes:
        fault: What to do with the next requests; ``None`` hands them on.
        requests: The JSON bodies of the requests that arrived.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = free_port()
        self.fault: Callable[[_Handler, bytes], None] | None = None
        self.requests: list[dict[str, Any]] = []
        self.released = threading.Event()
        self.up()

    def up(self) -> None:
        """Listen."""
        self._server = ThreadingHTTPServer((HOST, self.port), _Handler)
        self._server.daemon_threads = True
        self._server.wire = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Listen no more: connections are refused."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        wire: Wire = self.server.wire  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wire.requests.append(json.loads(body))
        if wire.fault is None:
            self.answer(*self.forward(body))
        else:
            wire.fault(self, body)
        self.close_connection = True

    def forward(self, body: bytes) -> tuple[int, bytes]:
        upstream = HTTPConnection(HOST, self.server.wire.upstream)  # type: ignore[attr-defined]
        headers = {name: value for name, value in self.headers.items() if name not in {"Host", "Content-Length"}}
        upstream.request("POST", self.path, body, headers)
        answer = upstream.getresponse()
        result = answer.status, answer.read()
        upstream.close()
        return result

    def answer(self, status: int, body: bytes, announced: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)

    def wait(self) -> None:
        """Hold the answer back for longer than any client waits."""
        self.server.wire.released.wait(30)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def wire(kms_port: int) -> Iterator[Wire]:
    wire = Wire(kms_port)
    yield wire
    wire.released.set()
    wire.down()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for a server on this machine."""
    return doubles.write_certificate(tmp_path_factory.mktemp("tls") / "tls.pem", throwaway_rsa_key())


SOFTHSM_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
PIN = "hunter2-pin"
TOKEN = "fin-messenger-auth"


@pytest.fixture(autouse=True)
def refused_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that remembers refused PINs in this test and its processes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / f"fin-messenger-auth-{os.getuid()}"


@pytest.fixture(scope="session")
def hsm(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The PKCS#11 module of a software HSM with a fresh token."""
    tool = program("softhsm2-util")
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        command = [tool, "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "so-" + PIN]
        subprocess.run(command, check=True, capture_output=True)
        yield next(module for module in SOFTHSM_MODULES if Path(module).exists())


def check_jwk_through(signer: Any) -> None:
    """Make the JWK, with a certificate that the signer itself signs, and verify a token with what is in it."""
    onboarding: Any = pytest.importorskip("fin_messenger_auth.onboarding")
    certificate = onboarding.self_signed_certificate(signer, signer.public_key)
    certificate.verify_directly_issued_by(certificate)
    jwk = onboarding.make_jwk(signer.public_key, certificate, kid=signer.kid, alg=signer.alg)
    assert "d" not in jwk
    token = jwt.decode(encode({"sub": "42"}, signer), RSAKey.import_key(jwk), algorithms=[signer.alg])
    assert token.header["kid"] == jwk["kid"]
