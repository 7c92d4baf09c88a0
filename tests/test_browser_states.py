"""The scripts of a page in a browser without a screen, in node: each cell of the table, and random interleavings."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Program

SCRIPTS = Path(__file__).with_name("scripts")


def run(program: Program, *arguments: str) -> str:
    done = subprocess.run(
        [program("node"), *arguments], cwd=SCRIPTS, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_cell_of_the_table_is_what_the_docs_say(program: Program) -> None:
    assert run(program, "cells.mjs") == "102 cells\n"


def test_what_an_application_sees_of_the_module(program: Program) -> None:
    run(program, "--test", "module.test.mjs")


def test_random_interleavings_show_nobody_who_has_left(program: Program) -> None:
    assert run(program, "interleavings.mjs", "500", "3").startswith("500 sequences")  # tests/browser runs 20,000


def test_on_a_server_nothing_is_started_and_the_import_does_nothing(program: Program) -> None:
    script = (
        "const { startMessenger } = await import('../../src/fin_messenger_auth/static/fin-messenger-auth.js');"
        "const messenger = await startMessenger('/settings');"
        "await messenger.signedIn(); await messenger.signedOut(); await messenger.refresh();"
        "messenger.update({}); messenger.routeChanged(); messenger.stop();"
    )
    said = run(program, "--no-warnings", "--input-type=module", "-e", script)
    assert said == "fin-messenger-auth: on a server, nothing is started\n"
