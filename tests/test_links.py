"""The links of the pages that stand outside the docs, which Sphinx does not check."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.mark.parametrize("page", sorted(path.name for path in ROOT.glob("*.md")))
def test_relative_links_lead_to_files(page: str) -> None:
    links = [link.partition("#")[0] for link in LINK.findall((ROOT / page).read_text(encoding="utf-8"))]

    assert [link for link in links if ":" not in link and not (ROOT / link).exists()] == []


def test_a_package_index_gets_absolute_links() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for each in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)

    source = project["project"]["urls"]["Source"]
    raw = source.replace("github.com", "raw.githubusercontent.com")
    absolute = [link.partition("#")[0] for link in LINK.findall(text)]
    own = [link for link in absolute if not link.startswith("https://jose.")]
    assert all(link.startswith((f"{source}/blob/main/", f"{raw}/main/")) for link in own)
    paths = [re.sub(rf"^({re.escape(source)}/blob|{re.escape(raw)})/main/", "", link) for link in own]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert any(link.startswith(raw) for link in own)
