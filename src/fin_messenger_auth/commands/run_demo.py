"""Signs both tokens with throwaway keys, verifies them, and prints them for a person (``demo``)."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from fin_messenger_auth import testing
from fin_messenger_auth._users import Company, MessengerUser

_WIDTH = 88
_MAX_LENGTH = 24  # characters of a token: too few to use it


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo",
        help="sign and verify both tokens with throwaway keys; needs no configuration",
        description="Make throwaway keys, sign both tokens for a sample user, and verify them.",
    )
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """Show a signed-in user's page, both tokens, and an anonymous visitor's page."""
    builder = testing.throwaway_builder()
    user = MessengerUser(
        42,
        email="ada@example.com",
        name="Ada Lovelace",
        company=Company("acme-7", name="Acme"),
        attributes={"plan": "pro", "seats": 3, "trial": False},
    )
    settings = builder.build_settings(user, hide_default_launcher=False)
    decoded = testing.verify(settings)
    assert decoded.intercom and decoded.salesforce  # noqa: PT018, S101 - for the type checker: verify has seen both

    _title("1  A signed-in user's page carries: window.intercomSettings")
    _json({name: _shortened(value) for name, value in settings.items()})
    _title("2  intercom_user_jwt, for Fin and Intercom")
    _token(decoded.intercom, "the Messenger API Secret (HS256)")
    _title("3  salesforce_identity_token, for Salesforce Enhanced Chat")
    _token(decoded.salesforce, "the public RSA key (RS256)")
    _title("4  An anonymous visitor's page carries no token and no user_id")
    _json(builder.build_settings(None, hide_default_launcher=False))
    print("\nBoth keys were generated for this run only. With your own, in the environment:")
    print("  python -m fin_messenger_auth settings --user 42")
    return 0


def _title(text: str) -> None:
    print(f"\n── {text} ".ljust(_WIDTH, "─"))


def _json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _shortened(value: object) -> object:
    if isinstance(value, str) and value.startswith("eyJ"):
        return f"{value[:_MAX_LENGTH]}… ({len(value)} characters)"
    return value


def _token(token: testing.DecodedToken, verified_with: str) -> None:
    print("header", json.dumps(token.header, ensure_ascii=False))
    print("claims", json.dumps(token.claims, indent=2, ensure_ascii=False))
    print(f"✓ verified by joserfc with {verified_with}")
    print(f"✓ expires {datetime.fromtimestamp(token.claims['exp'], UTC):%Y-%m-%d %H:%M:%S} UTC, an hour from now")
