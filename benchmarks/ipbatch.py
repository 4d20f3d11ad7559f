"""The same shape by iproute2, the fastest way that `ip` offers: everything on the host is one `ip -batch`, namespaces
included, and everything inside a namespace one `ip -n NAMESPACE -batch` (a batch cannot change namespaces).

The files are written before the clock starts.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.shape import NAME, PER_BRIDGE, bridges, cable, prefix

GROUP = 0x6E630001


def write(containers: int, folder: Path) -> Path:
    """Write the batches below ``folder``; the shell script that runs them."""
    (folder / "inside").mkdir(parents=True)
    host = [f"netns add {NAME}-c{number}" for number in range(containers)]
    for number in range(bridges(containers)):
        host += _bridge(number)
    for number in range(containers):
        host += _port(number)
    for number in range(containers // 2):
        a, b = 2 * number, 2 * number + 1
        host.append(
            f"link add name eth1 netns {NAME}-c{a} address {_mac(4, a)} mtu 1500 group {GROUP} type veth"
            f" peer name eth1 netns {NAME}-c{b} address {_mac(4, b)} mtu 1500 group {GROUP}"
        )
    (folder / "host").write_text("\n".join(host) + "\n")
    for number in range(containers):
        (folder / "inside" / f"{NAME}-c{number}").write_text("\n".join(_inside(number, containers)) + "\n")
    script = folder / "run.sh"
    script.write_text(
        f"set -e\nip -batch {folder}/host\n"
        f'cd {folder}/inside\nfor namespace in *; do ip -n "$namespace" -batch "$namespace"; done\n'
    )
    return script


def _mac(kind: int, number: int) -> str:
    return f"02:{kind:02x}:" + number.to_bytes(4, "big").hex(":")


def _mark(what: str) -> str:
    return f"alias netcompose:{NAME}:{what}"


def _bridge(number: int) -> list[str]:
    name, what = f"ncb{number}", f"bridge/net{number}"
    return [
        f"link add name {name} address {_mac(1, number)} mtu 1500 group {GROUP} type bridge",
        f"link set dev {name} up {_mark(what)}",
        f"link property add dev {name} altname {NAME}-bridge-net{number}",
        f"addr add {prefix(number)}.1/24 brd + dev {name}",
    ]


def _port(number: int) -> list[str]:
    name, what = f"ncp{number}", f"interface/c{number}.eth0"
    return [
        f"link add name {name} address {_mac(2, number)} mtu 1500 group {GROUP} type veth"
        f" peer name eth0 netns {NAME}-c{number} address {_mac(3, number)} mtu 1500 group {GROUP}",
        f"link set dev {name} master ncb{number // PER_BRIDGE} up {_mark(what)}",
        f"link property add dev {name} altname {NAME}-interface-c{number}.eth0",
    ]


def _inside(number: int, containers: int) -> list[str]:
    net = prefix(number // PER_BRIDGE)
    lines = [
        f"link set dev lo up {_mark(f'namespace/c{number}')}",
        f"link set dev eth0 up {_mark(f'interface/c{number}.eth0')}",
        f"addr add {net}.{2 + number % PER_BRIDGE}/24 brd + dev eth0",
        f"route add default via {net}.1 dev eth0 proto 110",
    ]
    if number // 2 < containers // 2:
        lines.append(f"link set dev eth1 up {_mark(f'link/c{number & ~1}.eth1-c{number | 1}.eth1')}")
        lines.append(f"addr add {cable(number // 2)[number % 2]}/30 brd + dev eth1")
    return lines
