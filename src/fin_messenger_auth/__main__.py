"""Runs the command line as ``python -m fin_messenger_auth``."""

import sys

from fin_messenger_auth.cli import main

sys.exit(main())
