"""Real applications and extensions of Django beside the Messenger, each site in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("allauth", "loginas", "oscar", "wagtail"):
    pytest.importorskip(package, reason="the session `frameworks` installs it")

ROOT = Path(__file__).parents[2]
SITES = [
    "shop",
    "wagtail",
    "oscar",
    "loginas",
    "loginas LOGINAS_FROM_USER_SESSION_FLAG=staff_member",
    "loginas LOGINAS_FROM_USER_SESSION_FLAG=from LOGINAS_UPDATE_LAST_LOGIN=1 LOGINAS_USER_SESSION_DAYS_TIMESTAMP=1",
    "loginas LOGINAS_CSP_FRIENDLY=1 LOGINAS_MESSAGE_EXTRA_TAGS=x LOGINAS_REDIRECT_URL=/ LOGINAS_LOGOUT_REDIRECT_URL=/",
    "loginas LOGINAS_USERNAME_FIELD=email LOGINAS_LOGIN_REASON_REQUIRED=1",
    "loginas LOGINAS_MESSAGE_LOGIN_SWITCH=a LOGINAS_MESSAGE_LOGIN_REVERT=b",
]


@pytest.mark.parametrize("site", SITES)
def test_from_sign_in_to_the_next_user(site: str) -> None:
    program = Path(__file__).with_name("django_extensions.py")
    command = [sys.executable, "-W", "ignore", str(program), *site.split()]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("done\n"), done.stderr[-3000:]
