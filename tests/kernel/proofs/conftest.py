"""Fixtures of the proofs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from proof_host import ProofHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ProofHost]:
    """A throw-away host."""
    with ProofHost(tmp_path) as host:
        yield host
