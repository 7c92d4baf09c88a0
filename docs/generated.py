"""The pages that are written from the source at build time: most of the reference."""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from string import Formatter

from api import Reference

from bench.report import RESULTS, Report
from fin_messenger_auth import _environment, cli, errors
from fin_messenger_auth.diagnosis import CATALOGUE, Finding
from fin_messenger_auth.diagnosis._findings import general_names
from fin_messenger_auth.onboarding import KeyDirectory, salesforce_steps

DOCS = Path(__file__).parent

_PLATFORMS = {"intercom": "Intercom: ", "salesforce": "Salesforce: ", "online": "Salesforce, online: "}


def _write(path: Path, text: str) -> None:
    """Write a page, unless it is there already: Sphinx would read it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _embed(page: Path, name: str, text: str) -> None:
    """Put ``text`` into a page, between the markers of that name: it reads in the repository, too."""
    before, start, rest = page.read_text("utf-8").partition(f"<!-- generated: {name} -->\n")
    _write(page, f"{before}{start}{text}{''.join(rest.partition('<!-- end -->')[1:])}")


def _markdown(text: str) -> str:
    """Show placeholders as ``[name]``, and what looks like HTML as it stands, outside of code."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    parts = text.format(**{name: f"[{name}]" for name in names} | general_names()).split("`")
    return "`".join(part if place % 2 else re.sub(r"([<\[])", r"\\\1", part) for place, part in enumerate(parts))


def _entry(finding: Finding) -> str:
    source = f"[{finding.evidence}]({finding.url})" if finding.url else str(finding.evidence)
    message, fix = _markdown(finding.message or "The message names it."), _markdown(finding.fix)
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
    _embed(DOCS / "reference" / "findings-and-errors.md", "findings", "\n".join(sections))


def write_api() -> None:
    """Write a page for each public module, and the list of them."""
    reference, folder = Reference(), DOCS / "reference" / "api"
    for page in folder.glob("*.md"):
        if page.stem not in reference.modules:
            page.unlink()
    lines = ["| module | |", "|---|---|"]
    for module in reference.modules:
        lines.append(f"| [`{module}`](api/{module}.md) | {reference.summary(module)} |")
        _write(folder / f"{module}.md", reference.page(module))
    lines += ["", "```{toctree}", ":hidden:", "", *(f"api/{module}" for module in reference.modules), "```", ""]
    _embed(DOCS / "reference" / "api.md", "api", "\n".join(lines))


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
    _embed(DOCS / "reference" / "variables-and-commands.md", "commands", "\n".join(sections))


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
        links = ", ".join(f"[`{code}`](#{code})" for code in sorted(codes))
        meaning = f"{_summary(getattr(errors, name))} [More](api/fin_messenger_auth.errors.md#{name.lower()})."
        lines += [f"### {name}\n", f"{meaning}\n", *([f"Codes: {links}.\n"] if codes else [])]
    _embed(DOCS / "reference" / "findings-and-errors.md", "errors", "\n".join(lines))


def write_variables() -> None:
    """Write what each environment variable means."""
    lines = []
    for name, meaning in _environment.MEANINGS.items():
        names = f"`{name}`, `{name}_FILE`" if name in _environment.IN_FILES else f"`{name}`"
        lines.append(f"{names}\n: {meaning[0].upper()}{meaning[1:]}.\n")
    _embed(DOCS / "reference" / "variables-and-commands.md", "variables", "\n".join(lines))


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
    _embed(DOCS / "reference" / "versions-and-performance.md", "versions", "\n".join([*lines, ""]))


def write_salesforce_steps() -> None:
    """Write what is left to do in Salesforce, with the tutorial's values."""
    directory = KeyDirectory(Path("keys"), kid="WebAppKey1", alg="RS256", encrypted=False)
    steps = salesforce_steps(directory, issuer="https://acme.example")
    _embed(
        DOCS / "set-up" / "salesforce.md",
        "steps",
        "".join(f"{number}. {step}\n" for number, step in enumerate(steps, 1)),
    )


def write_performance() -> None:
    """Write figures and picture of the committed summary of the last run of the bench."""
    pages = Report.from_summary(RESULTS.read_text("utf-8")).pages()
    _write(DOCS / "_static" / "performance.svg", pages["performance.svg"])
    for name in ("paper", "tables"):
        [text] = [text for page, text in pages.items() if page.endswith(f"{name}.md")]
        _embed(DOCS / "reference" / "versions-and-performance.md", name, text)


def write_pages() -> None:
    """Write every page that comes from the source."""
    writers = [write_api, write_commands, write_compatibility, write_errors, write_findings, write_performance]
    for write in (*writers, write_salesforce_steps, write_variables):
        write()
