"""The pages that are written from the source at build time: most of the reference."""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc, isclass
from pathlib import Path
from string import Formatter
from typing import Any

from bench.report import RESULTS, Report
from fin_messenger_auth import _environment, cli, errors
from fin_messenger_auth.diagnosis import CATALOGUE, Finding
from fin_messenger_auth.onboarding import KeyDirectory, salesforce_steps

DOCS = Path(__file__).parent
GENERATED = DOCS / "_generated"

MODULES = {
    "fin_messenger_auth": "Users, tokens, settings, keys and signers.",
    "fin_messenger_auth.errors": "The error classes and the warning class.",
    "fin_messenger_auth.page": "What goes into a page: script elements, policies, the endpoint for fresh settings.",
    "fin_messenger_auth.contrib.django.middleware": "The middleware of the Django app, and what its async views call.",
    "fin_messenger_auth.contrib.flask": "The Flask extension.",
    "fin_messenger_auth.contrib.fastapi": "The FastAPI dependencies.",
    "fin_messenger_auth.onboarding": "Keys, certificates, JWKs, Salesforce metadata: the commands, as functions.",
    "fin_messenger_auth.diagnosis": "Each check of the doctor, as a function that returns findings.",
    "fin_messenger_auth.sandbox": "The stand-in for both platforms.",
    "fin_messenger_auth.testing": "For your own tests: throwaway keys, a frozen clock, decoded tokens.",
    "fin_messenger_auth_pytest": "pytest fixtures; pytest finds them without an import.",
    "fin_messenger_auth.backends": "What a signer of your own for another service is made of.",
    "fin_messenger_auth.backends.aws_kms": "A signer whose key is in AWS KMS.",
    "fin_messenger_auth.backends.azure_key_vault": "A signer whose key is in Azure Key Vault or Managed HSM.",
    "fin_messenger_auth.backends.google_cloud_kms": "A signer whose key is in Google Cloud KMS.",
    "fin_messenger_auth.backends.pkcs11": "A signer whose key is in an HSM.",
    "fin_messenger_auth.backends.vault": "A signer whose key is in HashiCorp Vault or OpenBao.",
}
"""Every module with public names, and what is in it."""

ALSO = {
    "fin_messenger_auth": ["fin_messenger_auth._environment.SignerFactory"],
    "fin_messenger_auth.page": ["fin_messenger_auth.page._snippet.Snippet"],
    "fin_messenger_auth.diagnosis": [
        "fin_messenger_auth.diagnosis._http.Answer",
        "fin_messenger_auth.diagnosis._http.NoAnswerError",
    ],
}
"""What public functions return or take, and nobody imports."""

_HOMES = {"fin_messenger_auth.diagnosis.CATALOGUE": "fin_messenger_auth.diagnosis._findings.CATALOGUE"}
"""Data whose docstring autodoc finds only where it is defined."""

_PLATFORMS = {"intercom": "Intercom: ", "salesforce": "Salesforce: ", "online": "Salesforce, online: "}


def _write(path: Path, text: str) -> None:
    """Write a page, unless it is there already: Sphinx would read it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _embed(page: Path, text: str) -> None:
    """Put ``text`` into a page, between its markers: readers of the repository see it, too."""
    before, start, rest = page.read_text("utf-8").partition("<!-- generated -->\n")
    _write(page, f"{before}{start}{text}{''.join(rest.partition('<!-- end -->')[1:])}")


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
    _write(GENERATED / "findings.md", "\n".join(sections))


def public_names(module: str) -> list[str]:
    """Return the full names of what ``module`` publishes, in the order of the page."""
    return [*(f"{module}.{name}" for name in import_module(module).__all__), *ALSO.get(module, [])]


def _value(full_name: str) -> Any:  # noqa: ANN401 - whatever is public
    module, _, name = _HOMES.get(full_name, full_name).rpartition(".")
    return getattr(import_module(module), name)


def _directive(full_name: str) -> str:
    value = _value(full_name)
    if isclass(value):
        if issubclass(value, BaseException):
            return f".. autoexception:: {full_name}\n   :members:\n"
        ours = any(base.__module__.startswith("fin_messenger_auth.") for base in value.__mro__[1:])
        return f".. autoclass:: {full_name}\n   :members:\n" + ("   :inherited-members:\n" if ours else "")
    if full_name.startswith("fin_messenger_auth_pytest"):  # autodoc knows no fixtures
        return f".. py:data:: {full_name.rpartition('.')[2]}\n\n   {getdoc(value)}\n"
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
    own = [name for name in names if name not in elsewhere]
    lines += ["| name | |", "|---|---|"]
    lines += [
        f"| {{py:obj}}`{name.rpartition('.')[2]} <{_HOMES.get(name, name)}>` | {_summary(_value(name))} |"
        for name in own
    ]
    directives = [_directive(name) for name in own]
    return "\n".join([*lines, "", "```{eval-rst}", f".. py:module:: {module}", "", *directives, "```", ""])


def write_api() -> None:
    """Write a page for each public module, with every name in its ``__all__``, and a page that lists them."""
    lines = ["| module | |", "|---|---|"]
    for module, summary in MODULES.items():
        lines.append(f"| [`{module}`](api/{module}.md) | {summary} |")
        _write(DOCS / "reference" / "api" / f"{module}.md", api_page(module, summary))
    lines += ["", "```{toctree}", ":hidden:", "", *(f"api/{module}" for module in MODULES), "```", ""]
    _write(GENERATED / "api.md", "\n".join(lines))


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the rows of one command's table."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001
            continue
        formatter = parser._get_formatter()  # noqa: SLF001
        value = formatter._format_args(action, formatter._get_default_metavar_for_optional(action))  # noqa: SLF001
        names = [f"`{f'{option} {value}'.strip()}`" for option in action.option_strings] or [f"`{action.metavar}`"]
        text = re.sub(r"([<|])", r"\\\1", (action.help or "") % {**vars(action), "prog": parser.prog})
        yield f"| {', '.join(names)} | {text} |"


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by the command's name."""
    [subparsers] = [each for each in cli._parser()._actions if isinstance(each.choices, dict)]  # noqa: SLF001
    return dict(subparsers.choices)


