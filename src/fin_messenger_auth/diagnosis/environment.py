"""What is wrong with the environment variables, all of it: the findings of the problems that the builder raises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fin_messenger_auth.environment import Reading, read_environment
from fin_messenger_auth.errors import masked

from .findings import Finding, finding, finding_of
from .key_checks import mode_for_others


@masked
def check_environment(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> list[Finding]:
    """Check the environment variables that ``TokenPairBuilder.from_env`` reads.

    ``from_env`` raises the first error of this list, with the same ``.code``, and issues its warnings. In addition,
    this looks at the permissions of the files that the variables name.

    Args:
        environ: The variables; the process's own if left out. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """
    return check_reading(read_environment(environ, prefix=prefix))


def check_reading(reading: Reading) -> list[Finding]:
    """Return the findings of an environment that was read."""
    modes = {variable: mode_for_others(Path(path)) for variable, path in reading.key_files.items()}
    return [
        *map(finding_of, reading.problems),
        *(finding("file-permissions", file=name, mode=mode) for name, mode in modes.items() if mode is not None),
    ]
