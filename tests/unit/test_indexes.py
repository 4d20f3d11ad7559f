"""Which index an interface in a container gets, by the kernel's release. The kernels themselves are asked in tests/vm."""

import pytest

from netcompose.agent.context import _first_index


@pytest.mark.parametrize("release", ["6.15.0", "6.18.44-cloud", "7.0", "10.2.1"])
def test_a_kernel_that_looks_in_the_right_namespace_has_the_usual_indexes(release):
    assert _first_index(release) == 2


@pytest.mark.parametrize(
    "release", ["5.10.0-28-amd64", "6.1.0-50-cloud-amd64", "6.12.117+deb12-cloud-amd64", "unknown"]
)
def test_for_another_kernel_they_are_beyond_any_host(release):
    assert _first_index(release) > 1_000_000
