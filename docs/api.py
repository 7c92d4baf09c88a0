"""Writes the pages of the API reference as plain Markdown, which reads in the repository as on the site."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import griffe

SOURCE = Path(__file__).parents[1] / "src"

MODULES = {
    "fin_messenger_auth": "Users, tokens, settings, keys and signers.",
    "fin_messenger_auth.errors": "The error classes and the warning class.",
    "fin_messenger_auth.page": "What goes into a page: script elements, policies, the endpoint for fresh settings.",
    "fin_messenger_auth.contrib.django.middleware": "The middleware of the Django app, and what its async views call.",
    "fin_messenger_auth.contrib.flask": "The Flask extension.",
    "fin_messenger_auth.contrib.fastapi": "The FastAPI dependencies.",
    "fin_messenger_auth.onboarding": "Keys, certificates, JWKs: the commands, as functions.",
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
"""Every module with public names, and what is in it. Another module with `__all__` is listed by its own docstring."""

_ROLE = re.compile(r":(?:py:)?\w+:`(?:[^`<]*<)?[~.]?(?:[\w.]+\.)?(\w+)>?`")
_DOC = re.compile(r":doc:`/([\w/-]+)`")


def loaded() -> dict[str, griffe.Module]:
    """Return every module with `__all__`, by its name, in the order of the reference."""
    loader = griffe.GriffeLoader(search_paths=[SOURCE], allow_inspection=False)
    roots = [loader.load(name) for name in ("fin_messenger_auth", "fin_messenger_auth_pytest")]
    loader.resolve_aliases()
    found = {each.path: each for root in roots for each in _modules(root) if each.exports}
    return {name: found[name] for name in (*MODULES, *sorted(found.keys() - MODULES.keys())) if name in found}


def _modules(module: Any) -> Iterator[Any]:  # noqa: ANN401 - griffe's objects
    yield module
    for each in module.modules.values():
        if not each.is_alias:
            yield from _modules(each)


class Reference:
    """The reference: its pages by module."""

    def __init__(self) -> None:
        self.modules = loaded()
        self._module = ""  # whose page is being written
        self._homes: dict[str, str] = {}  # by the path of an object: what two modules export stands on the narrower one
        for module in sorted(self.modules, key=len):
            self._homes |= {self._path(module, name): module for name in self._names(module)}
        self._aliases = _aliases()

    def _names(self, module: str) -> list[str]:
        return [str(each) for each in self.modules[module].exports or ()]

    def _path(self, module: str, name: str) -> str:
        each = self.modules[module][name]
        return str((each.final_target if each.is_alias else each).path)

    def _home(self, module: str, name: str) -> str:
        return self._homes[self._path(module, name)]

    def _page_of(self, name: str) -> str | None:
        """Return where a name is described: this page, or else that of the narrowest module that exports it."""
        homes = {self._home(module, name) for module in self.modules if name in self._names(module)}
        home = self._module if self._module in homes else max(homes, key=len, default="")
        return f"{home}.md#{name.lower()}" if home else None

    def summary(self, module: str) -> str:
        """Return what is in a module, in a sentence."""
        return MODULES.get(module) or self.text(_docstring(self.modules[module])).partition("\n\n")[0]

    def page(self, module: str) -> str:
        """Return the page of one module."""
        self._module = module
        homes = {name: self._home(module, name) for name in self._names(module)}
        own = [name for name, home in homes.items() if home == module]
        elsewhere = [f"[`{name}`]({home}.md#{name.lower()})" for name, home in homes.items() if home != module]
        lines = [f"# {module}", "", self.summary(module), ""]
        if elsewhere:
            lines += [f"Also here: {', '.join(elsewhere)}.", ""]
        lines += ["| name | |", "|---|---|"]
        objects = {name: self.modules[module][name] for name in own}
        for name, each in objects.items():
            first = self.text(_docstring(each)).partition("\n\n")[0].replace("\n", " ")
            lines.append(f"| [`{name}`](#{name.lower()}) | {first} |")
        for name, each in objects.items():
            lines += ["", f"## {name}", "", *self._object(each, name)]
        words = set(re.findall(r"\w+", "\n".join(lines)))
        if named := {name: value for name, value in self._aliases.items() if name in words and name not in objects}:
            lines += ["", "## Types in these signatures", "", "| name | stands for |", "|---|---|"]
            lines += [f"| `{name}` | {_type(value)} |" for name, value in sorted(named.items())]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"

    def _object(self, each: Any, name: str) -> Iterator[str]:  # noqa: ANN401
        each = each.final_target if each.is_alias else each
        if each.is_class:
            bases = ", ".join(map(str, each.bases))
            call = f"class {name}{_parameters(each.parameters)}" if _is_called(each) else f"class {name}({bases})"
            yield from (f"```text\n{call}\n```", "", *self._sections(each))
            yield from self._members(each, name)
        elif each.is_function:
            kind = "async def" if "async" in each.labels else "def"
            yield from (f"```text\n{kind} {name}{_parameters(each.parameters)} -> {each.returns}\n```", "")
            yield from self._sections(each)
        else:
            value = str(each.value) if each.value is not None and len(str(each.value)) < _LONGEST_VALUE else "…"
            kind = f": {each.annotation}" if each.annotation and "TypeAlias" not in str(each.annotation) else ""
            yield from (f"```text\n{name}{kind} = {value}\n```", "", self.text(_docstring(each)))

    def _members(self, each: Any, name: str) -> Iterator[str]:  # noqa: ANN401
        members = {**each.inherited_members, **each.members}
        described = {getattr(item, "name", "") for section in _parsed(each) for item in _items(section)}
        fields = [
            (key, member)
            for key, member in members.items()
            if (member.is_attribute and not key.startswith("_") and key not in described and member.annotation)
        ]
        if fields:
            yield from ("", "| attribute | type | |", "|---|---|---|")
            for key, member in fields:
                said = _cell(self.text(_docstring(member))) or _comment(member)
                yield f"| `{key}` | {_type(member.annotation)} | {said} |"
        for key, member in members.items():
            if member.is_function and (not key.startswith("_") or key == "__call__") and _docstring(member):
                call = name if key == "__call__" else f"{name}.{key}"
                yield from ("", f"### {call}", "", *self._object(member, call))

    def _sections(self, each: Any) -> Iterator[str]:  # noqa: ANN401
        kinds = {"parameters": "argument", "attributes": "attribute", "raises": "raises", "returns": "returns"}
        for section in _parsed(each):
            if section.kind.value == "text":
                yield from (self.text(section.value), "")
            elif section.kind.value in kinds:
                heads = kinds[section.kind.value]
                yield from (
                    (f"| {heads} | | |", "|---|---|---|")
                    if heads in {"argument", "attribute"}
                    else (
                        f"| {heads} | |",
                        "|---|---|",
                    )
                )
                for item in _items(section):
                    said = _cell(self.text(item.description))
                    if heads in {"argument", "attribute"}:
                        annotation = item.annotation or _annotation(each, item.name)
                        yield f"| `{item.name}` | {_type(annotation)} | {said} |"
                    else:
                        yield f"| {_type(item.annotation)} | {said} |"
                yield ""
            elif section.kind.value == "admonition":
                yield from (f"**{section.title}:** {self.text(section.value.description)}", "")

    def text(self, text: str) -> str:
        """Return reStructuredText of a docstring as Markdown: its roles become links."""
        text = _DOC.sub(r"[\1](../../\1.md)", text)
        text = re.sub(r"\.\. code-block:: \w+\n\n((?: +.*\n?|\n)+)", lambda found: f"```text\n{found[1]}```\n", text)
        text = _ROLE.sub(self._link, text)
        return re.sub(r"([^`\n])``|``([^`\n])", lambda found: f"{found[1] or ''}`{found[2] or ''}", f" {text}")[1:]

    def _link(self, found: re.Match[str]) -> str:
        page = self._page_of(found[1])
        return f"[`{found[1]}`]({page})" if page else f"`{found[1]}`"


_LONGEST_VALUE = 300
_LONGEST_CALL = 80


def _aliases() -> dict[str, object]:
    """Return what the names of types stand for that signatures use and no module exports."""
    found = {}
    for path in (SOURCE / "fin_messenger_auth").rglob("*.py"):
        for name, value in re.findall(
            r"^([A-Z][a-zA-Z]+)(?:: TypeAlias)? = ([A-Z]\w+\[.+)$", path.read_text("utf-8"), re.MULTILINE
        ):
            found[name] = value.partition("  #")[0]
    return found


def _comment(each: Any) -> str:  # noqa: ANN401
    """Return the comment behind an attribute, such as its unit."""
    lines = each.filepath.read_text("utf-8").splitlines()
    return str(lines[each.lineno - 1].partition("  # ")[2])


def _docstring(each: Any) -> str:  # noqa: ANN401
    each = each.final_target if each.is_alias else each
    return each.docstring.value if each.docstring else ""


def _parsed(each: Any) -> Sequence[Any]:  # noqa: ANN401
    return each.docstring.parse("google", warnings=False) if each.docstring else []


def _items(section: Any) -> Iterable[Any]:  # noqa: ANN401
    return section.value if isinstance(section.value, list) else []


def _is_called(each: Any) -> bool:  # noqa: ANN401
    bases = " ".join(map(str, each.bases))
    return "Protocol" not in bases and "TypedDict" not in bases and "Exception" not in bases and bool(each.parameters)


def _annotation(each: Any, name: str) -> object:  # noqa: ANN401
    """Return the type of an argument or attribute that a docstring describes."""
    member = {**each.inherited_members, **each.members}.get(name) if each.is_class else None
    annotation = getattr(member, "annotation", None)
    return annotation or next((one.annotation for one in each.parameters if one.name == name), None)


def _parameters(parameters: Any) -> str:  # noqa: ANN401
    """Return a signature with types and defaults, one parameter a line where it is long."""
    shown: list[str] = []
    own = [each for each in parameters if each.name not in {"self", "cls"}]
    kinds = [each.kind.value for each in own]
    for each, kind, after in zip(own, kinds, [*kinds, ""][1:], strict=True):
        if kind == "keyword-only" and "*" not in "".join(part[:1] for part in shown):
            shown.append("*")
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        annotation = f": {each.annotation}" if each.annotation else ""
        equals = " = " if annotation else "="
        default = f"{equals}{each.default}" if each.default is not None and not stars else ""
        shown.append(f"{stars}{each.name}{annotation}{default}")
        if kind == "positional-only" and after != kind:
            shown.append("/")
    one_line = f"({', '.join(shown)})"
    return one_line if len(one_line) <= _LONGEST_CALL else "(\n" + "".join(f"    {each},\n" for each in shown) + ")"


def _type(annotation: object) -> str:
    text = str(annotation or "").replace("|", "\\|")
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
