"""Write the SBOM (CycloneDX) of the wheel and its dependencies, as an environment of their own has them.

``sbom.py DIST FILE``
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

EXPECTED = {"fin-messenger-auth", "cryptography", "joserfc"}


def main(built: Path, sbom: Path) -> int:
    """Write it, and return 1 if a component is missing."""
    (wheel,) = built.glob("*.whl")
    with TemporaryDirectory() as directory:
        venv.create(directory)  # without pip, which is no part of the product
        python = str(Path(directory, "Scripts" if sys.platform == "win32" else "bin", "python"))
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, str(wheel)], check=True)
        describe = ["environment", "--pyproject", "pyproject.toml", "--output-reproducible", "-o", str(sbom), python]
        subprocess.run([sys.executable, "-m", "cyclonedx_py", *describe], check=True)
    document = json.loads(sbom.read_text("utf-8"))
    names = {each["name"] for each in [document["metadata"]["component"], *document["components"]]}
    print("SBOM of", ", ".join(sorted(names)))
    return int(not names >= EXPECTED)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
