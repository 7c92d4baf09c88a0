"""Points a page at the sandbox while a site is developed: an environment variable names it, no code does."""

from __future__ import annotations

import os
import re

from fin_messenger_auth.errors import ConfigurationError

VARIABLE = "FIN_MESSENGER_WIDGET_BASE"  # http://127.0.0.1:8765/widget/, as the command `sandbox` prints it
LOOPBACK = r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"  # an origin on this machine, as a pattern


def development_widget() -> tuple[str, str] | None:
    """Return the base and the origin of the sandbox's widget; ``None`` if the variable is not set."""
    base = os.environ.get(VARIABLE, "")
    if not base.strip():
        return None
    match = re.fullmatch(rf"({LOOPBACK})/[\w/-]*", base)
    if match is None:
        raise ConfigurationError(f"{VARIABLE}: expected the sandbox on this machine, as http://127.0.0.1:8765/widget/.")
    return base, match[1]
