"""What the operations page says of servers and workers, each as it is run in production."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from textwrap import dedent
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.testing import throwaway_environ, throwaway_rsa_key

from .conftest import HOST, PIN, TOKEN, free_port, running
from .doubles import aws_kms, serving
from .test_from_environment import installed  # noqa: F401 - the names of the signers
from .test_pkcs11 import administrator  # noqa: F401 - a fixture

AWS = {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "throwaway"}


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process whose Salesforce key is in a double of AWS KMS."""
    variables = throwaway_environ() | {"SALESFORCE_SIGNER": "aws-kms", "SALESFORCE_AWS_KMS_KEY_ID": "key"}
    del variables["SALESFORCE_PRIVATE_KEY"]
    path = os.pathsep.join([str(tmp_path), str(tmp_path / "site"), *sys.path])
    with serving(aws_kms(throwaway_rsa_key())) as address:
        yield {**os.environ, **variables, **AWS, "AWS_ENDPOINT_URL_KMS": f"http://{address}", "PYTHONPATH": path}


def run(script: str, environ: dict[str, str], *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", dedent(script), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_under_gevent_pages_wait_for_the_service_together(environ: dict[str, str]) -> None:
    pytest.importorskip("gevent")
    script = """
        from gevent import monkey
        monkey.patch_all()  # before everything else
        import time
        import gevent
        from fin_messenger_auth import TokenPairBuilder, with_deadline
        from fin_messenger_auth.errors import SigningError
        from fin_messenger_auth.testing import throwaway_builder

        builder = TokenPairBuilder.from_env()
        pages = [gevent.spawn(builder.build_settings, str(n)) for n in range(100)]
        gevent.joinall(pages, raise_error=True)
        assert all(page.value["salesforce_identity_token"] for page in pages)

        class Slow:
            alg, kid = "RS256", "key-1"
            def sign(self, signing_input):
                time.sleep(0.1)
                return throwaway_builder().salesforce.signer.sign(signing_input)

        slow, start = with_deadline(Slow()), time.monotonic()
        gevent.joinall([gevent.spawn(slow.sign, b"x") for _ in range(30)], raise_error=True)
        assert time.monotonic() - start < 2, "one after the other they would take three seconds"

        class Hanging(Slow):
            def sign(self, signing_input):
                time.sleep(30)

        start = time.monotonic()
        try:
            with_deadline(Hanging(), timeout=0.2).sign(b"x")
        except SigningError:
            print(time.monotonic() - start)
    """
    assert float(run(script, environ)) < 2


def test_under_gevent_an_hsm_signs_too(hsm: str, administrator: Any) -> None:  # noqa: F811
    script = """
        from gevent import monkey
        monkey.patch_all()
        import os, sys, threading
        import gevent
        from fin_messenger_auth import StringKeySource, with_deadline
        from fin_messenger_auth.backends.pkcs11 import PKCS11Signer

        module, token, key, pin = sys.argv[1:]
        signer = PKCS11Signer(module, token=token, key=key, pin=StringKeySource(pin), kid="key-1")
        def sign_all():
            calls = [with_deadline(signer).sign, signer.sign]
            pages = [gevent.spawn(calls[n % 2], b"message") for n in range(100)]
            gevent.joinall(pages, raise_error=True, timeout=20)
            return sum(len(page.value) == 256 for page in pages)

        def sign_for_ever():
            while True:
                signer.sign(b"message")
                gevent.sleep(0)

        print(sign_all(), flush=True)
        gevent.spawn(sign_for_ever)
        gevent.sleep(0.05)
        child = os.fork()  # gevent's own, as its servers call it
        if not child:
            print(sign_all(), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(sign_all())
    """
    assert run(script, dict(os.environ), hsm, TOKEN, administrator.make_key(), PIN) == "100\n" * 3


CELERY = """
from celery import Celery
from fin_messenger_auth import TokenPairBuilder

builder = TokenPairBuilder.from_env()
builder.build("warm-up")  # before the worker forks
app = Celery("tasks", broker="filesystem://", backend="file://{directory}/results")
app.conf.update(
    broker_transport_options={{"data_folder_in": "{directory}/queue", "data_folder_out": "{directory}/queue",
        "control_folder": "{directory}/control"}},
    worker_hijack_root_logger=False,
)

@app.task
def kid(user):
    import os
    from fin_messenger_auth.testing import decode
    return os.getpid(), decode(builder.build_settings(user)).salesforce.header["kid"]
"""


def test_the_children_of_a_celery_worker_sign(environ: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("celery")
    (tmp_path / "celery_tasks.py").write_text(CELERY.format(directory=tmp_path))
    for name in ("queue", "results"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "prefork", "-c", "2"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=log, stderr=log)
        try:
            script = """
                import json
                from celery_tasks import kid
                results = [kid.delay(str(n)) for n in range(50)]
                print(json.dumps([each.get(timeout=40) for each in results]))
            """
            answers = json.loads(run(script, environ))
        finally:
            worker.terminate()
            worker.wait(20)
    assert [kid for _, kid in answers] == ["throwaway"] * 50
    assert worker.pid not in {pid for pid, _ in answers}, "the children sign, not the worker itself"


UVICORN = """
import os
from fin_messenger_auth import TokenPairBuilder
from fin_messenger_auth.testing import decode

builder = TokenPairBuilder.from_env()

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    settings = await builder.abuild_settings("42")
    body = f"{os.getpid()} {decode(settings).salesforce.header['kid']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def test_the_workers_of_uvicorn_sign(environ: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    (tmp_path / "pages.py").write_text(UVICORN)
    port = free_port()
    command = ["uvicorn", "--workers", "2", "--host", HOST, "--port", str(port), "pages:application"]
    with running(command, port, tmp_path, environ) as server:
        answers = [page(port) for _ in range(50)]
    assert {answer.split()[1] for answer in answers} == {"throwaway"}
    assert str(server.pid) not in {answer.split()[0] for answer in answers}


def page(port: int) -> str:
    deadline = time.monotonic() + 20
    while True:
        connection = HTTPConnection(HOST, port, timeout=20)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except OSError:  # the worker is not there yet
            assert time.monotonic() < deadline
            time.sleep(0.1)
        finally:
            connection.close()


def test_importing_the_library_needs_no_variable_so_an_image_is_built_without_secrets(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}
    script = """
        from fin_messenger_auth import build_settings, default_builder
        from fin_messenger_auth.errors import ConfigurationError
        from fin_messenger_auth.backends import aws_kms, pkcs11
        try:
            default_builder()
        except ConfigurationError as error:
            print(error.code)
    """
    assert run(script, bare) == "variable-missing\n"


DOCS = Path(__file__).parents[2] / "docs" / "operate" / "production.md"
GUNICORN = "".join(re.findall(r"```python\n# gunicorn\.conf\.py\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL))
"""The hooks, as the page has them."""

PAGES = """
import os
from fin_messenger_auth import build_settings
from fin_messenger_auth.testing import decode

def application(environ, start_response):
    body = f"{os.getpid()} {decode(build_settings('42')).salesforce.header['kid']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["not preloaded", "preloaded"])
def test_the_start_up_hook_of_gunicorn_signs_and_the_workers_inherit_its_builder(
    environ: dict[str, str], tmp_path: Path, preload: list[str]
) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    (tmp_path / "pages.py").write_text(PAGES)
    port = free_port()
    command = ["gunicorn", *preload, "--workers", "2", "--bind", f"{HOST}:{port}", "pages:application"]
    with running(command, port, tmp_path, environ) as server:
        answers = [page(port) for _ in range(50)]
    assert {answer.split()[1] for answer in answers} == {"throwaway"}
    assert str(server.pid) not in {answer.split()[0] for answer in answers}


SITE = """
import os
from flask import Flask, render_template_string
from fin_messenger_auth import default_builder
from fin_messenger_auth.contrib.flask import FinMessenger

application = Flask(__name__)
FinMessenger(application, user=lambda: "42", builder=default_builder())

@application.get("/")
def home():
    return f"{os.getpid()} " + render_template_string("{{ fin_messenger() }}")
"""


def test_a_worker_that_starts_in_an_outage_has_the_builder_of_the_hook(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    (tmp_path / "pages.py").write_text(SITE)
    port, kms = free_port(), ExitStack()
    with kms:
        address = kms.enter_context(serving(aws_kms(throwaway_rsa_key())))
        environ |= {"AWS_ENDPOINT_URL_KMS": f"http://{address}", "MESSENGER_ON_SIGNING_ERROR": "intercom-only"}
        command = ["gunicorn", "--workers", "1", "--bind", f"{HOST}:{port}", "pages:application"]
        with running(command, port, tmp_path, environ) as server:
            before = page(port)
            kms.close()
            os.kill(int(before.split()[0]), signal.SIGTERM)
            deadline = time.monotonic() + 20
            while (after := page(port)).split()[0] == before.split()[0]:
                assert time.monotonic() < deadline
            assert server.poll() is None
    assert [
        name in each for each in (before, after) for name in ("intercom_user_jwt", "salesforce_identity_token")
    ] == [
        *(True, True),
        *(True, False),
    ]


def test_workers_that_gunicorn_replaces_at_sighup_have_the_new_keys_unless_these_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    (tmp_path / "pages.py").write_text(PAGES)
    variables = throwaway_environ()
    key_id, pem = tmp_path / "kid", tmp_path / "key.pem"
    key_id.write_text("key-1")
    pem.write_text(variables.pop("SALESFORCE_PRIVATE_KEY"))
    pem.chmod(0o600)
    del variables["SALESFORCE_KEY_ID"]
    variables |= {"SALESFORCE_KEY_ID_FILE": str(key_id), "SALESFORCE_PRIVATE_KEY_FILE": str(pem)}
    port = free_port()
    command = ["gunicorn", "--workers", "1", "--bind", f"{HOST}:{port}", "pages:application"]

    def reloaded(before: str) -> str:
        """Replace the worker, and return the page of the new one."""
        server.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while (after := page(port)).split()[0] == before.split(maxsplit=1)[0]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return after

    with running(command, port, tmp_path, os.environ | variables) as server:
        pages = [page(port)]
        key_id.write_text("key-2")
        pages.append(reloaded(pages[-1]))
        key_id.write_text("'key-3'")
        pages.append(reloaded(pages[-1]))
    assert [each.split()[1] for each in pages] == ["key-1", "key-2", "key-2"]
    assert (
        "The new keys were rejected; the old ones stay in use. SALESFORCE_KEY_ID_FILE" in (tmp_path / "log").read_text()
    )


def test_a_mistake_in_the_configuration_stops_the_start(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    (tmp_path / "pages.py").write_text(PAGES)
    result = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:{free_port()}", "pages:application"],
        env=environ | {"SALESFORCE_AWS_KMS_KEY_ID": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode != 0
    assert "SALESFORCE_AWS_KMS_KEY_ID must be set." in result.stderr


@mock_aws
def test_moto_which_hashes_the_digest_again_is_refused_at_start_up() -> None:
    client = boto3.client(
        "kms", region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="throwaway"
    )
    key_id = client.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    with pytest.raises(InvalidKeyError, match=r"The service hashed the digest again.*as moto does, cannot be used"):
        AWSKMSSigner(key_id, kid="key-1", client=lambda: client)

    client.disable_key(KeyId=key_id)
    request = {"KeyId": key_id, "MessageType": "DIGEST", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
    assert client.sign(Message=bytes(32), **request)["Signature"], "moto lets a disabled key sign, as the docs say"
