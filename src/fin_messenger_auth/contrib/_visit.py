"""Holds what the integrations share: the options of a site, and what becomes of a request. It loads no framework."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import signature
from logging import getLogger
from typing import Any, Self, cast

from fin_messenger_auth._builder import (
    Identify,
    TokenPairBuilder,
    builder_of,
    checked_source,
    default_builder,
    visitor_of,
)
from fin_messenger_auth._environment import messenger_enabled
from fin_messenger_auth._outages import OnSigningError
from fin_messenger_auth._settings import without_identity
from fin_messenger_auth._signers import signs_at_once
from fin_messenger_auth._users import MessengerUser
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import (
    NO_STORE,
    SettingsResponse,
    asettings_response,
    render_renewal,
    render_sign_out,
    settings_response,
    sign_out_cookies,
)
from fin_messenger_auth.page._csp import checked_nonce
from fin_messenger_auth.page._endpoint import Asking, checked_origins
from fin_messenger_auth.page._mark import MARK_NAME, Uncut, display_of, fill_marks
from fin_messenger_auth.page._snippet import WIDGET_BASE, boot, default_widget

SIGNED_OUT = "fin_messenger_signed_out"  # the cookie that says that the next page must end the Messenger's session
_CORS = "Access-Control-"
_NO_STORE = {"Cache-Control": NO_STORE["Cache-Control"]}
OF_THE_CONTENT = {"content-encoding", "etag", "last-modified"}  # of what is not sent, where a mark is filled
SCRIPT_HEADERS = {"Content-Type": "text/javascript", "Cache-Control": "public, max-age=3600"}

# What a cache may put before Cache-Control: the targeted fields of RFC 9213, what came before it, and nginx's own.
_CACHING = re.compile(r"(?i)(.*-)?cache-control|(surrogate|edge)-control|x-accel-expires|expires|pragma")
_TEXT = re.compile(r"text/|.*(json|xml|javascript)")
_GZIP, _WINDOW = b"\x1f\x8b", 31  # how it begins (RFC 1952 §2.3.1), and how zlib is told to expect that

Of = Callable[[Any], Any]  # a function of the framework's request


@dataclass(kw_only=True, slots=True)
class Framework:
    """What an integration knows of its framework. Functions of the request, but for the two that say otherwise."""

    host: Callable[[Any], str]  # that the visitor asked for, with its port
    is_secure: Of  # whether the visitor's cookies are sent over HTTPS alone
    urls: Callable[[Any], Sequence[str]]  # of the script and of the endpoint
    cookies: Callable[[Any], str]  # the whole header: to parse it takes longer than all else
    user: Of = lambda _request: None  # of the session
    nonce: Of = lambda _request: None  # of the response's policy
    secrets: Callable[[], Sequence[str | bytes]] = tuple  # what the marks of this site are made with
    add_cookie: Callable[[Any, str], None]  # adds a Set-Cookie to a response; one name may be set for several domains


@dataclass(kw_only=True, slots=True)
class Site:
    """The options of one application. Every function is one of the request, or takes no argument.

    Raises:
        ConfigurationError: An option is of the wrong type.
    """

    framework: Framework
    builder: TokenPairBuilder | Of | None = None  # from the environment if left out
    enabled: bool | Of = True
    exclude: Of = lambda _request: False
    identify: Identify | None = None
    on_signing_error: OnSigningError | None = None
    origins: Sequence[str] = ()
    prefix: str = ""  # of the environment variables
    renewal: bool = True
    settings: Of = lambda _request: {}
    widget: str = field(init=False, default=WIDGET_BASE)

    def __post_init__(self) -> None:
        self.origins = checked_origins(self.origins)
        if self.builder is not None:
            checked_source(self.builder)
        for name in ("builder", "enabled", "exclude", "settings"):
            if not isinstance(given := getattr(self, name), bool | TokenPairBuilder | None):
                setattr(self, name, _of_request(given, name))
        if not (isinstance(self.enabled, bool) or callable(self.enabled)):
            raise ConfigurationError("enabled: expected True, False or a function of the request.")

    @classmethod
    def of(cls, options: Any, framework: Framework) -> Self:
        """Return the site of an integration whose attributes are the options."""
        names = ("builder", "enabled", "exclude", "settings", "origins", "renewal")
        return cls(framework=framework, **{name: getattr(options, name) for name in names if hasattr(options, name)})

    @property
    def is_off(self) -> bool:
        """Whether there is no Messenger as long as the process runs."""
        return self.enabled is False or not messenger_enabled(prefix=self.prefix)

    def start(self) -> None:
        """Make the builder, or check what was given for one, at start-up.

        Raises:
            ConfigurationError: The environment is invalid; there is no builder.
            KeyUnavailableError: A key cannot be read.
        """
        if self.is_off:
            self.enabled = False
            return
        self.widget = default_widget()
        if self.builder is None:
            self.builder = self._process_builder
        if _can_be_called(self.builder, ()):
            self.builder_of(None)

    def _process_builder(self, request: object = None) -> TokenPairBuilder:
        """Return the builder of the process, by default with an anonymous page where signing fails."""
        policy = self.on_signing_error
        return default_builder(request, prefix=self.prefix, on_signing_error=policy, by_default="anonymous")

    def builder_of(self, request: object) -> TokenPairBuilder:
        """Return the builder of a request."""
        assert self.builder is not None  # noqa: S101 - since the start
        return builder_of(self.builder, request)

    def secret(self) -> bytes:
        """Return what protects the marks of a site without a secret key: a MAC by the Messenger secret.

        Raises:
            ConfigurationError: It is the same for all processes only if the site has one builder, which signs at once.
        """
        if isinstance(self.builder, TokenPairBuilder) or _can_be_called(self.builder, ()):
            signer = self.builder_of(None).intercom.signer
            if signs_at_once(signer):
                return signer.sign(b"fin-messenger-auth mark")
        raise ConfigurationError("The site needs a secret key: its builder depends on the request, or signs later.")


@dataclass(slots=True, eq=False)
class Visit:
    """One request, and what its response must say."""

    site: Site
    request: Any
    framework: Framework = field(init=False)
    signed_out: bool = False  # in this very request
    ends_session: bool = False  # the response contains the script for a sign-out
    is_private: bool | None = None  # it contains tokens, or that script; None if it contains no script
    is_complete: bool = False  # its headers are final
    cors: dict[str, str] | None = None  # of the endpoint's response
    _builder: TokenPairBuilder | None = None
    _nonce: object = None
    _filled: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.framework = self.site.framework

    @property
    def is_on(self) -> bool:
        """Whether there is a Messenger at present."""
        enabled = self.site.enabled
        return enabled if isinstance(enabled, bool) else bool(enabled(self.request))

    @property
    def is_excluded(self) -> bool:
        """Whether this request is without the Messenger."""
        return not self.is_on or bool(self.site.exclude(self.request))

    @property
    def builder(self) -> TokenPairBuilder:
        """The builder of this request, which is asked for once."""
        if self._builder is None:
            self._builder = self.site.builder_of(self.request)
        return self._builder

    @property
    def is_next(self) -> bool:
        """Whether a sign-out has left it to the next page to end the Messenger's session."""
        return f"{SIGNED_OUT}=1" in self.framework.cookies(self.request)

    def visitor(self, user: object) -> MessengerUser | None:
        """Return whom tokens may be made for, of a request that is not excluded."""
        return visitor_of(user, self.site.identify or self.builder.identify)

    def public(self, visitor: MessengerUser | None, **display: Any) -> dict[str, Any]:
        """Return the public settings of the site and of the page; nobody's do not identify."""
        public = {**self.site.settings(self.request), **display}
        extra = public.pop("extra", None) or {}
        if visitor is None:
            public, extra = without_identity(public), without_identity(extra)
        return {**public, "extra": extra} if extra else public

    def answer(self, headers: Mapping[str, str]) -> SettingsResponse:
        """Answer a request for fresh settings; the user, who may cost a query, is asked for last."""
        return self._said(
            self._refused(headers) or settings_response(**self._asked(self.framework.user(self.request), headers))
        )

    async def aanswer(self, user: object, headers: Mapping[str, str]) -> SettingsResponse:
        """Do the same from async code."""
        return self._said(self._refused(headers) or await asettings_response(**self._asked(user, headers)))

    def _said(self, response: SettingsResponse) -> SettingsResponse:
        self.cors = {name: value for name, value in response.headers.items() if name.startswith(_CORS)}
        return response

    def _refused(self, headers: Mapping[str, str]) -> SettingsResponse | None:
        self.is_private = True
        return Asking(headers, self.framework.host(self.request), self.site.origins).refused(is_on=self.is_on)

    def _asked(self, user: object, headers: Mapping[str, str]) -> dict[str, Any]:
        is_nobody = self.request.method == "OPTIONS" or self.is_excluded  # the first is no way to ask for tokens
        visitor = None if is_nobody else self.visitor(user)
        asked = {"headers": headers, "host": self.framework.host(self.request), "origins": self.site.origins}
        return {"builder": self.builder, "user": visitor, "enabled": True, **asked, **self.public(visitor)}

    def scripts(self, made: dict[str, Any], nonce: object) -> str:
        """Return the scripts of a page with the settings ``made``."""
        if "user_id" in made and self.is_complete and not self.is_private:
            raise ConfigurationError("The response was sent already: make the Messenger's scripts before it starts.")
        self.is_private = self.is_private or "user_id" in made
        scripts = [boot(made, nonce, self.site.widget)]
        if self.site.renewal:  # for anonymous visitors, too: they follow a sign-in in another tab
            module, endpoint = self.framework.urls(self.request)
            scripts.append(render_renewal(module, endpoint, nonce=nonce))
        if self.signed_out or self.is_next:
            scripts.insert(0, render_sign_out(made["app_id"], nonce=nonce))
            self.ends_session = self.is_private = True
        return "".join(scripts)

    def complete(self, response: Any) -> None:
        """Complete a response, of Werkzeug, Starlette or Django: the Messenger's cookies, and who may keep it."""
        if self.signed_out and self.is_on:
            is_secure = self.framework.is_secure(self.request)
            self.is_private = True  # one visitor's cookies do not keep a response out of caches (RFC 9111 §7.3)
            for value in sign_out_cookies(self.builder.app_id, self.framework.host(self.request), secure=is_secure):
                self.framework.add_cookie(response, value)
            if not self.ends_session:
                response.set_cookie(SIGNED_OUT, "1", secure=is_secure, httponly=True, samesite="lax")
        if self.ends_session and self.is_next:
            response.delete_cookie(SIGNED_OUT)
        if self.is_private is not None:
            self._say_who_may_keep(response.headers)
        if self.cors is not None:  # whatever an extension says of other origins
            _replace(response.headers, lambda name: name.title().startswith(_CORS), self.cors)
        self.is_complete = True

    def _say_who_may_keep(self, headers: Any) -> None:
        vary = [each.strip() for name, value in headers.items() if name.lower() == "vary" for each in value.split(",")]
        if not {"*", "cookie"} & {each.lower() for each in vary}:
            headers["Vary"] = ", ".join([*filter(None, vary), "Cookie"])
        if self.is_private:
            _replace(headers, decides_caching, _NO_STORE)

    # Where a template leaves a mark, see page/_mark.py:

    def filled(self, content: bytes, content_type: str) -> bytes | None:
        """Return whole content with its marks filled, without its encoding; ``None`` if there is none in it."""
        if content.startswith(_GZIP):  # a view's own decorator compresses before anybody fills
            with suppress(zlib.error):
                content = zlib.decompress(content, _WINDOW)
        # From the end, where templates have it: a page is searched in no time
        return None if content.rfind(MARK_NAME) < 0 else self.filler(content_type)(content)

    def filler(self, content_type: str, *, is_streamed: bool = False) -> Callable[[bytes], bytes]:
        """Return what fills the marks in content of that type, after checking what can be refused.

        Tokens may come late in a streamed page, so it is private as a whole.
        """
        fill: Callable[[bytes], bytes] = self._removed
        if content_type.lower().startswith("text/html"):
            fill = self._nothing if self.is_excluded else self._fill
        if fill == self._fill:  # nothing may be refused after the tokens have been made
            nonce = self.framework.nonce(self.request)
            self._nonce = None if nonce is None else checked_nonce(nonce)
            self.is_private = True if is_streamed else self.is_private
        return lambda content: fill_marks(content, fill, self._is_left)

    def _is_left(self, mark: bytes) -> bool:
        return display_of(mark, self.framework.secrets()) is not None and not self._removed(mark)

    def _nothing(self, _mark: bytes) -> bytes:
        return b""

    def _fill(self, mark: bytes) -> bytes:
        display = display_of(mark, self.framework.secrets())
        if display is None:
            return self._removed(mark)
        if mark not in self._filled:
            visitor = self.visitor(self.framework.user(self.request))
            if self.request.method == "HEAD":  # the body is not sent, so nothing is signed for it
                self.is_private = visitor is not None or self.signed_out or self.is_next
                return b""
            made = self.builder.build_settings(visitor, **self.public(visitor, **display))
            self._filled[mark] = self.scripts(made, self._nonce).encode()
        return self._filled[mark]

    def _removed(self, _mark: bytes) -> bytes:
        getLogger("fin_messenger_auth").warning(
            "A mark of the Messenger was removed from a response: it was in no HTML page, or not made by this site."
        )
        return b""


