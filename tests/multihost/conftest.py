"""Fixtures of the tests over real sshd."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from site_hosts import Site, keygen

#: Host keys that are made once; no test has more hosts.
MOST_HOSTS = 8


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key pairs of the controller's user and of the hosts."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("user", *(f"host{number}" for number in range(1, MOST_HOSTS + 1))):
        keygen(folder / name)
    return folder


@pytest.fixture
def make_site(tmp_path: Path, keys: Path) -> Iterator[Callable[..., Site]]:
    """``make_site(2)``: a site of two hosts, for one test."""
    # Whoever logs in has to reach what belongs to the host.
    folder = tmp_path
    while folder != folder.parent and folder.stat().st_uid == os.getuid() and folder.name != "tmp":
        folder.chmod(0o755)
        folder = folder.parent
    with ExitStack() as stack:
        yield lambda count, **options: stack.enter_context(Site(tmp_path, count, keys, **options))
