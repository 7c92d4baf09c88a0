"""Measures whole pages: what the integrations add to a page, beside what the same page with hand-written PyJWT adds.

Each framework serves three pages in this process, without a network: bare, with tokens by PyJWT, and with the
integration as its guide says. The page by hand does what the integration's does: it asks who is signed in, makes both
tokens with keys that were parsed at start-up, writes the settings so that no value ends the script, has the script that
renews them from an endpoint, both by the framework's own URLs, and says that no cache may keep it. Neither has a nonce.
``python -m bench.pages`` runs it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from . import peers
from .measure import FULL, Effort, Figure, Section, Slot, compare
from .peers import Case

BARE, BY_HAND, OURS = "bare", "hand-written PyJWT", "the integration"
_FILLER = "<p>The rest of the page.</p>\n" * 290
_HAND = """<script>window.intercomSettings = {{ settings|safe }};(function(){var w=window;var ic=w.Intercom;
if(typeof ic==="function"){ic('update',w.intercomSettings);}else{var d=document;var i=function(){i.c(arguments);};
i.q=[];i.c=function(args){i.q.push(args);};w.Intercom=i;var s=d.createElement('script');
s.src='https://widget.intercom.io/widget/throwaway';d.documentElement.append(s);}})();</script>
<script type="module">import{startMessenger}from"%s";startMessenger("%s");</script>"""
_HEADERS = {"Cache-Control": "private, no-store", "Vary": "Cookie"}
_PAGE = f"<!doctype html><title>Bench</title><body>{_FILLER}%s</body>"


def measure(effort: Effort) -> list[Section]:
    """Measure the three frameworks."""
    case = Case()
    hand = by_hand(case)
    made = {"Flask": in_flask(case, hand), "Django": in_django(case, hand), "FastAPI": in_fastapi(case, hand)}
    return [_section(effort, name, pages) for name, pages in made.items()]


def by_hand(case: Case) -> Callable[[], str]:
    """Return what makes the settings as public code does: two calls of PyJWT, and JSON that is safe in a script."""
    intercom, salesforce = peers.peers(case, parsed=True)["PyJWT" + peers.PARSED]

    def settings() -> str:
        made = {
            "api_base": "https://api-iam.intercom.io",
            "app_id": "throwaway",
            "user_id": case.user_id,
            "intercom_user_jwt": intercom(),
            "salesforce_identity_token": salesforce(),
        }
        return json.dumps(made).replace("<", "\\u003c")

    return settings


def timed(operation: Callable[[], object]) -> Slot:
    """Return ``operation`` as a slot that counts the time of the processor: nothing here waits."""

    def slot(count: int) -> float:
        start = time.process_time()
        for _ in range(count):
            operation()
        return time.process_time() - start

    return slot


def in_flask(case: Case, hand: Callable[[], str]) -> dict[str, Slot]:
    """Return the pages of a Flask site."""
    from flask import Flask, Response, make_response, render_template  # noqa: PLC0415 - each site loads its own framework
    from jinja2 import DictLoader  # noqa: PLC0415 - the same
    from werkzeug.test import EnvironBuilder  # noqa: PLC0415 - the same

    from fin_messenger_auth.contrib.flask import FinMessenger  # noqa: PLC0415 - the same

    hand_page = _HAND % ("{{ url_for('renewal') }}", "{{ url_for('settings') }}")

    def page_by_hand() -> Response:
        response = make_response(render_template("hand", settings=hand()))
        response.headers.update(_HEADERS)
        return response

    def site() -> Flask:
        app = Flask("bench")
        app.secret_key = "for the bench"  # noqa: S105 - it protects nothing
        app.jinja_loader = DictLoader(
            {"bare": _PAGE % "", "hand": _PAGE % hand_page, "ours": _PAGE % "{{ fin_messenger() }}"}
        )
        return app

    plain, app = site(), site()
    plain.add_url_rule("/bare", "bare", lambda: render_template("bare"))
    plain.add_url_rule("/hand", "hand", page_by_hand)
    plain.add_url_rule("/messenger/renewal.js", "renewal", str)
    plain.add_url_rule("/messenger/settings", "settings", str)
    FinMessenger(app, user=lambda: case.user_id, builder=case.builder)
    app.add_url_rule("/ours", "ours", lambda: render_template("ours"))

    def getting(of: Flask, path: str) -> Slot:
        environ = EnvironBuilder(path).get_environ()
        return timed(lambda: b"".join(of.wsgi_app(dict(environ), _start_response)))

    return {BARE: getting(plain, "/bare"), BY_HAND: getting(plain, "/hand"), OURS: getting(app, "/ours")}


def in_django(case: Case, hand: Callable[[], str]) -> dict[str, Slot]:
    """Return the pages of a Django site, with the middlewares that signed-in pages need."""
    import django  # noqa: PLC0415 - each site loads its own framework
    from django.conf import settings  # noqa: PLC0415 - the same
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415 - the same
    from django.http import HttpResponse  # noqa: PLC0415 - the same
    from django.template import engines  # noqa: PLC0415 - the same
    from django.test import RequestFactory, override_settings  # noqa: PLC0415 - the same
    from django.urls import include, path  # noqa: PLC0415 - the same

    app = "fin_messenger_auth.contrib.django"

    class User:
        is_authenticated, pk = True, case.user_id

    def signed_in(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def middleware(request: Any) -> Any:  # noqa: ANN401 - Django has no types of its own
            request.user, request.session = User(), {}
            return get_response(request)

        return middleware

    def page_by_hand(request: Any) -> HttpResponse:  # noqa: ANN401 - Django has no types of its own
        made = hand() if request.user.is_authenticated else "{}"
        return HttpResponse(by_hand_page.render({"settings": made}, request), headers=_HEADERS)

    globals()["signed_in"] = signed_in
    base = [f"{__name__}.signed_in", "django.middleware.common.CommonMiddleware"]
    settings.configure(
        ALLOWED_HOSTS=["*"],
        FIN_MESSENGER={"BUILDER": case.builder},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", app],
        MIDDLEWARE=base,
        ROOT_URLCONF=__name__,
        SECRET_KEY="for the bench",  # noqa: S106 - it protects nothing
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()
    make = engines["django"].from_string
    bare = make(_PAGE % "")
    by_hand_page = make(_PAGE % (_HAND % ("{% url 'fin_messenger:renewal' %}", "{% url 'fin_messenger:settings' %}")))
    ours = make("{% load fin_messenger %}" + _PAGE % "{% fin_messenger %}")
    urlpatterns[:] = [
        path("bare", lambda request: HttpResponse(bare.render({}, request))),
        path("hand", page_by_hand),
        path("ours", lambda request: HttpResponse(ours.render({}, request))),
        path("messenger/", include(f"{app}.urls")),
    ]
    plain = WSGIHandler()
    with override_settings(MIDDLEWARE=[*base, f"{app}.middleware.FinMessengerMiddleware"]):
        messenger = WSGIHandler()

    def getting(of: Any, url: str) -> Slot:  # noqa: ANN401 - Django has no types of its own
        environ = RequestFactory().get(url).environ
        return timed(lambda: b"".join(of(dict(environ), lambda *_response: None)))

    return {BARE: getting(plain, "/bare"), BY_HAND: getting(plain, "/hand"), OURS: getting(messenger, "/ours")}


urlpatterns: list[Any] = []  # of the Django site


def in_fastapi(case: Case, hand: Callable[[], str]) -> dict[str, Slot]:
    """Return the pages of a FastAPI site."""
    from fastapi import Depends, FastAPI  # noqa: PLC0415 - each site loads its own framework
    from fastapi.responses import HTMLResponse  # noqa: PLC0415 - the same
    from jinja2 import Template  # noqa: PLC0415 - the same

    from fin_messenger_auth.contrib.fastapi import FinMessenger  # noqa: PLC0415 - the same

    plain, app = FastAPI(), FastAPI()
    messenger = FinMessenger(app, user=lambda: case.user_id, builder=case.builder)
    pages = {
        "bare": Template(_PAGE % ""),
        "hand": Template(_PAGE % (_HAND % ("{{ script }}", "{{ endpoint }}"))),
        "ours": Template(_PAGE % "{{ scripts }}"),
    }

    async def bare(user: str = Depends(lambda: case.user_id)) -> HTMLResponse:
        return HTMLResponse(pages["bare"].render(user=user))

    async def by_hand_page(user: str = Depends(lambda: case.user_id)) -> HTMLResponse:
        urls = {name: plain.url_path_for(name) for name in ("script", "endpoint")}
        return HTMLResponse(pages["hand"].render(user=user, settings=hand(), **urls), headers=_HEADERS)

    async def ours(scripts: Any = Depends(messenger.snippet)) -> HTMLResponse:  # noqa: ANN401, B008 - how FastAPI is told
        return HTMLResponse(pages["ours"].render(scripts=scripts))

    plain.get("/bare")(bare)
    plain.get("/hand")(by_hand_page)
    plain.get("/messenger/renewal.js", name="script")(bare)
    plain.get("/messenger/settings", name="endpoint")(bare)
    app.get("/ours")(ours)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:  # noqa: ANN401 - an ASGI message
        pass

    def getting(of: FastAPI, url: str) -> Slot:
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": url, "raw_path": url.encode()}
        scope |= {"query_string": b"", "headers": [(b"host", b"shop.example")], "scheme": "http", "root_path": ""}

        async def many(count: int) -> float:
            start = time.process_time()
            for _ in range(count):
                await of(dict(scope), receive, send)
            return time.process_time() - start

        return lambda count: asyncio.run(many(count))

    return {BARE: getting(plain, "/bare"), BY_HAND: getting(plain, "/hand"), OURS: getting(app, "/ours")}


def _start_response(*_response: object) -> Callable[[bytes], object]:
    return len  # the writer that WSGI asks for; nobody writes


def _section(effort: Effort, framework: str, pages: dict[str, Slot]) -> Section:
    rounds = compare(pages, rounds=effort.times(300), seconds=0.02)
    triples = zip(*(rounds.seconds[each] for each in (BARE, BY_HAND, OURS)), strict=True)
    added = [(ours - bare) / (by_hand - bare) for bare, by_hand, ours in triples]
    name = "what the integration adds ÷ what PyJWT by hand adds"
    return Section(
        key=f"pages_{framework.lower()}",
        title=f"A whole page of {framework}",
        note="In this process, without a network; 8 KB of HTML. What is added is the time beyond the bare page.",
        figures=rounds.figures(),
        ratios={name: Figure.of(name, added, "×")},
    )


if __name__ == "__main__":
    for each in measure(FULL):
        print(each.title)
        for figure in (*each.figures, *each.ratios.values()):
            print(f"  {figure.name:55} {figure.median:.6f} {figure.unit}  ({figure.low:.6f} to {figure.high:.6f})")