def _replace(headers: Any, is_old: Callable[[str], bool], new: Mapping[str, str]) -> None:
    for name in {name for name in headers.keys() if is_old(name)} - new.keys():  # noqa: SIM118 - some iterate over pairs
        del headers[name]
    for name, value in new.items():
        headers[name] = value


@lru_cache(maxsize=256)
def decides_caching(name: str) -> bool:
    """Tell whether a header says to a cache what it may keep."""
    return bool(_CACHING.fullmatch(name))


@lru_cache(maxsize=256)
def is_text(content_type: str) -> bool:
    """Tell whether a response could contain a mark."""
    return bool(_TEXT.match(content_type.lower()))


def filled_parts(parts: Iterable[bytes], fill: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Fill the marks in content that comes in parts."""
    uncut = Uncut()
    for part in parts:
        yield fill(uncut.feed(part))
    yield fill(uncut.end())


def _of_request(function: Any, name: str) -> Of:
    """Return a function of the request; one that takes no argument is called without."""
    if not callable(function):
        raise ConfigurationError(f"{name}: expected a function of the request, got {type(function).__name__}.")
    if _can_be_called(function, (None,)):
        return cast("Of", function)

    def without_request(_request: object = None) -> Any:
        return function()

    return without_request


def _can_be_called(function: Any, arguments: tuple[Any, ...]) -> bool:
    try:
        signature(function).bind(*arguments)
    except (TypeError, ValueError):  # what is written in C may not say what it takes
        return False
    return True
