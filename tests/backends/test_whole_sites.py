"""Runs whole sites whose key cannot be used for a while, or is replaced: no page is refused."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fin_messenger_auth.onboarding import make_key_directory
from fin_messenger_auth.testing import decode_token, throwaway_environ, throwaway_rsa_key

from .conftest import HOST, free_port, running
from .doubles import Line, aws_kms, serving
from .test_operations import AWS, page

FLASK = """
from flask import Flask, render_template_string
from fin_messenger_auth.contrib.flask import FinMessenger

application = Flask(__name__)
FinMessenger(application, user=lambda: "42")

@application.get("/")
def home():
    return render_template_string("<body>{{ fin_messenger() }}</body>")
"""
DJANGO = """
from django.conf import settings
settings.configure(
    SECRET_KEY="throwaway" * 6, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "fin_messenger_auth.contrib.django"],
    MIDDLEWARE=["fin_messenger_auth.contrib.django.middleware.FinMessengerMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
import django
django.setup()
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.template import engines
from django.urls import include, path

def home(request):
    request.user = User(pk=42)
    template = "<body>{% load fin_messenger %}{% fin_messenger %}</body>"
    return HttpResponse(engines["django"].from_string(template).render({}, request))

urlpatterns = [path("", home), path("messenger/", include("fin_messenger_auth.contrib.django.urls"))]
application = get_wsgi_application()
"""
FASTAPI = """
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from fin_messenger_auth.contrib.fastapi import FinMessenger

application = FastAPI()
messenger = FinMessenger(application, user=lambda: "42")

@application.get("/", response_class=HTMLResponse)
async def home(scripts: str = Depends(messenger.snippet)):
    return f"<body>{scripts}</body>"
"""
RELOADING = """
import os
from fin_messenger_auth import Reloading, TokenPairBuilder, default_builder

watched = [os.environ["SALESFORCE_PRIVATE_KEY_FILE"], os.environ["SALESFORCE_JWK_FILE"]]
default_builder.use(Reloading(TokenPairBuilder.from_env, watch=watched, every=0.2))
"""
GUNICORN = ["gunicorn", "--workers", "2", "--bind"]
SITES: dict[str, tuple[str, list[str]]] = {
    "Flask, sync, recycled": (FLASK, [*GUNICORN[:3], "--max-requests", "10", "--bind"]),
    "Flask, gthread": (FLASK, [*GUNICORN[:3], "--threads", "4", "--bind"]),
    "Flask, preloaded": (FLASK, [*GUNICORN[:3], "--preload", "--bind"]),
    "Django, sync, recycled": (DJANGO, [*GUNICORN[:3], "--max-requests", "10", "--bind"]),
    "FastAPI, uvicorn": (FASTAPI, ["uvicorn", "--workers", "2", "--host", HOST, "--port"]),
}


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[tuple[Line, dict[str, str]]]:
    """A double of AWS KMS behind a line that can be cut, and the environment of a site."""
    variables = throwaway_environ() | AWS | {"SALESFORCE_SIGNER": "aws-kms", "SALESFORCE_AWS_KMS_KEY_ID": "key"}
    del variables["SALESFORCE_PRIVATE_KEY"]
    line = Line(aws_kms(throwaway_rsa_key()))
    with serving(line) as address:
        variables |= {"AWS_ENDPOINT_URL_KMS": f"http://{address}", "MESSENGER_ON_SIGNING_ERROR": "intercom-only"}
        yield line, {**os.environ, **variables, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}


def tokens_in(html: str) -> set[str]:
    return set(re.findall(r"intercom_user_jwt|salesforce_identity_token", html))


BOTH = {"intercom_user_jwt", "salesforce_identity_token"}


@pytest.mark.parametrize("name", SITES)
def test_an_outage_at_the_start_and_later_refuses_no_page(
    name: str, kms: tuple[Line, dict[str, str]], tmp_path: Path
) -> None:
    source, command = SITES[name]
    (tmp_path / "pages.py").write_text(source)
    line, environ = kms
    port = free_port()
    address = str(port) if command[0] == "uvicorn" else f"{HOST}:{port}"
    line.fault = "drop"
    with running([*command, address, "pages:application"], port, tmp_path, environ) as server:
        in_outage = [tokens_in(page(port)) for _ in range(30)]
        line.fault = None
        deadline = time.monotonic() + 60
        signed = 0
        while signed < 20:  # of both workers
            signed = signed + 1 if tokens_in(page(port)) == BOTH else 0
            assert time.monotonic() < deadline
            time.sleep(0.05)
        line.fault = "drop"
        later = [tokens_in(page(port)) for _ in range(30)]
        assert server.poll() is None

    assert all(each == {"intercom_user_jwt"} for each in in_outage)
    assert all("intercom_user_jwt" in each for each in later)
    assert {"intercom_user_jwt"} in later
    log = (tmp_path / "log").read_text()
    assert "cannot be used" in log
    assert "failed to boot" not in log


@pytest.mark.parametrize("name", ["Flask, gthread", "Django, sync, recycled", "FastAPI, uvicorn"])
def test_mounted_secrets_that_are_swapped_are_used_without_a_failed_page(name: str, tmp_path: Path) -> None:
    source, command = SITES[name]
    (tmp_path / "pages.py").write_text(RELOADING + source)
    for kid in ("first", "second"):
        make_key_directory(tmp_path / kid, kid=kid)
    mounted = tmp_path / "mounted"
    mounted.symlink_to("first")
    variables = {**os.environ, **throwaway_environ(), "SALESFORCE_JWK_FILE": str(mounted / "jwk.json")}
    variables |= {"SALESFORCE_PRIVATE_KEY_FILE": str(mounted / "private-key.pem")}
    del variables["SALESFORCE_PRIVATE_KEY"], variables["SALESFORCE_KEY_ID"]
    port = free_port()
    address = str(port) if command[0] == "uvicorn" else f"{HOST}:{port}"

    def kid_of_a_page() -> object:
        [token] = re.findall(r'"salesforce_identity_token": ?"([^"]+)"', page(port))
        return decode_token(token).header["kid"]

    with running([*command, address, "pages:application"], port, tmp_path, variables):
        assert {kid_of_a_page() for _ in range(20)} == {"first"}
        (tmp_path / "next").symlink_to("second")
        (tmp_path / "next").replace(mounted)  # at once, as Kubernetes swaps what it has mounted
        deadline = time.monotonic() + 30
        new = 0
        while new < 20:  # of both workers
            found = kid_of_a_page()
            assert found in {"first", "second"}
            new = new + 1 if found == "second" else 0
            assert time.monotonic() < deadline
            time.sleep(0.02)
