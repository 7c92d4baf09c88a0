"""Reads one page as a browser does: HTML on standard input, and on standard output JSON of what it tells the Messenger.

``_page_reader`` runs this file as a program of its own, as an HTML parser and a JavaScript engine can both hang or
crash on a hostile page. It imports nothing of the package, opens no file once it reads, and hands no Python function
to the page, which is why every result is JSON text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import quickjs
from selectolax.lexbor import LexborHTMLParser, LexborNode

_MEMORY, _STACK = 256 << 20, 1_000_000  # bytes
_NAMES = 500  # names of functions that are looked for, and of cookies
_ANSWERS = 4  # of a visitor that are tried

_STAND_IN = Path(__file__).with_name("browser_stand_in.js").read_text("utf-8")
_IDS = ("app_id", "appId", "intercom_user_jwt", "salesforce_identity_token")
_NAMES_OF_OURS = ("intercomSettings", "intercom_user_jwt", "salesforce_identity_token")
_WAITING = re.compile(r"script|text/(plain|partytown)")  # for a consent, a loader or a worker
_JAVASCRIPT = re.compile(r"|(text|application)/(x-)?(java|ecma)script")
_LEXICAL = re.compile(r"\b(?:const|let|class)\s+(?!extends\b)([A-Za-z_$][\w$]*)")
_DECLARED = re.compile(r"\b(?:const|let|var|class|function)\s+(?!extends\b)([A-Za-z_$][\w$]*)")
_IMPORT = re.compile(r"import\b\s*(?:([\w$*{},\s]{1,2000}?)\bfrom\s*|)([\"'])([^\"'\n]{1,300})\2;?")
_DYNAMIC_IMPORT = re.compile(r"(?<![\w$.])import\s?\(")
_LINE = re.compile(r"<input>:(\d+)")
_NAME = re.compile(r"""["'/]([\w.-]{2,40})[="']""")  # perhaps of a cookie
_COMPARED = re.compile(r"""(?:=|\bcase|\[)\s*["']?([\w-]{1,20})["'/;)]""")  # perhaps with the answer of a visitor
_MOVE = re.compile(r"(?i)url\s*=\s*[\"']?([^\"'\s]+)")
_IMPORTER, _SHOWER = "finMessengerAuthImported", "finMessengerAuthShown"


class _StoppedError(Exception):
    """The page has used up what it may."""


class _Scripts:
    """The scripts of a page, run in a new engine."""

    def __init__(self, page: dict[str, Any], deadline: float, *assumptions: tuple[object, ...]) -> None:
        self.result: dict[str, Any] = {"events": [], "failed": [], "stopped": ""}
        self._page, self._deadline, self._names, self.missed = page, deadline, list[str](), False
        self._engine = quickjs.Context()
        self._engine.set_memory_limit(_MEMORY)
        self._engine.set_max_stack_size(_STACK)
        self._drive = self._engine.eval(_STAND_IN)
        try:
            self._step("modules", _IMPORTER, _SHOWER)
            for name, *given in assumptions:
                self._step(str(name), *map(self._value, given))
            self._run_all()
        except _StoppedError as error:
            self.result["stopped"] = str(error)
        with suppress(_StoppedError):
            self._deadline += 0.5  # to fetch the record
            self._drain()

    def assumptions(self) -> Iterator[tuple[object, ...]]:
        """Yield what another file or the visitor may have done, if these scripts need it: the next pass takes it so."""
        if self.missed:
            yield ("installed",)
        texts = [each["text"] for each in self._page["scripts"]]
        if self.passes or not any("ntercom" in each for each in texts):
            return
        yield ("generous",)
        names = {name for each in texts for name in _NAME.findall(each)}
        wanted = [value for each in texts for value in _COMPARED.findall(each)]
        for answer in list(dict.fromkeys([*wanted, "1", "true"]))[:_ANSWERS]:
            yield ("answered", answer, sorted(names)[:_NAMES])

    def _value(self, given: object) -> object:
        """Return a value as one of the engine's."""
        return given if isinstance(given, str) else self._engine.parse_json(json.dumps(given))

    @property
    def passes(self) -> bool:
        """Whether anything was passed to the Messenger."""
        return any(each.get("settings") and not each["apart"] for each in self.result["events"])

    def _run_all(self) -> None:
        self._step("tree", self._engine.parse_json(self._page["tree"]))
        late = []
        for number, script in enumerate(self._page["scripts"]):
            if script["late"]:
                late.append((number, script))
            else:
                self._run(number, script)
        for number, script in late:
            self._run(number, script)
        for step in ("parsed", "queues"):
            self._step(step)
            self._work_off("task")
        self.missed = self._step("missed") == "1"
        for source in self._page["waiting"]:
            self._step("waits", source)
        self._step("rest", self._value(self._names[:_NAMES]))
        self._work_off("apart")

    def _run(self, number: int, script: dict[str, Any]) -> None:
        """Run a script, and then what it has promised."""
        self._step("before", number, script["place"])
        if script["src"] is not None:
            self._step("external", script["src"], script["late"])
        elif script["module"]:
            self._try(number, lambda: self._engine.module(_rewritten(script["text"])))
        else:
            self._names += _LEXICAL.findall(script["text"])
            source = _DYNAMIC_IMPORT.sub(f"(async x=>{_IMPORTER}(x))(", script["text"])
            self._try(number, lambda: self._engine.eval(f"{source}\n;0"))
        self._step("after")
        self._work_off()
        self._drain()

    def _try(self, number: int, run: Callable[[], object]) -> None:
        if error := self._limited(run)[1]:
            name, line = error.partition(":")[0], _LINE.search(error)
            failed = {"script": number, "name": name, "line": int(line[1]) if line else 1, "ran": "<eval>" in error}
            self.result["failed"].append({**failed, "why": error.partition("\n")[0][:200]})

    def _work_off(self, step: str = "") -> None:
        """Do what is due: jobs of promises, and between them tasks."""
        while True:
            while self._limited(self._engine.execute_pending_job)[0]:
                pass
            self._step("look")
            if not step or self._step(step) != "1":
                return

    def _step(self, name: str, *given: object) -> object:
        return self._limited(lambda: self._drive(name, *given))[0]

    def _drain(self) -> None:
        record: Any = self._step("drain")
        with suppress(ValueError, TypeError):
            found = json.loads(record)
            self.result["events"] += found["events"]
            if found["full"]:
                self.result["stopped"] = "it tells the Messenger more than can be read"

    def _limited(self, run: Callable[[], object]) -> tuple[object, str]:
        """Return what a call returns, or what the page threw."""
        left = self._deadline - process_time()
        if left <= 0:
            raise _StoppedError("its scripts do not end")
        self._engine.set_time_limit(left)
        try:
            return run(), ""
        except Exception as error:  # noqa: BLE001 - JSException, and whatever else the binding raises
            what = str(error)
        if what.startswith("InternalError: interrupted"):
            raise _StoppedError("its scripts do not end")
        if "out of memory" in what or not what.replace("null", "").strip():  # then there is none for a message
            raise _StoppedError("its scripts need too much memory")
        return None, what


def read(html: str, cpu_seconds: float) -> dict[str, Any]:
    """Return what a page tells the Messenger, and what else of it matters.

    Args:
        html: The page.
        cpu_seconds: What all its scripts may take together.
    """
    page = _parse(html)
    page["tree"] = json.dumps(page["tree"])
    deadline = process_time() + cpu_seconds
    taken: list[tuple[object, ...]] = []
    found = first = _Scripts(page, deadline)
    while not found.result["stopped"] and (more := next((e for e in found.assumptions() if e not in taken), None)):
        if more[0] == "answered" and process_time() > deadline - cpu_seconds / 2:
            break  # a page that is slow is not guessed about
        taken.append(more)
        found = _Scripts(page, deadline, *taken)
    del page["tree"]
    return {**page, **(found if found.passes or found.result["stopped"] else first).result}


def _parse(html: str) -> dict[str, Any]:
    """Parse a page: its nodes in document order, and of them what the reader looks at itself."""
    tree: list[tuple[int, str | None, Any]] = []
    lists = ("scripts", "policies", "data", "attributes", "said", "waiting", "moves")
    page: dict[str, Any] = {"tree": tree, **{name: [] for name in lists}}
    for node, place, parent in _nodes(html):
        tag = node.tag
        if tag in (None, "-text", "-comment", "-doctype"):
            text = (node.text_content or "") if tag == "-text" else ""
            tree.append((parent, None, text))
            if tag == "-comment" and any(each in (node.comment_content or "") for each in _IDS):
                page["said"].append("comment")
            if parent >= 0 and tree[parent][1] != "script" and any(each in text for each in _NAMES_OF_OURS):
                page["said"].append("text")
            continue
        attributes = {name: value or "" for name, value in node.attributes.items()}
        tree.append((parent, tag, attributes))
        page["attributes"] += [each for each in attributes.values() if each[:1] == "{" and any(i in each for i in _IDS)]
        if tag == "script":
            _add_script(page, attributes, node.text() or "", place)
        elif tag == "meta":
            kind, content = attributes.get("http-equiv", "").lower(), attributes.get("content", "")
            in_head = parent >= 0 and tree[parent][1] == "head"
            page["policies"] += [content] if in_head and kind == "content-security-policy" else []
            page["moves"] += _MOVE.findall(content) if kind == "refresh" else []
        elif tag == "input" and attributes.get("type", "").lower() == "password":
            page["said"].append("password")
    last = page["scripts"][-1:]
    end = html[-4000:].replace("\r\n", "\n").rstrip()
    if last and last[0]["text"] and end.endswith(last[0]["text"].rstrip()[-1000:]):
        page["said"].append("unended")
        page["unended"] = page["scripts"].pop()["text"]
    return page


def _add_script(page: dict[str, Any], attributes: dict[str, str], text: str, place: int) -> None:
    kind = attributes.get("type", "").strip().lower()
    if "json" in kind:
        page["data"] += [text] if any(each in text for each in _IDS) else []
    if kind != "module" and not _JAVASCRIPT.fullmatch(kind):
        page["waiting"] += [text.replace("\0", "\ufffd")] if _WAITING.search(kind) else []
        return
    src = attributes.get("src")
    late = kind == "module" or (src is not None and ("async" in attributes or "defer" in attributes))
    script = {"text": "" if src else text.replace("\0", "\ufffd"), "src": src, "module": kind == "module"}
    page["scripts"].append({**script, "late": late, "nonce": attributes.get("nonce"), "place": place})


def _nodes(html: str) -> Iterator[tuple[LexborNode, int, int]]:
    """Walk a document: each node, its place and its parent's, or -1."""
    root = LexborHTMLParser(html, scripting=True).root
    document = root.parent if root else None
    places: dict[int, int] = {}
    for place, node in enumerate(document.traverse(include_text=True) if document else (), -1):
        places[node.mem_id] = place
        if place >= 0:
            parent = node.parent
            yield node, place, places[parent.mem_id] if parent else -1


def _rewritten(source: str) -> str:
    """Return a module whose imports are calls, as the engine has no loader, and which shows its own functions."""
    head, body, end = [], [], 0
    for found in _IMPORT.finditer(source):
        if source[max(0, found.start() - 200) : found.start()].rstrip(" \t")[-1:] not in ("", ";", "}", "\n", "/"):
            continue
        body.append(source[end : found.start()])
        end = found.end()
        head.append(f"{_bindings(found[1] or '')}{_IMPORTER}({json.dumps(found[3])});")
    body.append(_DYNAMIC_IMPORT.sub(f"(async x=>{_IMPORTER}(x))(", source[end:]))
    names = dict.fromkeys(_DECLARED.findall(source))
    shown = ",".join(f"()=>{name}" for name in list(names)[:300])
    return f"{''.join(head)}{_SHOWER}({shown});{''.join(body)}"


def _bindings(names: str) -> str:
    """Return what an import binds, as the left side of a declaration."""
    before, _, inner = names.partition("{")
    pairs = [each.split() for each in inner.rstrip("} \t\r\n").split(",")]
    wanted = [f"{each[0]}:{each[-1]}" for each in pairs if each]
    plain = before.strip(" \t\r\n,").split()
    if plain[:1] == ["*"]:
        return f"const {plain[-1]}="
    if plain:
        wanted.insert(0, f"default:{plain[0]}")
    return f"const{{{','.join(wanted)}}}="


def _limit() -> None:
    """Let the process itself open nothing, start nothing and end, where the system can."""
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - not on Windows

        for name, limit in (("CPU", 9), ("AS", 3 << 30), ("FSIZE", 0), ("NOFILE", 0), ("NPROC", 0), ("CORE", 0)):
            with suppress(AttributeError, OSError, ValueError):
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))


def main(cpu_seconds: float) -> None:
    """Read the page on standard input."""
    html = sys.stdin.buffer.read().decode()
    _limit()
    sys.stdout.write(json.dumps(read(html, cpu_seconds)))
    sys.stdout.flush()
