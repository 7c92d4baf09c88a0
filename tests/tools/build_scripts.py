"""Build the scripts that the library ships from their sources, with esbuild. Run it after a change of a source.

Users need no build step: what it writes is committed, and a test compares.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

ESBUILD = "esbuild@0.28.2"
STATIC = Path(str(files("fin_messenger_auth"))) / "static"
OPTIONS = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--mangle-props=_$")


def build(npm: str, cache: Path) -> dict[str, str]:
    """Return each script that is shipped, by name. Both share one state, so its names are shortened alike."""
    cache.write_text("{}")
    module = _bundle(npm, cache, "module.js")
    body, exports = re.fullmatch(r"(?s)(.*)export\{(.*)\};\s*", _bundle(npm, cache, "snippet.js")).groups()
    names = ",".join(f"{public}:{short}" for short, public in re.findall(r"(\S+?) as (\w+)", exports))
    return {"fin-messenger-auth.js": module, "snippet.min.js": f"(()=>{{{body}return{{{names}}}}})()\n"}


def _bundle(npm: str, cache: Path, name: str) -> str:
    command = [npm, "exec", "--yes", f"--package={ESBUILD}", "--", "esbuild", *OPTIONS, f"--mangle-cache={cache}"]
    # In the folder of the cache, for npm looks for a package.json around it.
    return subprocess.run(
        [*command, str(STATIC / name)], capture_output=True, check=True, text=True, cwd=cache.parent
    ).stdout


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name, text in build(shutil.which("npm") or "npm", Path(folder) / "names.json").items():
            (STATIC / name).write_text(text, "utf-8")
            print(f"{name}: {len(text)} bytes")  # noqa: T201
