"""A pytest plugin that runs every Python block of the documentation and the README.

Each file has one namespace; its blocks run in order. The environment holds a configuration on throwaway keys.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

from fin_messenger_auth import default_builder
from fin_messenger_auth.testing import throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing.throwaway import THROWAWAY_AUDIENCE, THROWAWAY_ISSUER, THROWAWAY_KID, pem_of


def _configure(namespace: dict[str, Any]) -> None:
    namespace["__name__"] = "__main__"
    os.environ.update(
        INTERCOM_APP_ID="throwaway",
        INTERCOM_MESSENGER_SECRET=throwaway_secret(),
        SALESFORCE_PRIVATE_KEY=pem_of(throwaway_rsa_key()).decode(),
        SALESFORCE_KEY_ID=THROWAWAY_KID,
        SALESFORCE_ISSUER=THROWAWAY_ISSUER,
        SALESFORCE_AUDIENCE=THROWAWAY_AUDIENCE,
    )
    default_builder.cache_clear()


pytest_collect_file = Sybil(
    path=str(Path(__file__).parents[1]),
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    setup=_configure,
).pytest()
