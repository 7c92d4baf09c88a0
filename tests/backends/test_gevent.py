"""gunicorn's gevent workers, with remote signers: all pages are signed, or the start stops and says where to patch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fin_messenger_auth.testing import throwaway_environ, throwaway_rsa_key

from .conftest import HOST, PIN, TOKEN, free_port, running
from .doubles import aws_kms, serving
from .test_from_environment import installed  # noqa: F401 - the names of the signers
from .test_operations import AWS, page
from .test_pkcs11 import administrator  # noqa: F401 - a fixture

PATCH = "from gevent import monkey\nmonkey.patch_all()\n"
HOOK = """
def on_starting(server):
    from fin_messenger_auth import default_builder
    default_builder().build("start")
"""
PAGES = """
import os
from fin_messenger_auth import build_settings, default_builder
default_builder()

def application(environ, start_response):
    body = f"{os.getpid()} {'salesforce_identity_token' in build_settings('42')}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture(params=["aws-kms", "pkcs11"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "pages.py").write_text(PAGES)
    hsm: Any = request.getfixturevalue("hsm") if request.param == "pkcs11" else None  # it says where its tokens are
    variables = {**os.environ, **throwaway_environ(), "SALESFORCE_SIGNER": request.param}
    variables |= {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *sys.path]), "PYTHONWARNINGS": "ignore"}
    variables |= {"MESSENGER_ON_SIGNING_ERROR": "intercom-only"}
    del variables["SALESFORCE_PRIVATE_KEY"]
    if request.param == "pkcs11":
        label = request.getfixturevalue("administrator").make_key()
        place = {"MODULE": hsm, "TOKEN": TOKEN, "KEY": label, "PIN": PIN}
        yield variables | {f"SALESFORCE_PKCS11_{name}": value for name, value in place.items()}
        return
    with serving(aws_kms(throwaway_rsa_key())) as address:
        url = {"AWS_ENDPOINT_URL_KMS": f"http://{address}", "SALESFORCE_AWS_KMS_KEY_ID": "key"}
        yield {**variables, **AWS, **url}


@pytest.mark.parametrize("preload", [False, True], ids=["each worker", "preload"])
@pytest.mark.parametrize("hook", ["", HOOK], ids=["no hook", "hook"])
@pytest.mark.parametrize("patch", ["", PATCH], ids=["late", "first"])
def test_every_page_is_signed_or_the_start_stops(
    environ: dict[str, str], tmp_path: Path, patch: str, hook: str, preload: bool
) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(patch + hook)
    port = free_port()
    command = ["gunicorn", "-k", "gevent", "-w", "2", *(["--preload"] if preload else []), "--bind", f"{HOST}:{port}"]
    made_in_the_master = bool(hook) or preload
    if made_in_the_master and not patch:
        stopped = subprocess.run(
            [sys.executable, "-m", *command, "pages:application"],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert stopped.returncode != 0
        assert "in the first lines of gunicorn.conf.py" in stopped.stderr
        return
    with running([*command, "pages:application"], port, tmp_path, environ):
        answers = [page(port).split() for _ in range(20)]
    assert {signed for _, signed in answers} == {"True"}


def test_a_patch_that_comes_later_still_is_named(tmp_path: Path) -> None:
    """Nothing in the process can know that it will be patched: then the first signature says so."""
    script = """
        import boto3, urllib3
        from gevent import monkey
        monkey.patch_all()
        from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
        from fin_messenger_auth.errors import ConfigurationError
        try:
            AWSKMSSigner("key", kid="k")
        except ConfigurationError as error:
            print(error)
    """
    variables = {**os.environ, **AWS, "AWS_ENDPOINT_URL_KMS": "https://127.0.0.1:1", "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", "\n".join(line[8:] for line in script.splitlines())]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True)
    assert "gevent.monkey.patch_all() before anything else is imported" in done.stdout
