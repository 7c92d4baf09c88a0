"""A double of an org's messaging service, over real HTTP on loopback, that refuses as the platform does.

It rests on Salesforce's documentation of the access-token endpoint and on field reports of its refusals, not on
a recording: ``docs/reference/known-and-tested.md`` lists which behaviour rests on what.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fin_messenger_auth.diagnosis._online import CONFIG_PATH, TOKEN_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

ORG_ID = "00D000000000001AAA"
DEPLOYMENT = "Fin_Custom_Client"
REQUEST: dict[str, Any] = {
    "orgId": ORG_ID,
    "esDeveloperName": DEPLOYMENT,
    "capabilitiesVersion": "1",
    "platform": "Web",
    "context": {"appName": "fin-messenger-auth", "clientVersion": "1"},
    "authorizationType": "JWT",
}
JWKS_PATH = "/jwks.json"

GUESTS = {"guest": "UNAUTH/NA/uid:", "anon": "ANON/"}

Reply = tuple[int, Any]


@dataclass
class OrgDouble:
    """An org with one deployment, one channel and one keyset.

    Attributes:
        jwks: The keyset's keys, as uploaded.
        issuer: The keyset's issuer.
        auth_mode: The channel's mode.
        token_mode: The mode that the answer to a token says, or ``None`` if it says none.
        scheme_active: Whether the channel has an active User Verification Configuration.
        refusal: How a token that does not verify is refused: ``401``, or silently as a ``guest`` or ``anon``.
        always: An answer to every request instead of all this, as status and body (bytes, or JSON).
        headers: Further headers of every answer.
    """

    jwks: dict[str, Any]
    issuer: str
    auth_mode: str = "Auth"
    token_mode: str | None = None
    scheme_active: bool = True
    refusal: str = "401"
    always: Reply | None = None
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"org": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply(self, method: str, address: str, body: Mapping[str, Any] | None) -> Reply:
        parts = urlsplit(address)
        self.requests.append((method, parts.path))
        if body is not None:
            self.tokens.append(str(body.get("customerIdentityToken")))
        if self.always is not None:
            return self.always
        if (method, parts.path) == ("GET", CONFIG_PATH):
            return self._config({name: values[0] for name, values in parse_qs(parts.query).items()})
        if (method, parts.path) == ("POST", TOKEN_PATH) and body is not None:
            return self._access_token(body)
        if (method, parts.path) == ("GET", JWKS_PATH):
            return 200, self.jwks
        return 404, {"message": "Not found"}

    def _config(self, query: Mapping[str, str]) -> Reply:
        if query != {"orgId": ORG_ID, "esConfigName": DEPLOYMENT, "language": "en_US"}:
            return 404, {"message": "No such deployment"}
        return 200, {
            "embeddedServiceConfig": {
                "name": DEPLOYMENT,
                "embeddedServiceMessagingChannel": {"authMode": self.auth_mode, "channelAddressIdentifier": "0000"},
            }
        }

    def _access_token(self, body: Mapping[str, Any]) -> Reply:
        if {name: body.get(name) for name in REQUEST} != REQUEST or not body.get("deviceId"):
            return 400, {"message": "No such deployment"}
        if self.auth_mode != "Auth":
            return 400, {"message": "User Verification isn't enabled for this channel."}
        if not self.scheme_active:
            return 400, {"message": "User verification configuration has no active AuthSchemes."}
        subject = self._verified_subject(str(body.get("customerIdentityToken")))
        if subject is not None:
            return 200, self._access(f"v2/iamessage/AUTH/Fin/uid:{subject}")
        guest = {"guest": "UNAUTH/NA/uid:", "anon": "ANON/"}.get(self.refusal)
        if guest is None:
            return 401, {"message": "Unauthorized"}
        return 200, self._access(f"v2/iamessage/{guest}5b0e6b1e-0000-4000-8000-000000000000")

    def _access(self, subject: str) -> dict[str, Any]:
        channel = {"embeddedServiceMessagingChannel": {"authMode": self.token_mode}}
        said = {} if self.token_mode is None else {"configuration": {"embeddedServiceConfig": channel}}
        context = {"endUser": {"appType": "iamessage", "role": "EndUser", "subject": subject}, **said}
        return {"accessToken": "eyJhbGciOiJub25lIn0.e30.", "lastEventId": "0", "context": context}

    def _verified_subject(self, token: str) -> str | None:
        """Verify as the documentation says: a key of the set with this kid and a certificate, and its issuer."""
        try:
            keys = KeySet.import_key_set({"keys": [key for key in self.jwks["keys"] if key.get("x5c")]})
            verified = jwt.decode(token, keys, algorithms=["RS256", "RS512"])
            claims = jwt.JWTClaimsRegistry(exp={"essential": True}, iss={"essential": True, "value": self.issuer})
            claims.validate(verified.claims)
        except (JoseError, ValueError):
            return None
        return str(verified.claims["sub"])


class _Handler(BaseHTTPRequestHandler):
    org: ClassVar[OrgDouble]

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Mapping[str, Any] | None) -> None:
        status, answer = self.org.reply(self.command, self.path, body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in self.org.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
        """Log nothing: tests read what was asked."""
