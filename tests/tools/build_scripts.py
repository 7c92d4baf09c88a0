"""Build the scripts that the library ships from their sources, with esbuild. Run it after a change of a source.

Users need no build step: what it writes is committed, and a test compares.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

PACKAGES = Path(__file__).parents[1] / "browser" / "package.json"  # the version that the tests use, too
ESBUILD = f"esbuild@{json.loads(PACKAGES.read_text())['dependencies']['esbuild']}"
NAMES = Path(__file__).with_name("names.json")
STATIC = Path(str(files("fin_messenger_auth"))) / "static"
OPTIONS = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--mangle-props=_$")


def build(npm: str) -> dict[str, str]:
    """Return each script that is shipped, by name.

    Both share one state, and a browser may hold one of them in an older version: so its names are shortened alike,
    always, by a list that is kept.
    """
    module = _bundle(npm, "module.js")
    found = re.fullmatch(r"(?s)(.*)export\{(.*)\};\s*", _bundle(npm, "snippet.js"))
    assert found is not None
    body, exports = found.groups()
    names = ",".join(f"{public}:{short}" for short, public in re.findall(r"([\w$]+) as (\w+)", exports))
    return {"fin-messenger-auth.js": module, "snippet.min.js": f"(()=>{{{body}return{{{names}}}}})()\n"}


def _bundle(npm: str, name: str) -> str:
    command = [npm, "exec", "--yes", f"--package={ESBUILD}", "--", "esbuild", *OPTIONS, f"--mangle-cache={NAMES}"]
    return subprocess.run([*command, str(STATIC / name)], capture_output=True, check=True, text=True).stdout


if __name__ == "__main__":
    for script, text in build(shutil.which("npm") or "npm").items():
        (STATIC / script).write_text(text, "utf-8")
        print(f"{script}: {len(text)} bytes")
