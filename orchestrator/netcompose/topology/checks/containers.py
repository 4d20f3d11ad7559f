"""Names inside containers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netcompose.topology.model import Topology
from netcompose.topology.source import Path, Problem
from netcompose.topology.words import quoted

#: HOST_NAME_MAX of Linux (gethostname(2)).
_LONGEST_HOSTNAME = 64
_LABEL = re.compile("[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_NAME = re.compile("[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?")


def check_names(topology: Topology) -> Iterator[Problem]:
    """Host names, search domains and names in /etc/hosts."""
    for container in topology.containers.values():
        if container.hostname != container.name:
            path: Path = (*container.path, "hostname")
            if len(container.hostname) > _LONGEST_HOSTNAME:
                message = f"the host name has {len(container.hostname)} characters"
                yield topology.source.problem(message, path, hint=f"Linux allows {_LONGEST_HOSTNAME}")
            elif not all(_LABEL.fullmatch(label) for label in container.hostname.split(".")):
                message = f"{quoted(container.hostname)} cannot be a host name"
                yield topology.source.problem(message, path, hint="letters, digits and '-' between dots (RFC 1123)")
        for index, domain in enumerate(container.dns_search):
            # "." alone is Docker's way to say: no search domains.
            if domain != "." and not _NAME.fullmatch(domain.removesuffix(".")):
                path = (*container.path, "dns_search", index)
                yield topology.source.problem(
                    f"{quoted(domain)} is not a domain", path, hint="a domain is like lab.example"
                )
        for index, option in enumerate(container.dns_options):
            if not re.fullmatch("[a-z0-9-]+(:[0-9]+)?", option):
                path = (*container.path, "dns_opt", index)
                yield topology.source.problem(
                    f"{quoted(option)} is not a resolver option", path, hint="one is like ndots:2"
                )
        for name, _ in container.extra_hosts:
            if not _NAME.fullmatch(name):
                path = (*container.path, "extra_hosts", name)
                yield topology.source.problem(
                    f"{quoted(name)} cannot be a host name", path, hint="no spaces or signs", key=True
                )
        for link in container.links:
            if not _NAME.fullmatch(link.alias):
                message = f"{quoted(link.alias)} cannot be a host name"
                yield topology.source.problem(message, link.path, hint="no spaces or signs")
        yield from _settings(topology, container.path, "sysctls", container.sysctls)
        yield from _settings(topology, container.path, "environment", container.environment)


def _settings(topology: Topology, at: Path, key: str, settings: object) -> Iterator[Problem]:
    """Names that cannot be written where the settings go."""
    for name in settings if isinstance(settings, dict) else ():
        if key == "sysctls" and (not re.fullmatch("[a-zA-Z0-9_*:@-]+([./][a-zA-Z0-9_*:@-]+)+", name)):
            hint = "one is like net.ipv4.ip_forward"
            yield topology.source.problem(f"{quoted(name)} is not a sysctl", (*at, key, name), hint=hint, key=True)
        elif key == "environment" and (not name or "=" in name or "\0" in name):
            message = f"{quoted(name)} cannot be a variable's name"
            yield topology.source.problem(message, (*at, key, name), hint="write NAME: value", key=True)
