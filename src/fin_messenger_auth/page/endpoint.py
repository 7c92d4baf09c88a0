"""The rules of a site's own endpoint for fresh settings, the same in every framework.

The application takes the user from the session, never from the request. No cache may keep the answer, and only the
site's own pages may ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store", "Vary": "Cookie"})
"""The headers of every response that contains tokens.

Read-only, because some frameworks change the headers that they are given: pass those ``dict(NO_STORE)``.
"""


def is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Tell whether a request comes from a page of the site itself.

    Browsers say so in ``Sec-Fetch-Site``; of older ones, ``Origin`` is compared with ``host``. A request with
    neither does not come from another site's script, and still needs the session's cookie.

    Args:
        headers: The request's headers, with names in any case.
        host: The site's own host and port, as in its ``Host`` header.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    site = by_name.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = by_name.get("origin")
    return origin is None or (bool(host) and origin.partition("://")[2] == host)
