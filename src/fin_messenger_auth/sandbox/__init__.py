"""Stands in for both platforms on this machine, and says whether they would accept a page's tokens.

It is a test double, built from what is documented. It verifies what can be verified with the keys that it has, and
knows nothing about the configuration of an org or a workspace. It listens on the loopback interface only, and keeps
the last few verdicts in memory, but no token.
"""

from ._judge import Sandbox, Verdict, sandbox_from_env
from ._server import SandboxServer, start_throwaway, throwaway_sandbox, widget_script

__all__ = [
    "Sandbox",
    "SandboxServer",
    "Verdict",
    "sandbox_from_env",
    "start_throwaway",
    "throwaway_sandbox",
    "widget_script",
]
