"""Fixtures of the tests over real sshd."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

import forkserver
from testbed.sites import Site, make_keys

#: Host keys that are made once; no test has more hosts.
MOST_HOSTS = 8


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key pairs of the controller's user and of the hosts."""
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, MOST_HOSTS)
    return folder


@pytest.fixture
def make_site(keys: Path) -> Iterator[Callable[..., Site]]:
    """``make_site(2)``: a site of two hosts, for one test."""
    # Not in pytest's own folder, which others cannot look into: who logs in has to reach what belongs to the host.
    with (
        tempfile.TemporaryDirectory(prefix="netcompose-site-", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        yield lambda count, **options: stack.enter_context(Site(folder, count, keys, python=forkserver.run, **options))
