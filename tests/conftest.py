"""What holds for every test."""

from __future__ import annotations

import gc
import signal

from hypothesis import settings

# Every run has new examples; --hypothesis-profile=default has more of them.
settings.register_profile("few", max_examples=50, deadline=None)
settings.load_profile("few")

# A shell that runs things in the background has them ignore Ctrl-C, and so would everything that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What the collected tests are made of stays to the end: nothing for the garbage collector to look at again."""
    gc.collect()
    gc.freeze()
