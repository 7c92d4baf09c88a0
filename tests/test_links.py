"""Every link between pages leads to a file and a heading, in the repository as on the site."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)]+)\)")


PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    if "_build" not in path.parts
)


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = [re.sub(r"[`*]|\]\(.*?\)|\[", "", each) for each in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    text = re.sub(
        r"`[^`\n]*`",
        "`code`",
        re.sub(r"^ *```.*?^ *```", "", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL),
    )
    lost = []
    for link in (each for each in LINK.findall(text) if not re.match(r"[a-z]+:", each)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)

    assert lost == []


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
