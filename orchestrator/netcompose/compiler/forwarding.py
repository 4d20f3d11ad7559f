"""The host's own settings that networks need: forwarding, and what it must not break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netcompose.compiler.firewall import firewall_id
from netcompose.compiler.shapes import PooledNetwork
from netcompose.resources import Observation, Sysctl

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_ACCEPT_RA = "net.ipv6.conf.{}.accept_ra"


def sysctls(topology: str, networks: Iterable[PooledNetwork], live: Observation | None) -> Iterator[Sysctl]:
    """Forwarding for the families of the networks that are not internal, on when the firewall is in place.

    A host that forwards IPv6 ignores router advertisements, and loses the default route that it has from them, unless
    its interface is told to accept them all the same (``accept_ra`` 2, ip-sysctl.rst of the kernel).
    """
    families = {pool.family for item in networks if _forwards(item) for pool in item.pools}
    for family in sorted(families):
        after = [firewall_id(topology)]
        if family == 6 and live is not None:
            for key in _advertised(live):
                yield _sysctl(key, "2", ())
                after.append(f"sysctl/{key}")
        yield _sysctl(_FORWARDING[family], "1", tuple(after))


def _forwards(item: PooledNetwork) -> bool:
    """Nothing is forwarded to or from an internal network, but to its own other hosts."""
    return not item.network.internal or item.network.driver == "routed"


def _advertised(live: Observation) -> Iterator[str]:
    """The keys of interfaces that have a default route by router advertisements, or that were told already."""
    keys = {_ACCEPT_RA.format(name.replace(".", "/")): value for name, value in live.facts.accept_ra.items()}
    for key in sorted({*keys, *(item.key for item in live.resources.values() if isinstance(item, Sysctl))}):
        if key.endswith(".accept_ra") and (f"sysctl/{key}" in live.resources or keys[key] == "1"):
            yield key


def _sysctl(key: str, value: str, after: tuple[str, ...]) -> Sysctl:
    return Sysctl(id=f"sysctl/{key}", key=key, value=value, after=after)
