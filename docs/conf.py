"""How Sphinx makes the site."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from string import Formatter

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the bench, which is not installed

from bench.report import RESULTS, Report
from fin_messenger_auth.diagnosis import CATALOGUE, Finding

project = "fin-messenger-auth"
author = "The fin-messenger-auth developers"
project_copyright = f"2026, {author}"
release = version = version_of(project)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated"]  # performance.md includes it
html_static_path = ["_static"]
html_theme = "furo"
html_title = project

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_preserve_defaults = True  # or the signature would show the environment of whoever builds the site
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Warns", "Raises")]

# What other projects document: their inventories cannot be had where the site is built without a network.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|cryptography|dataclasses|flask|starlette|datetime|os|pathlib|rsa|types|typing|uuid|hashlib|argparse)\..*"),
    ("py:.*", r"(Any|Callable|Collection|Mapping|Sequence|Self|Unpack|UUID|datetime|timedelta|function|optional)"),
    ("py:.*", r"(Region|Identify|OnSigningError|KeySource|VerifyingKey|MaskedBytes)"),
    ("py:.*", r"(RSAPublicKey|RSAPrivateKey|Certificate|Path)"),
]

_FINDINGS = """# Findings

What `inspect`, `doctor` and the functions of `fin_messenger_auth.diagnosis` can find, by platform and check. Errors and
warnings of the library carry the same codes in `.code`. A code keeps its meaning from version to version. `[…]` stands
for what differs from case to case. An *error* will not work or is unsafe; a *warning* works, but perhaps not for long;
what is *unchecked* cannot be checked from here.
"""

_PLATFORMS = {"intercom": "Intercom: ", "salesforce": "Salesforce: ", "online": "Salesforce, online: "}


def _markdown(text: str) -> str:
    """Show placeholders as ``[name]``, and what looks like HTML as it stands, outside of code."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    parts = text.format(**{name: f"[{name}]" for name in names}).split("`")
    return "`".join(part if place % 2 else re.sub(r"([<\[])", r"\\\1", part) for place, part in enumerate(parts))


def _entry(finding: Finding) -> str:
    source = f"[{finding.evidence}]({finding.url})" if finding.url else str(finding.evidence)
    message, fix = _markdown(finding.message), _markdown(finding.fix)
    return f"### {finding.code}\n\n*{finding.level.capitalize()}.* {message}\n\n**Fix:** {fix} ({source})\n"


def write_findings(_app: Sphinx) -> None:
    """Write the page of findings from the catalogue, before Sphinx looks for sources."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in CATALOGUE.values():
        platform = _PLATFORMS.get(finding.code.partition("-")[0], "")
        groups.setdefault((platform, f"{platform}{finding.check}"), []).append(finding)
    ordered = sorted(groups.items(), key=lambda group: group[0][0])  # stable: the checks stay in their order
    sections = (
        "\n".join([f"## {title[0].upper()}{title[1:]}\n", *map(_entry, entries)]) for (_, title), entries in ordered
    )
    page, text = Path(__file__).with_name("findings.md"), "\n".join([_FINDINGS, *sections])
    if not page.exists() or page.read_text("utf-8") != text:  # or every build would read it again
        page.write_text(text, "utf-8")


def write_performance(_app: Sphinx) -> None:
    """Write what performance.md includes, from the committed summary of the last run of the bench."""
    folder = Path(__file__).with_name("_generated")
    folder.mkdir(exist_ok=True)
    for name, text in Report.from_summary(RESULTS.read_text("utf-8")).pages().items():
        (folder / name).write_text(text, "utf-8")


def setup(app: Sphinx) -> None:
    """Register what runs before the sources are read."""
    app.connect("builder-inited", write_findings)
    app.connect("builder-inited", write_performance)
