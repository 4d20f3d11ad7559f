"""``python -m netcompose``."""

import sys

from netcompose.cli.main import main

sys.exit(main())
