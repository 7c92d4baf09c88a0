"""Puts the Messenger into a FastAPI site: a dependency for the scripts of a page, one for the settings, two routes."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from functools import partial
from typing import Any, Unpack

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._settings import PublicSettings
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import Snippet, renewal_module
from fin_messenger_auth.page._csp import checked_nonce

from ._visit import SCRIPT_HEADERS, Framework, Site, Visit

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
        builder: Makes the settings: a builder, or a function of the request that returns one, called once a request;
            from the environment if left out.
        exclude: Tells whether a request is without the Messenger.
        enabled: Whether there is a Messenger, or a function of the request that says so. If ``False``, the environment
            is not read.
        origins: Other origins whose pages may ask for settings, such as ``https://app.example``.
        renewal: Whether pages renew their tokens.
        prefix: Where the two routes are.

    Raises:
        ConfigurationError: The environment or an argument is invalid, or the application has a Messenger already.
        KeyUnavailableError: A key cannot be read.
    """

    app: InitVar[FastAPI | None] = None
    _: KW_ONLY
    user: Callable[..., Any]
    builder: TokenPairBuilder | Callable[[Request], TokenPairBuilder] | None = None
    exclude: Callable[[Request], bool] = lambda _request: False
    enabled: bool | Callable[[Request], bool] = True
    origins: Sequence[str] = ()
    renewal: bool = True
    prefix: str = "/messenger"

    def __post_init__(self, app: FastAPI | None) -> None:  # noqa: D105
        framework = Framework(
            host=lambda request: request.headers.get("host", ""),
            is_secure=lambda request: request.scope["scheme"] == "https",
            cookies=lambda request: request.headers.get("cookie", ""),
            urls=lambda request: request.scope["fin_messenger_urls"],
            add_cookie=lambda response, value: response.headers.append("Set-Cookie", value),
        )
        self._site = Site.of(self, framework)
        self._site.start()
        session_user = Depends(self.user)

        async def settings(request: Request, user: Any = session_user) -> dict[str, Any]:
            visit = _visit(request)
            if not visit.is_on:
                return {}
            made = await visit.builder.abuild_settings(None if visit.is_excluded else visit.visitor(user))
            visit.is_private = visit.is_private or "user_id" in made
            return made

        async def snippet(request: Request, user: Any = session_user) -> Snippet:
            return await self.render(request, user)

        async def fresh_settings(request: Request, user: Any = session_user) -> JSONResponse:
            made = await _visit(request).aanswer(user, request.headers)
            return JSONResponse(made.body, made.status, made.headers)

        async def renewal_script(_request: Request) -> FileResponse:
            return FileResponse(renewal_module(), headers=SCRIPT_HEADERS)

        self.settings: Callable[..., Coroutine[Any, Any, dict[str, Any]]] = settings
        self.snippet: Callable[..., Coroutine[Any, Any, Snippet]] = snippet
        self.router: APIRouter = APIRouter(prefix=self.prefix, include_in_schema=False)
        self.router.add_route(f"{self.prefix}/renewal.js", renewal_script)
        self.router.get("/settings")(fresh_settings)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: FastAPI) -> None:
        """Add the routes and the headers to ``app``, before or after its middlewares. Raises what the class raises."""
        if hasattr(app.state, "fin_messenger"):
            raise ConfigurationError("The application has a Messenger already: for several workspaces, pass builder=.")
        if app.middleware_stack is not None:
            raise ConfigurationError("The application has started already: call init_app(app) before, not in lifespan.")
        app.state.fin_messenger = self
        app.include_router(self.router)
        # A middleware that is added later with `add_middleware` is outside those added before: whatever it says of
        # caches would win over `private, no-store`. So this stands outside all of them, whenever they are added.
        build = app.build_middleware_stack
        app.__dict__["build_middleware_stack"] = lambda: partial(self._serve, build())

    async def render(
        self,
        request: Request,
        user: object,
        *,
        nonce: object = None,
        extra: Mapping[str, Any] | None = None,
        **public: Unpack[PublicSettings],
    ) -> Snippet:
        """Return the scripts of a page, as ``snippet`` does, with data of the page's own.

        Args:
            request: The request.
            user: The session's user, or ``None``.
            nonce: The nonce of the response's policy.
            extra: As for ``build_settings``, which also says what is raised.
            **public: As for ``build_settings``.
        """
        visit = _visit(request)
        if visit.is_excluded:
            return Snippet()
        nonce = nonce or getattr(request.state, "csp_nonce", None)
        nonce = None if nonce is None else checked_nonce(nonce)
        visitor = visit.visitor(user)
        made = await visit.builder.abuild_settings(visitor, **visit.public(visitor, extra=extra, **public))
        return Snippet(visit.scripts(made, nonce))

    @staticmethod
    def sign_out(request: Request) -> None:
        """End the Messenger's session with this response or the next page. It can be a dependency."""
        _visit(request).signed_out = True

    async def _serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        root, request = scope.get("root_path", "").rstrip("/"), Request(scope)
        urls = scope["fin_messenger_urls"] = [f"{root}{self.prefix}/{name}" for name in ("renewal.js", "settings")]
        url = root + scope["path"].removeprefix(root)  # some servers leave the root path out
        visit = scope["fin_messenger"] = Visit(self._site, request)
        visit.is_private = True if url == urls[1] else None  # even if the user's dependency raises

        async def completing(message: Message) -> None:
            if message["type"] == "http.response.start":
                response = _Headers(message["headers"])
                if url in urls:
                    del response.headers["Set-Cookie"]  # it would prolong the session, or a cache would keep it
                visit.complete(response)
                message["headers"] = response.raw_headers
            await send(message)

        if url == urls[1] and scope["method"] == "OPTIONS":  # a CORS middleware inside knows nothing of `origins`
            made = await visit.aanswer(None, request.headers)
            await JSONResponse(made.body, made.status, made.headers)(scope, receive, completing)
            return
        await app(scope, receive, completing)


class _Headers(Response):
    """The headers of a response that has begun."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw_headers = list(raw)


def _visit(request: Request) -> Visit:
    visit: Visit | None = request.scope.get("fin_messenger")
    if visit is None:
        raise ConfigurationError("The application has no Messenger: call init_app(app) at start-up.")
    return visit
