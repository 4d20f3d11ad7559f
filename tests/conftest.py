"""What holds for every test."""

from __future__ import annotations

import signal

# A shell that runs things in the background has them ignore Ctrl-C, and so would everything that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
