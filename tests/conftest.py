"""What holds for every test."""

from __future__ import annotations

import gc
import signal

# A shell that runs things in the background has them ignore Ctrl-C, and so would everything that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What the collected tests are made of stays to the end: nothing for the garbage collector to look at again."""
    gc.collect()
    gc.freeze()
