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

extensions = ["myst_parser", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["_build"]
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_js_files = ["tables.js"]
html_theme = "furo"
html_title = project
html_logo = html_favicon = "_static/logo.svg"
html_copy_source = False
copybutton_prompt_text = "$ "  # what is copied can be pasted
copybutton_line_continuation_character = "\\"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3


def write_pages(_app: Sphinx) -> None:
    """Write the pages that come from the source, before Sphinx looks for pages."""
    generated.write_pages()


def setup(app: Sphinx) -> None:
    """Register what runs before the pages are read."""
    app.connect("builder-inited", write_pages)
