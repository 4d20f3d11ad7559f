"""Fixtures of the tests over real sshd."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

import forkserver
from lending import Lending
from support import snapshot
from testbed.sites import Site, make_keys

#: Host keys that are made once; no test has more hosts.
MOST_HOSTS = 8


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key pairs of the controller's user and of the hosts."""
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, MOST_HOSTS)
    return folder


@contextmanager
def _folder() -> Iterator[Path]:
    """For a site: not pytest's own, which others cannot look into; who logs in has to reach what belongs to the host."""
    with tempfile.TemporaryDirectory(prefix="netcompose-site-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def make_site(keys: Path) -> Iterator[Callable[..., Site]]:
    """``make_site(2)``: a site of two hosts, for one test."""
    with _folder() as folder, ExitStack() as stack:
        yield lambda count, **options: stack.enter_context(Site(folder, count, keys, python=forkserver.run, **options))


@pytest.fixture(scope="session")
def sites_of_two(keys: Path) -> Iterator[Lending[Site]]:
    """What lends a site of two hosts, whose agents are known to them after the first test."""

    @contextmanager
    def make() -> Iterator[Site]:
        with _folder() as folder, Site(folder, 2, keys, python=forkserver.run) as site:
            yield site

    lending = Lending(make, _state)
    yield lending
    lending.end()


def _state(site: Site) -> object:
    """The controller, the hosts, and their files outside of them."""
    sandboxes = [site.controller, *(host.sandbox for host in site.hosts.values())]
    files = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path.name != "sshd.log"}
    return [snapshot(sandbox) for sandbox in sandboxes], files


@pytest.fixture
def two_hosts(sites_of_two: Lending[Site]) -> Iterator[Site]:
    """A site of two hosts that others have used and left as it was."""
    with sites_of_two.lent() as site:
        yield site