def write_commands() -> None:
    """Write the page of commands from the parser."""
    sections = []
    for name, parser in commands().items():
        usage = parser.format_usage().removeprefix("usage: ").rstrip()
        sections.append(f"## {name}\n\n{parser.description}\n\n```text\n{usage}\n```\n")
        if rows := list(_options(parser)):
            sections.append("\n".join(["| argument | meaning |", "|---|---|", *rows, ""]))
    _write(GENERATED / "commands.md", "\n".join(sections))


def codes_of_errors() -> dict[str, set[str]]:
    """Return the codes that each class carries, as the calls in the source name them."""
    classes = {name: name for name in errors.__all__} | {
        "note": "ConfigurationError",
        "_value": "ConfigurationError",
        "warn": "FinMessengerAuthWarning",
    }
    found = {name: {getattr(getattr(errors, name), "default_code", "")} & CATALOGUE.keys() for name in errors.__all__}
    for path in Path(errors.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                callee = classes.get(getattr(call.func, "id", getattr(call.func, "attr", "")), "")
                constants = {each.value for each in ast.walk(call) if isinstance(each, ast.Constant)}
                found.get(callee, set()).update(constants & CATALOGUE.keys())
    return found


def _summary(value: object) -> str:
    """Return the first paragraph of a docstring, in Markdown."""
    text = (getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")
    return re.sub(r":\w+:`[~.]?(?:\w+\.)*(\w+)`", r"`\1`", text).replace("``", "`")


def write_errors() -> None:
    """Write what each class of error means, and the codes that it carries."""
    lines = []
    for name, codes in codes_of_errors().items():
        links = ", ".join(f"[`{code}`](findings.md#{code})" for code in sorted(codes))
        meaning = f"{_summary(getattr(errors, name))} {{class}}`More <fin_messenger_auth.errors.{name}>`."
        lines += [f"### {name}\n", f"{meaning}\n", *([f"Codes: {links}.\n"] if codes else [])]
    _write(GENERATED / "errors.md", "\n".join(lines))


def write_variables() -> None:
    """Write what each environment variable means."""
    lines = []
    for name, meaning in _environment.MEANINGS.items():
        names = f"`{name}`, `{name}_FILE`" if name in _environment.IN_FILES else f"`{name}`"
        lines.append(f"{names}\n: {meaning[0].upper()}{meaning[1:]}.\n")
    _embed(DOCS / "reference" / "variables.md", "\n".join(lines))


def write_compatibility() -> None:
    """Write the lowest versions that pyproject.toml allows."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    rows = [
        ("Python", project["project"]["requires-python"]),
        *(each.split(">=") for each in project["project"]["dependencies"]),
        *(
            (f"{name} (extra `{extra}`)", low)
            for extra in extras
            for name, low in (each.split(">=") for each in extras[extra])
        ),
        *(each.split(">=") for each in groups["frameworks"] if not each.startswith("httpx")),
    ]
    lines = ["| what | lowest version |", "|---|---|", *(f"| {name} | {low.lstrip('>=')} |" for name, low in rows)]
    _write(GENERATED / "compatibility.md", "\n".join([*lines, ""]))


def write_salesforce_steps() -> None:
    """Write what is left to do in Salesforce, with the tutorial's values."""
    directory = KeyDirectory(Path("keys"), kid="WebAppKey1", alg="RS256", encrypted=False)
    steps = salesforce_steps(directory, issuer="https://acme.example")
    _embed(
        DOCS / "how-to" / "set-up-salesforce.md",
        "".join(f"{number}. {step}\n" for number, step in enumerate(steps, 1)),
    )


def write_performance() -> None:
    """Write what performance.md includes, from the committed summary of the last run of the bench."""
    for name, text in Report.from_summary(RESULTS.read_text("utf-8")).pages().items():
        _write(GENERATED / name, text)


def write_pages() -> None:
    """Write every page that comes from the source."""
    writers = [write_api, write_commands, write_compatibility, write_errors, write_findings, write_performance]
    for write in (*writers, write_salesforce_steps, write_variables):
        write()
