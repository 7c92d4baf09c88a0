"""Puts the Messenger into a FastAPI site: a dependency for a page's scripts, one for settings, and two routes."""

from collections.abc import Callable, Coroutine
from dataclasses import KW_ONLY, InitVar, dataclass
from functools import partial
from typing import Any, Unpack

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import asettings_response, renewal_module
from fin_messenger_auth.page._snippet import Snippet

from ._visit import SCRIPT_HEADERS, PageSettings, Visit, builder_from_env, checked_builder

__all__ = ["FinMessenger"]


@dataclass(eq=False)
class FinMessenger:
    """The Messenger of one application.

    ``Depends(messenger.snippet)`` is the scripts of a page, with the nonce in ``request.state.csp_nonce``;
    ``Depends(messenger.settings)`` is the settings alone. Both sign asynchronously. ``router`` has the two routes.

    Args:
        app: The application; or call :meth:`init_app` later.
        user: A dependency that returns the session's user, or ``None``. For a user whom an administrator
            impersonates, return ``None``.
        builder: Makes the settings; from the environment if left out.
        exclude: Tells whether a request is without the Messenger.
        enabled: Whether there is a Messenger at all; if not, the environment is not read.
        renewal: Whether pages renew their tokens.
        prefix: Where the two routes are.

    Raises:
        ConfigurationError: The environment is invalid, or the application has a Messenger already.
        KeyUnavailableError: A key cannot be read.
    """

    app: InitVar[FastAPI | None] = None
    _: KW_ONLY
    user: Callable[..., Any]
    builder: TokenPairBuilder | None = None
    exclude: Callable[[Request], bool] = lambda _request: False
    enabled: bool = True
    renewal: bool = True
    prefix: str = "/messenger"

    def __post_init__(self, app: FastAPI | None) -> None:  # noqa: D105
        if self.enabled:
            self._builder = checked_builder(self.builder or builder_from_env())
        session_user = Depends(self.user)

        async def settings(request: Request, user: Any = session_user) -> dict[str, Any]:
            made = await self._builder.abuild_settings(None if self.exclude(request) else user) if self.enabled else {}
            _visit(request).is_private = "user_id" in made
            return made

        async def snippet(request: Request, user: Any = session_user) -> Snippet:
            return await self.render(request, user)

        async def fresh_settings(request: Request, user: Any = session_user) -> JSONResponse:
            user = None if self.exclude(request) else user
            made = await asettings_response(self._builder, user, request.headers, request.headers.get("host", ""))
            return JSONResponse(made.body, made.status, made.headers)

        self.settings: Callable[..., Coroutine[Any, Any, dict[str, Any]]] = settings
        self.snippet: Callable[..., Coroutine[Any, Any, Snippet]] = snippet
        self.router: APIRouter = APIRouter(prefix=self.prefix, include_in_schema=False)
        script = partial(FileResponse, renewal_module(), headers=SCRIPT_HEADERS)
        self.router.add_route(f"{self.prefix}/renewal.js", lambda _request: script())
        self.router.get("/settings")(fresh_settings)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: FastAPI) -> None:
        """Add the routes and the headers to ``app``, before or after its middlewares. Raises what the class raises."""
        if hasattr(app.state, "fin_messenger"):
            raise ConfigurationError("The application has a Messenger already; each workspace needs an app of its own.")
        app.state.fin_messenger = self
        if self.enabled:
            app.include_router(self.router)
        build = app.build_middleware_stack  # outside all middlewares, so that it sees the cookies that they set
        app.__dict__["build_middleware_stack"] = lambda: partial(self._serve, build())

    async def render(
        self, request: Request, user: object, *, nonce: object = None, **public: Unpack[PageSettings]
    ) -> Snippet:
        """Return the scripts of a page, as ``snippet`` does, with data of the page's own.

        Args:
            request: The request.
            user: The session's user, or ``None``.
            nonce: The nonce of the response's policy.
            **public: Public settings and ``extra``, as for ``build_settings``, which also says what is raised.
        """
        if not self.enabled or self.exclude(request):
            return Snippet()
        made, nonce = (
            await self._builder.abuild_settings(user, **public),
            nonce or getattr(request.state, "csp_nonce", None),
        )
        return _visit(request).scripts(made, nonce, request.scope["fin_messenger_urls"] if self.renewal else None)

    @staticmethod
    def sign_out(request: Request) -> None:
        """End the Messenger's session with this response or the next page."""
        _visit(request).signed_out = True

    async def _serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        root, request = scope.get("root_path", "").rstrip("/"), Request(scope)
        urls = scope["fin_messenger_urls"] = [f"{root}{self.prefix}/{name}" for name in ("renewal.js", "settings")]
        url = root + scope["path"].removeprefix(root)  # some servers leave the root path out
        visit = scope["fin_messenger"] = Visit(request.cookies, request.url.scheme == "https")
        visit.is_private = True if url == urls[1] else None  # even if the user's dependency raises

        async def completing(message: Message) -> None:
            if message["type"] == "http.response.start" and self.enabled:
                response = Response()
                response.raw_headers = list(message["headers"])
                if url in urls:
                    del response.headers["Set-Cookie"]  # it would prolong the session, or a cache would keep it
                visit.complete(response, self._builder.app_id)
                message["headers"] = response.raw_headers
            await send(message)

        await app(scope, receive, completing)


def _visit(request: Request) -> Visit:
    visit: Visit | None = request.scope.get("fin_messenger")
    if visit is None:
        raise ConfigurationError("The application has no Messenger: call init_app(app) at start-up.")
    return visit
