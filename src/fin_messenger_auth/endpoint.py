"""The rules of a site's own endpoint for fresh settings, the same in every framework.

Who the user is comes from the session and never from the request; that part is the application's. These two
are not: no cache may keep the answer, and only the site's own pages may ask.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store", "Vary": "Cookie"})
"""The headers of every page and answer that holds tokens.

Read-only, because some frameworks write into the headers they are given: those get ``dict(NO_STORE)``.
"""


def is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Return whether a request comes from a page of the site itself.

    Browsers say so in ``Sec-Fetch-Site``; of those that do not yet, ``Origin`` is compared with ``host``. A
    request with neither does not come from a foreign page's script, and still needs the session's cookie.

    Args:
        headers: The request's headers, with names in any case.
        host: The site's own host and port, as in its ``Host`` header.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    site = by_name.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = by_name.get("origin")
    return origin is None or urlsplit(origin).netloc == host
