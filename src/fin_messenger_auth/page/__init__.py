"""Makes what goes into a page: snippet, sign-out, renewal, Content-Security-Policy, and an endpoint's response."""

from ._csp import csp_sources, strict_policy
from ._endpoint import (
    NO_STORE,
    SettingsResponse,
    asettings_response,
    is_same_origin,
    settings_response,
    sign_out_cookies,
)
from ._snippet import (
    Snippet,
    cookie_names,
    npm_settings,
    render_renewal,
    render_sign_out,
    render_snippet,
    renewal_module,
    script_json,
)

__all__ = [
    "NO_STORE",
    "SettingsResponse",
    "Snippet",
    "asettings_response",
    "cookie_names",
    "csp_sources",
    "is_same_origin",
    "npm_settings",
    "render_renewal",
    "render_sign_out",
    "render_snippet",
    "renewal_module",
    "script_json",
    "settings_response",
    "sign_out_cookies",
    "strict_policy",
]
