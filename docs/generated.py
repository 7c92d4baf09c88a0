"""The pages that are written from the source at build time: findings, the API, and what the bench measured."""

from __future__ import annotations

import re
from importlib import import_module
from inspect import isclass
from pathlib import Path
from string import Formatter

from bench.report import RESULTS, Report
from fin_messenger_auth.diagnosis import CATALOGUE, Finding

DOCS = Path(__file__).parent
REFERENCE = DOCS / "reference"

MODULES = {
    "fin_messenger_auth": "Users, tokens, settings, keys and signers.",
    "fin_messenger_auth.errors": "The error classes and the warning class.",
    "fin_messenger_auth.page": "What goes into a page: script elements, policies, the endpoint for fresh settings.",
    "fin_messenger_auth.contrib.django": "The Django app.",
    "fin_messenger_auth.contrib.django.middleware": "The middleware of the Django app.",
    "fin_messenger_auth.contrib.flask": "The Flask extension.",
    "fin_messenger_auth.contrib.fastapi": "The FastAPI dependencies.",
    "fin_messenger_auth.onboarding": "Keys, certificates, JWKs, Salesforce metadata: the commands, as functions.",
    "fin_messenger_auth.diagnosis": "Each check of the doctor, as a function that returns findings.",
    "fin_messenger_auth.sandbox": "The stand-in for both platforms.",
    "fin_messenger_auth.testing": "For your own tests: throwaway keys, a frozen clock, decoded tokens.",
    "fin_messenger_auth.backends.aws_kms": "A signer whose key is in AWS KMS.",
    "fin_messenger_auth.backends.pkcs11": "A signer whose key is in an HSM.",
    "fin_messenger_auth.backends.remote": "A base for a signer whose key is in another service.",
}
"""Every module with public names, and what is in it."""

ALSO = {
    "fin_messenger_auth": ["fin_messenger_auth.environment.SignerFactory"],
    "fin_messenger_auth.page": ["fin_messenger_auth.page.snippet.Snippet"],
    "fin_messenger_auth.diagnosis": [
        "fin_messenger_auth.diagnosis.http_client.Answer",
        "fin_messenger_auth.diagnosis.http_client.NoAnswerError",
        "fin_messenger_auth.diagnosis.transcript.Exchange",
    ],
}
"""What public functions return or take, and nobody imports."""

_HOMES = {"fin_messenger_auth.diagnosis.CATALOGUE": "fin_messenger_auth.diagnosis.findings.CATALOGUE"}
"""Data whose docstring autodoc finds only where it is defined."""

_FINDINGS = """# Findings

What `inspect`, `doctor` and the functions of `fin_messenger_auth.diagnosis` can find, by platform and check. Errors and
warnings of the library carry the same codes in `.code`. A code keeps its meaning from version to version. `[…]` stands
for what differs from case to case. An *error* will not work or is unsafe; a *warning* works, but perhaps not for long;
what is *unchecked* cannot be checked from here.
"""

_PLATFORMS = {"intercom": "Intercom: ", "salesforce": "Salesforce: ", "online": "Salesforce, online: "}


def _write(path: Path, text: str) -> None:
    """Write a page, unless it is there already: Sphinx would read it again."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _markdown(text: str) -> str:
    """Show placeholders as ``[name]``, and what looks like HTML as it stands, outside of code."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    parts = text.format(**{name: f"[{name}]" for name in names}).split("`")
    return "`".join(part if place % 2 else re.sub(r"([<\[])", r"\\\1", part) for place, part in enumerate(parts))


def _entry(finding: Finding) -> str:
    source = f"[{finding.evidence}]({finding.url})" if finding.url else str(finding.evidence)
    message, fix = _markdown(finding.message), _markdown(finding.fix)
    return f"### {finding.code}\n\n*{finding.level.capitalize()}.* {message}\n\n**Fix:** {fix} ({source})\n"


def write_findings() -> None:
    """Write the page of findings from the catalogue."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in CATALOGUE.values():
        platform = _PLATFORMS.get(finding.code.partition("-")[0], "")
        groups.setdefault((platform, f"{platform}{finding.check}"), []).append(finding)
    ordered = sorted(groups.items(), key=lambda group: group[0][0])  # stable: the checks stay in their order
    sections = (
        "\n".join([f"## {title[0].upper()}{title[1:]}\n", *map(_entry, entries)]) for (_, title), entries in ordered
    )
    _write(REFERENCE / "findings.md", "\n".join([_FINDINGS, *sections]))


def public_names(module: str) -> list[str]:
    """Return the full names of what ``module`` publishes, in the order of the page."""
    return [*(f"{module}.{name}" for name in import_module(module).__all__), *ALSO.get(module, [])]


def _directive(full_name: str) -> str:
    module, _, name = full_name.rpartition(".")
    value = getattr(import_module(module), name)
    if isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        return f".. {kind}:: {full_name}\n   :members:\n"
    if callable(value):
        return f".. autofunction:: {full_name}\n"
    return f".. autodata:: {_HOMES.get(full_name, full_name)}\n   :no-value:\n"


def api_page(module: str, summary: str) -> str:
    """Return the page of one module. What two modules publish stands on the page of the narrower one."""
    names, elsewhere = public_names(module), {}
    for other in MODULES:
        if other.startswith(f"{module}."):
            elsewhere |= {f"{module}.{name}": other for name in import_module(other).__all__}
    lines = [f"# `{module}`", "", summary, ""]
    for other in dict.fromkeys(elsewhere[name] for name in names if name in elsewhere):
        also = ", ".join(f"`{name.rpartition('.')[2]}`" for name in names if elsewhere.get(name) == other)
        lines += [f"Also here, and described with [`{other}`]({other}.md): {also}.", ""]
    directives = [_directive(name) for name in names if name not in elsewhere]
    return "\n".join([*lines, "```{eval-rst}", f".. py:module:: {module}", "", *directives, "```", ""])


def write_api() -> None:
    """Write a page for each public module, with every name in its ``__all__``, and a page that lists them."""
    lines = ["# API", "", "Everything that is public, from the docstrings.", "", "| module | |", "|---|---|"]
    for module, summary in MODULES.items():
        lines.append(f"| [`{module}`](api/{module}.md) | {summary} |")
        _write(REFERENCE / "api" / f"{module}.md", api_page(module, summary))
    lines += ["", "```{toctree}", ":hidden:", "", *(f"api/{module}" for module in MODULES), "```", ""]
    _write(REFERENCE / "api.md", "\n".join(lines))


def write_performance() -> None:
    """Write what performance.md includes, from the committed summary of the last run of the bench."""
    for name, text in Report.from_summary(RESULTS.read_text("utf-8")).pages().items():
        _write(DOCS / "_generated" / name, text)
