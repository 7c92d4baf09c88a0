"""Judges whom each platform would take the visitor of a page for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fin_messenger_auth._environment import SECRET, read_environment
from fin_messenger_auth._jws import parse_token
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth.diagnosis import (
    Expected,
    Finding,
    Level,
    VerifyingKey,  # noqa: F401 - typing.get_type_hints looks for it here
    check_intercom_token,
    check_pair,
)
from fin_messenger_auth.errors import ConfigurationError, masked, raise_first


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the two platforms would make of one page.

    Attributes:
        user_id: The user that Intercom would identify; ``None`` for a lead.
        intercom: The same in words, with the reason.
        salesforce: The user that Salesforce would identify, in words, with the reason.
        chats: Whose chats the Messenger shows, in words; with ``✗`` and the fix if they are another person's.
    """

    user_id: str | None
    intercom: str
    salesforce: str
    chats: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox(Expected):
    """What the stand-in verifies with. It also takes what :class:`~fin_messenger_auth.diagnosis.Expected` takes.

    Args:
        clock: The time in Unix seconds.
    """

    clock: Callable[[], float] = time.time

    def verdict(self, settings: Mapping[str, Any], *, method: str = "boot", session: str | None = None) -> Verdict:
        """Judge the settings of a page.

        Args:
            settings: ``window.intercomSettings``, as the page sent it.
            method: How the page sent it: ``boot`` or ``update``. An identified ``update`` needs the JWT again.
            session: The user of the Messenger's session in this browser, which outlives the tokens.
        """
        judged = self._judge(settings, method)
        return replace(judged, chats=_chats(settings.get("user_id", judged.user_id), judged.user_id or session))

    def _judge(self, settings: Mapping[str, Any], method: str) -> Verdict:
        now = self.clock()
        user_id, token, identity = (settings.get(name) for name in ("user_id", INTERCOM_TOKEN, SALESFORCE_TOKEN))
        if user_id is None and token is None and identity is None:
            return Verdict(None, "Lead: an anonymous visitor", "Guest: an anonymous visitor")
        jwt, expected = str(token or ""), None if user_id is None else str(user_id)
        error = _first_error(check_intercom_token(jwt, secret=self.secret, user_id=expected, now=now))
        salesforce = self._salesforce(jwt, identity, now)
        if method == "update" and token is None:
            return Verdict(
                None, f"Refused (403): pass {INTERCOM_TOKEN} with every update of an identified user", salesforce
            )
        if error:
            return Verdict(None, f"Not verified: {error}", salesforce)
        verified = str(parse_token(jwt).claims["user_id"])
        return Verdict(verified, f"Verified as {verified}", salesforce)

    def _salesforce(self, intercom_user_jwt: str, identity: object, now: float) -> str:
        if not self.keys:
            return "Not checked: Fin makes this token"
        if identity is None:
            return f"Guest: there is no {SALESFORCE_TOKEN}"
        token = str(identity)
        error = _first_error([*self.check_salesforce(token, now), *check_pair(intercom_user_jwt, token)])
        return f"Guest: {error}" if error else f"Verified as {parse_token(token).claims['sub']}"


_NOTHING = Expected()


@masked
def sandbox_from_env(
    environ: Mapping[str, str] | None = None, *, prefix: str = "", given: Expected = _NOTHING
) -> Sandbox:
    """Return a sandbox that verifies with the keys of the application's own configuration, or with what is given.

    Args:
        environ: The variables, as for ``TokenPairBuilder.from_env``; the process's own if left out.
        prefix: What stands before each variable's name.
        given: What counts in place of the configuration's. With the public keys of the keyset no private key is needed,
            and of the variables only the secret, the issuer and the audience are read.

    Raises:
        ConfigurationError: The issuer is not known. A variable is missing, contradicts another or has an invalid value.
        KeyUnavailableError: A file that a variable names cannot be read.
    """
    reading = read_environment(environ, prefix=prefix)
    if not given.keys:
        reading.checked_arguments()
    elif not given.secret and reading.secret is None:
        raise_first(each for each in reading.problems if each.variable in (prefix + SECRET, f"{prefix}{SECRET}_FILE"))
        raise ConfigurationError(f"{prefix}{SECRET} must be set.", "variable-missing", variable=prefix + SECRET)
    known = given.completed(reading)
    if reading.fin_managed and not given.keys:
        return Sandbox(secret=known.secret)
    if not known.keys:
        raise ConfigurationError("The sandbox verifies with the public_key of the signer, which it does not have.")
    if known.issuer is None:
        raise ConfigurationError("The issuer of the keyset is missing: pass --issuer, or set SALESFORCE_ISSUER.")
    return Sandbox(secret=known.secret, keys=known.keys, issuer=known.issuer, audience=known.audience)


def _chats(user_id: object, owner: str | None) -> str:
    if owner is None:
        return "none"
    if user_id is not None and str(user_id) == owner:
        return owner
    page = "an anonymous page" if user_id is None else f"a page for {user_id}"
    return (
        f"✗ {owner}'s, on {page}. Call Intercom('shutdown') at sign-out and before another user's boot: "
        "render_sign_out(app_id) and render_snippet(settings) do"
    )


def _first_error(findings: Sequence[Finding]) -> str | None:
    return next((each.message for each in findings if each.level is Level.ERROR), None)
