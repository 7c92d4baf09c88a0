"""Remote signers in a server that loads the application, warms it up, and then forks its workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fin_messenger_auth.testing import throwaway_rsa_key

from . import services
from .conftest import HOST, PIN, TOKEN, free_port, running
from .doubles import aws_kms, serving, write_certificate
from .test_pkcs11 import Administrator, administrator  # noqa: F401 - a fixture

RUNS, PAGES, VISITORS, WORKERS = 3, 1000, 8, 4
ROOT = Path(__file__).parents[2]

APPLICATION = """
import os
from fin_messenger_auth import StringKeySource, with_deadline
from fin_messenger_auth.errors import SigningError
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.backends.pkcs11 import PKCS11Signer

{signer}
signers = [signer, with_deadline(signer)]
for each in signers:
    each.sign(b"warm-up")

def application(environ, start_response):
    try:
        signers[int(environ["PATH_INFO"][1:]) % 2].sign(b"message")
        answer = f"{{os.getpid()}}"
    except SigningError as error:
        answer = f"{{error!r}} {{error.__cause__!r}}"
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer.encode()]
"""

KMS = """
import boto3
signer = AWSKMSSigner("key", kid="key-1", client=lambda: boto3.Session().client(
    "kms", endpoint_url={url!r}, verify={verify!r}, region_name="eu-central-1",
    aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="throwaway",
))
"""
DEFAULT_KMS = 'signer = AWSKMSSigner("key", kid="key-1")'
HSM = "signer = PKCS11Signer({module!r}, token={token!r}, key={key!r}, pin=StringKeySource({pin!r}), kid='key-1')"


@contextmanager
def gunicorn(directory: Path, signer: str, **environ: str) -> Iterator[int]:
    """Serve the application on a port: loaded and warmed up in the parent, then forked into four workers."""
    (directory / "pages.py").write_text(APPLICATION.format(signer=dedent(signer)))
    port = free_port()
    command = ["gunicorn", "--preload", "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4"]
    command += ["--pythonpath", str(directory), "--bind", f"{HOST}:{port}", "pages:application"]
    with running(command, port, directory, os.environ | environ):
        yield port


def visit(port: int) -> Counter[str]:
    """Ask for a thousand pages, from several visitors at once; count the answers."""
    answers: Counter[str] = Counter()

    def visitor(number: int) -> None:
        for page in range(number, PAGES, VISITORS):
            connection = HTTPConnection(HOST, port, timeout=30)
            connection.request("GET", f"/{page // VISITORS}")
            answers[connection.getresponse().read().decode()] += 1
            connection.close()

    visitors = [threading.Thread(target=visitor, args=(number,)) for number in range(VISITORS)]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join()
    return answers


def check(directory: Path, signer: str, runs: int = RUNS, **environ: str) -> None:
    for _ in range(runs):
        with gunicorn(directory, signer, **environ) as port:
            answers = visit(port)
        assert [each for each in answers if not each.isdigit()] == []
        assert answers.total() == PAGES
        assert len(answers) == WORKERS, "every worker has signed"


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
def test_every_worker_signs_with_aws_kms(tmp_path: Path, tls: bool) -> None:
    key = throwaway_rsa_key()
    certificate = write_certificate(tmp_path / "certificate.pem", key) if tls else None
    with serving(aws_kms(key), certificate) as address:
        url = f"http{'s' * tls}://{address}"
        verify = str(certificate) if certificate else None
        check(tmp_path, KMS.format(url=url, verify=verify))


def test_every_worker_signs_with_the_client_that_is_made_by_default(tmp_path: Path) -> None:
    with serving(aws_kms(throwaway_rsa_key())) as address:
        environ = {
            "AWS_ENDPOINT_URL_KMS": f"http://{address}",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "throwaway",
        }
        check(tmp_path, DEFAULT_KMS, runs=1, **environ)


def test_every_worker_signs_with_an_hsm(hsm: str, administrator: Any, tmp_path: Path) -> None:  # noqa: F811
    key = administrator.make_key()
    check(tmp_path, HSM.format(module=hsm, token=TOKEN, key=key, pin=PIN))


FORKS = """
import os, sys, threading, time
from fin_messenger_auth import StringKeySource, with_deadline
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.backends.pkcs11 import PKCS11Signer

source, seconds = sys.argv[1], float(sys.argv[2])
def make():
    names = dict(globals())
    exec(source, names)
    return names["signer"]
signer = make()
threaded = with_deadline(signer)

def sign_for_ever():
    while True:
        signer.sign(b"message")
        threaded.sign(b"message")

def in_child(generation):
    for each in (signer, threaded, make()):
        assert len(each.sign(b"message")) == 256
    if generation < 2:
        fork(generation + 1)

def fork(generation):
    start = time.monotonic()
    child = os.fork()
    if not child:
        try:
            in_child(generation)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() - start > seconds * (3 - generation):
            os.kill(child, 9)
            sys.exit(f"the child of generation {generation} did not sign within {seconds} seconds")
        time.sleep(0.005)

for _ in range(4):
    threading.Thread(target=sign_for_ever, daemon=True).start()
for _ in range(int(sys.argv[3])):
    fork(1)
signer.sign(b"message")
print("done")
"""


def check_forks(source: str, seconds: float, forks: int) -> None:
    """Fork while threads sign; the children sign, with the signer that they inherit and with a new one."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS, dedent(source), str(seconds), str(forks)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_children_sign_with_an_hsm_that_were_forked_while_threads_signed(hsm: str, administrator: Any) -> None:  # noqa: F811
    check_forks(HSM.format(module=hsm, token=TOKEN, key=administrator.make_key(), pin=PIN), seconds=20, forks=15)


def test_children_sign_with_aws_kms_that_were_forked_while_threads_signed() -> None:
    with serving(aws_kms(throwaway_rsa_key())) as address:  # a new client takes boto3 most of a second
        check_forks(KMS.format(url=f"http://{address}", verify=None), seconds=10, forks=4)


CHILDREN = """
import os, sys
from pathlib import Path
from fin_messenger_auth import with_deadline
from tests.backends.services import service_at

name, address, certificate = sys.argv[1:]
signer = service_at(name, address, Path(certificate)).signer()
threaded = with_deadline(signer, timeout=30)
threaded.sign(b"in the parent")
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        try:
            for _ in range(30):
                assert len(signer.sign(b"message")) == len(threaded.sign(b"message")) == 256
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
signer.sign(b"in the parent again")
print("done", flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("name", services.NAMES)
def test_children_that_sign_at_once_have_a_client_each(name: str, certificate: Path) -> None:
    with services.running(name, certificate) as service:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CHILDREN, name, service.address, str(certificate)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
