"""Build the scripts that the library ships from their sources, with esbuild, and print their sizes.

Run it after a change of a source. Users need no build step: what it writes is committed, and a test compares.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

PACKAGES = Path(__file__).parents[1] / "browser" / "package.json"  # the version that the tests use, too
ESBUILD = f"esbuild@{json.loads(PACKAGES.read_text())['dependencies']['esbuild']}"
STATIC = Path(str(files("fin_messenger_auth"))) / "static"
# The oldest browsers that the docs name, and the ECMAScript version that all of them have.
OLDEST = {"chrome": "91", "edge": "91", "firefox": "79", "safari": "14.1", "ios": "14.5"}
ECMASCRIPT = 2021
TARGET = ",".join([f"es{ECMASCRIPT}", *(name + least for name, least in OLDEST.items())])
OPTIONS = ("--bundle", "--minify", "--format=esm", f"--target={TARGET}")
BANNER = f"/*! fin-messenger-auth {version('fin-messenger-auth')} | MIT */"
LIMITS = {"fin-messenger-auth.js": 3942, "snippet.min.js": 2252}  # compressed: 3.85 and 2.2 KB


def build(npm: str) -> dict[str, str]:
    """Return each script that is shipped, by name."""
    bundle = _bundle(npm, "snippet.js", "--define:IN_MODULE=false")
    snippet, replaced = re.subn(r"export\{(\w+) as boot,(\w+) as leave\};\s*$", r"return{boot:\1,leave:\2}", bundle)
    assert replaced == 1
    return {
        "fin-messenger-auth.js": _bundle(npm, "module.js", "--define:IN_MODULE=true", f"--banner:js={BANNER}"),
        "snippet.min.js": f"(()=>{{{snippet}}})()\n",
    }


def compressed(script: str) -> int:
    """Return the size of a script as servers send it, in bytes."""
    return len(gzip.compress(script.encode(), 9, mtime=0))


def _bundle(npm: str, name: str, *options: str) -> str:
    command = [npm, "exec", "--yes", f"--package={ESBUILD}", "--", "esbuild", *OPTIONS, *options]
    source = str(STATIC / "source" / name)
    return subprocess.run([*command, source], capture_output=True, check=True, text=True).stdout


if __name__ == "__main__":
    for script, text in build(shutil.which("npm") or "npm").items():
        (STATIC / script).write_text(text, "utf-8")
        print(f"{script}: {len(text)} bytes, {compressed(text)} compressed, of at most {LIMITS[script]}")
