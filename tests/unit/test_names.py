"""Names and marks: within the kernel's limits, different for different things, the same in every run."""

from __future__ import annotations

from netcompose.resources import names


def test_second_names_are_readable_and_fit() -> None:
    """At most 127 bytes (if_link.h, ALTIFNAMSIZ with its ending zero)."""
    assert names.altname("campus", "bridge/mynet1") == "campus-bridge-mynet1"
    assert names.altname("campus", "link/a:b") == "campus-link-a.b"
    exact = names.altname("t", "x" * 125)
    assert exact == "t-" + "x" * 125
    cut = [names.altname("t", "x" * 125 + last) for last in "ab"]
    assert all(len(name) <= 127 and name.startswith("t-xxx") for name in cut) and cut[0] != cut[1]


def test_names_on_the_host_fit_and_differ() -> None:
    """At most 15 bytes (if.h, IFNAMSIZ)."""
    made = {names.host_interface_name(t, r) for t in ("a", "b") for r in ("bridge/x", "bridge/y")}
    assert len(made) == 4 and all(len(name) <= 15 and name.startswith("nc") for name in made)
    assert names.host_interface_name("a", "bridge/x") == names.host_interface_name("a", "bridge/x")


def test_groups_of_topologies_are_apart() -> None:
    groups = [names.group(name) for name in ("a", "b")] + [names.doomed_group(name) for name in ("a", "b")]
    assert len(set(groups)) == 4
    assert {group >> 16 for group in groups[:2]} == {0x6E63}
