"""``python -m streams``: the same as ``keystatus``."""

import sys

from streams.cli import main

sys.exit(main())
