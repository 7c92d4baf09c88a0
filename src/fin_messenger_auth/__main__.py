"""``python -m fin_messenger_auth``."""

import sys

from .cli import main

sys.exit(main())
