"""The Messenger in a FastAPI site: a dependency for the scripts of a page, one for the settings, and two routes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from dataclasses import KW_ONLY, dataclass
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import asettings_response, renewal_module
from fin_messenger_auth.page.snippet import WIDGET_BASE, Snippet
from fin_messenger_auth.pair import TokenPairBuilder

from .visit import Visit, builder_from_env

__all__ = ["FinMessenger"]


@dataclass(eq=False)
class FinMessenger:
    """The Messenger of one application, which :meth:`init_app` adds to it.

    ``Depends(messenger.snippet)`` is the scripts of a page, with the nonce in ``request.state.csp_nonce``;
    ``Depends(messenger.settings)`` is the settings alone. Both sign asynchronously. ``router`` has the two routes.

    Args:
        user: A dependency that returns the session's user, or ``None``. For a user whom an administrator
            impersonates, return ``None``.
        builder: Makes the settings; from the environment if left out.
        exclude: Tells whether a request is without the Messenger.
        enabled: Whether there is a Messenger at all; if not, the environment is not read.
        renewal: Whether pages renew their tokens.
        prefix: Where the two routes are.
        widget_base: As for :func:`~fin_messenger_auth.page.render_snippet`.

    Raises:
        ConfigurationError: The environment is invalid.
        KeyUnavailableError: A key cannot be read.
    """

    _: KW_ONLY
    user: Callable[..., Any]
    builder: TokenPairBuilder | None = None
    exclude: Callable[[Request], bool] = lambda _request: False
    enabled: bool = True
    renewal: bool = True
    prefix: str = "/messenger"
    widget_base: str = WIDGET_BASE

    def __post_init__(self) -> None:  # noqa: D105
        if self.enabled:
            self._builder = self.builder or builder_from_env()
        session_user = Depends(self.user)

        async def settings(request: Request, user: Any = session_user) -> dict[str, Any]:
            return await self._made(request, user) if self.enabled else {}

        async def snippet(request: Request, user: Any = session_user) -> Snippet:
            return await self.render(request, user)

        async def fresh_settings(request: Request, user: Any = session_user) -> JSONResponse:
            user, host = None if self.exclude(request) else user, request.headers.get("host", "")
            made = await asettings_response(self._builder, user, request.headers, host)
            return JSONResponse(made.body, made.status, made.headers)

        self.settings: Callable[..., Coroutine[Any, Any, dict[str, Any]]] = settings
        self.snippet: Callable[..., Coroutine[Any, Any, Snippet]] = snippet
        self.router: APIRouter = APIRouter(prefix=self.prefix, include_in_schema=False)
        self.router.get("/settings", name="fin_messenger_settings")(fresh_settings)
        self.router.get("/renewal.js", name="fin_messenger_renewal")(_renewal_script)
        self._endpoints = (fresh_settings, _renewal_script)

    def init_app(self, app: FastAPI) -> None:
        """Add the routes and a middleware for the headers to ``app``, after its other middlewares."""
        if self.enabled:
            app.include_router(self.router)
            app.add_middleware(_Middleware, self._builder.app_id, self._endpoints)

    async def render(self, request: Request, user: object, *, nonce: object = None, **public: Any) -> Snippet:
        """Return the scripts of a page, as ``snippet`` does, with data of the page's own.

        Args:
            request: The request.
            user: The session's user, or ``None``.
            nonce: The nonce of the response's policy.
            **public: Public settings and ``extra``, as for ``build_settings``, which also says what is raised.
        """
        if not self.enabled or self.exclude(request):
            return Snippet()
        made = await self._made(request, user, **public)
        urls = request.url_for("fin_messenger_renewal").path, request.url_for("fin_messenger_settings").path
        nonce = nonce or getattr(request.state, "csp_nonce", None)
        return _visit(request).scripts(made, nonce, urls if self.renewal else None, self.widget_base)

    @staticmethod
    def sign_out(request: Request) -> None:
        """End the Messenger's session with this response or the next page."""
        if "fin_messenger" in request.scope:
            _visit(request).signed_out = True

    async def _made(self, request: Request, user: object, **public: Any) -> dict[str, Any]:
        made = await self._builder.abuild_settings(None if self.exclude(request) else user, **public)
        _visit(request).is_private |= "user_id" in made
        return made


def _visit(request: Request) -> Visit:
    visit: Visit | None = request.scope.get("fin_messenger")
    if visit is None:
        raise ConfigurationError("The Messenger's middleware is missing: call init_app(app) at start-up.")
    return visit


async def _renewal_script() -> FileResponse:
    return FileResponse(
        renewal_module(), media_type="text/javascript", headers={"Cache-Control": "public, max-age=3600"}
    )


class _Middleware:
    def __init__(self, app: ASGIApp, app_id: str, endpoints: Collection[Callable[..., Any]]) -> None:
        self._app, self._app_id, self._endpoints = app, app_id, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request, given_send = Request(scope), send
            visit = scope["fin_messenger"] = Visit(request.cookies, request.url.scheme == "https")

            async def completing(message: Message) -> None:
                if message["type"] == "http.response.start":
                    response = Response()
                    response.raw_headers = list(message["headers"])
                    if scope.get("endpoint") in self._endpoints:
                        del response.headers["Set-Cookie"]  # it would prolong the session
                    visit.complete(response, self._app_id)
                    message["headers"] = response.raw_headers
                await given_send(message)

            send = completing

        await self._app(scope, receive, send)
