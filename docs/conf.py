"""How Sphinx makes the site."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))  # for generated.py
sys.path.insert(0, str(Path(__file__).parents[1]))  # for the bench, which is not installed

import generated

project = "fin-messenger-auth"
author = "The fin-messenger-auth developers"
project_copyright = f"2026, {author}"
release = version = version_of(project)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_design"]
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
    ("py:.*", r"(collections|cryptography|datetime|os|pathlib|rsa|types|typing|uuid|hashlib|argparse)\..*"),
    ("py:.*", r"(dataclasses|fastapi|flask|starlette)\..*"),
    ("py:.*", r"(Any|Callable|Collection|Mapping|Sequence|Self|Unpack|UUID|datetime|timedelta|function|optional)"),
    ("py:.*", r"(Region|Identify|OnSigningError|KeySource|VerifyingKey|MaskedBytes)"),
    ("py:class", r"fin_messenger_auth\.contrib\.visit\..*"),
    ("py:.*", r"(RSAPublicKey|RSAPrivateKey|Certificate|Path)"),
]


def write_pages(_app: Sphinx) -> None:
    """Write the pages that come from the source, before Sphinx looks for pages."""
    generated.write_pages()


def setup(app: Sphinx) -> None:
    """Register what runs before the pages are read."""
    app.connect("builder-inited", write_pages)
