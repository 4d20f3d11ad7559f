"""Short forms, canonical values, and what a whole file becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcompose.errors import TopologyError, UsageError
from netcompose.topology import values
from netcompose.topology.addressing import block, gateway
from netcompose.topology.interfaces import cable_ends, interface_names
from netcompose.topology.load import default_name, load, load_text
from netcompose.topology.model import Container, Network, Port, Subnet, Topology
from netcompose.topology.values import BadValue


def container(text: str, rest: str = "networks: {n: {}}\n") -> Container:
    return load_text(f"{rest}containers:\n  c: {text}\n").containers["c"]


def test_the_skeleton() -> None:
    topology = load_text("{}")
    assert (topology.name, list(topology.hosts), topology.containers, topology.links) == ("topology", ["local"], {}, ())
    assert topology.hosts["local"].address == ""


def test_hosts() -> None:
    text = """
hosts: {a: {address: 10.0.0.4, keepalive: 0, connect_timeout: 1m30s}, b: }
default_host: b
containers: {c: , d: {host: a}}
"""
    topology = load_text(text)
    assert topology.hosts["a"].address == "10.0.0.4"
    assert topology.hosts["a"].connect_timeout == 90.0
    assert topology.hosts["a"].keepalive == 0
    assert topology.hosts["b"].address == "b"
    assert {name: c.host for name, c in topology.containers.items()} == {"c": "b", "d": "a"}


def test_a_joining_container_is_on_the_host_of_the_other() -> None:
    text = """
hosts: {a: {}, b: {}}
containers:
  three: {network_mode: "container:two"}
  two: {network_mode: "container:one"}
  one: {host: b}
"""
    topology = load_text(text)
    assert {c.host for c in topology.containers.values()} == {"b"}
    assert topology.containers["two"].joins == "one"
    assert topology.containers["two"].network_mode == "container"


def test_subnets_by_name_prefix_and_mapping() -> None:
    text = """
subnets: {front: 172.18.0.0/16, six: {subnet: "FD00:0::/64", gateway: "fd00:0:0::1"}}
networks:
  n:
    subnets:
      - front
      - six
      - 10.0.0.0/8
      - {subnet: 192.168.0.0/24, ip_range: 192.168.0.0/25, aux_addresses: {p: 192.168.0.7}}
"""
    network = load_text(text).networks["n"]
    assert [subnet.subnet for subnet in network.subnets] == [
        "172.18.0.0/16",
        "fd00::/64",
        "10.0.0.0/8",
        "192.168.0.0/24",
    ]
    assert [subnet.name for subnet in network.subnets] == ["front", "six", "", ""]
    assert network.subnets[1].gateway == "fd00::1"
    assert network.subnets[3].aux_addresses == {"p": "192.168.0.7"}


def test_lists_and_mappings_are_the_same() -> None:
    lists = "{networks: [n], environment: [A=1, B=], sysctls: [net.x.y=1], "
    lists += "extra_hosts: ['h:10.0.0.1', 'h=fd00::1', 'h:[fd00::2]']}"
    mappings = "{networks: {n: }, environment: {A: 1, B: ''}, sysctls: {net.x.y: 1}, "
    mappings += "extra_hosts: {h: [10.0.0.1, 'fd00::1', 'fd00::2']}}"
    one, two = container(lists), container(mappings)
    assert one.environment == two.environment == {"A": "1", "B": ""}
    assert one.sysctls == two.sysctls == {"net.x.y": "1"}
    assert one.extra_hosts == two.extra_hosts == (("h", "10.0.0.1"), ("h", "fd00::1"), ("h", "fd00::2"))
    assert [a.network for a in one.networks] == [a.network for a in two.networks] == ["n"]


def test_values_keep_how_they_were_written() -> None:
    found = container(
        "{environment: {V: 1.10, M: 0755, X: 0x10, Y: yes, D: 2026-01-01}, user: 0100, command: [a, 1.0]}"
    )
    assert found.environment == {"V": "1.10", "M": "0755", "X": "0x10", "Y": "yes", "D": "2026-01-01"}
    assert found.user == "0100"
    assert found.command == ("a", "1.0")


def test_commands() -> None:
    found = container("{command: \"sh -c 'echo a b'\", exec: [ip link, [ip, addr]], image: i, entrypoint: a b}")
    assert found.command == ("sh", "-c", "echo a b")
    assert found.exec == (("ip", "link"), ("ip", "addr"))
    assert found.engine["entrypoint"] == ("a", "b")


def test_engine_keys_have_one_form() -> None:
    text = "containers:\n  c: {image: i, depends_on: [d], labels: [a=b], tmpfs: /run, cpus: 0.5}\n  d: {}\n"
    assert load_text(text).containers["c"].engine == {
        "depends_on": {"d": "service_started"},
        "labels": {"a": "b"},
        "tmpfs": ("/run",),
        "cpus": 0.5,
    }


def test_containers_keep_their_host_names_and_links() -> None:
    text = """
networks: {n: {}}
containers: {a: {networks: [n], links: [b, "b:db"], hostname: x.y}, b: {networks: [n]}}
"""
    first, second = load_text(text).containers.values()
    assert [(link.container, link.alias) for link in first.links] == [("b", "b"), ("b", "db")]
    assert (first.hostname, second.hostname) == ("x.y", "b")


def test_host_gateway_stands_for_an_address() -> None:
    assert container("{networks: [n], extra_hosts: ['h:host-gateway']}").extra_hosts == (("h", "host-gateway"),)


def test_routes() -> None:
    text = """
networks: {n: {}}
containers:
  c:
    networks: [n]
    routes: [{to: default, via: 10.0.0.1}, {to: default, via: "fd00::1"}, {to: "FD01::/64", interface: eth0, metric: 5}]
"""
    routes = load_text(text).containers["c"].routes
    assert [(r.to, r.via, r.interface, r.metric) for r in routes] == [
        ("0.0.0.0/0", "10.0.0.1", "", 0), ("::/0", "fd00::1", "", 0), ("fd01::/64", "", "eth0", 5),
    ]  # fmt: skip


def test_links() -> None:
    text = """
containers: {a: {}, b: {}}
links:
  - endpoints: ["a:x", "b:y"]
    addresses: [["10.1.0.1/30", "FD00::1/64"], ["10.1.0.2/30", "fd00::2/64"]]
    mac_addresses: ["02:00:00:00:00:0A", null]
    mtu: 9000
    impairment: {delay: 10ms}
  - endpoints: ["a:v", "b:v"]
    addresses: [10.2.0.1/30, null]
    impairment: [null, {loss: 1%}]
"""
    one, two = load_text(text).links
    assert one.a.addresses == ("10.1.0.1/30", "fd00::1/64")
    assert (one.a.mac_address, one.b.mac_address) == ("02:00:00:00:00:0a", "")
    assert one.a.impairment is not None and one.a.impairment == one.b.impairment
    assert two.a.impairment is None and two.b.impairment is not None and two.b.impairment.loss == "1%"
    assert (two.b.addresses, one.mtu, two.mtu) == ((), 9000, 0)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("80", [(80, 0, "", "tcp")]),
        (80, [(80, 0, "", "tcp")]),
        ("80/UDP", [(80, 0, "", "udp")]),
        ("8080:80", [(80, 8080, "", "tcp")]),
        ("127.0.0.1:5353:53/udp", [(53, 5353, "127.0.0.1", "udp")]),
        ("127.0.0.1::53", [(53, 0, "127.0.0.1", "tcp")]),
        ("[::1]:80:80", [(80, 80, "::1", "tcp")]),
        ("8-9:18-19/sctp", [(18, 8, "", "sctp"), (19, 9, "", "sctp")]),
        ("8-9", [(8, 0, "", "tcp"), (9, 0, "", "tcp")]),
        ({"target": 80, "published": "8080", "host_ip": "[::1]", "protocol": "udp"}, [(80, 8080, "::1", "udp")]),
        ({"target": 80}, [(80, 0, "", "tcp")]),
    ],
)
def test_ports(written: object, meant: list[tuple[int, int, str, str]]) -> None:
    assert list(values.ports(written)) == meant


@pytest.mark.parametrize(
    "written",
    ["", "0", "65536", "a:80", "80:", "1-2:3", "80/tcp/udp", "::80", "x:1:2", "+80", "8 0", "²:80", "65535-65536"],
)
def test_ports_that_are_none(written: str) -> None:
    with pytest.raises(BadValue):
        list(values.ports(written))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("1.5s", 1.5), (3, 3), ("250us", 0.00025)],
)
def test_durations(written: object, seconds: float) -> None:
    assert values.duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "meant"), [("TERM", "SIGTERM"), ("sigint", "SIGINT"), ("9", "SIGKILL"), ("RTMIN+3", "SIGRTMIN+3")]
)
def test_stop_signals(written: str, meant: str) -> None:
    assert values.stop_signal(written) == meant


def test_a_range_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from netcompose.topology import findings

    monkeypatch.setattr(findings, "MOST_PORTS", 10)
    with pytest.raises(TopologyError) as caught:
        container("{networks: [n], ports: [1000-1020, 2000-2020]}")
    assert caught.value.problems[0].message == "the topology publishes too many ports"


def test_interface_names() -> None:
    text = """
networks: {a: {}, b: {}, c: {}, d: {}}
containers:
  x: {networks: {a: {}, b: {interface_name: eth0}, c: {}, d: {interface_name: up}}}
  y: {}
links: [{endpoints: ["x:eth2", "y:eth0"]}]
"""
    topology = load_text(text)
    ends = cable_ends(topology)
    assert interface_names(topology.containers["x"], ends["x"]) == ("eth1", "eth0", "eth3", "up")


@pytest.mark.parametrize(
    ("prefix", "first", "network", "broadcast"),
    [
        ("10.0.0.0/24", 1, 0, 255),
        ("10.0.0.0/30", 1, 0, 3),
        ("10.0.0.0/31", 0, None, None),
        ("10.0.0.0/32", 0, None, None),
        ("fd00::/64", 1, 0, None),
        ("fd00::/127", 0, None, None),
    ],
)
def test_special_addresses(prefix: str, first: int, network: int | None, broadcast: int | None) -> None:
    own = block(prefix)
    assert own.first_host - own.first == first
    assert own.network_address == (None if network is None else own.first + network)
    assert own.broadcast_address == (None if broadcast is None else own.first + broadcast)


def test_gateways() -> None:
    subnet, fixed = Subnet("", (), "10.0.0.0/24"), Subnet("", (), "10.0.0.0/24", gateway="10.0.0.9")
    assert gateway(Network("n", ()), subnet) == "10.0.0.1"
    assert gateway(Network("n", ()), fixed) == "10.0.0.9"
    assert gateway(Network("n", (), internal=True), subnet) == ""
    assert gateway(Network("n", (), driver="macvlan"), subnet) == ""
    assert gateway(Network("n", (), driver="macvlan"), fixed) == "10.0.0.9"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("campus", "campus"),
        ("My Lab_2", "my-lab-2"),
        ("--", "topology"),
        ("a" * 40, "a" * 31),
        ("a" * 30 + "-b", "a" * 30),
        ("é", "topology"),
    ],
)
def test_the_name_of_the_folder(folder: str, name: str, tmp_path: Path) -> None:
    assert default_name(str(tmp_path / folder / "topology.yaml")) == name


def test_load_reads_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Lab 7"
    folder.mkdir()
    (folder / "topology.yaml").write_text("vars: {n: 1}\ncontainers: {'c{{ n }}': {}}\n")
    (folder / "more.yaml").write_text("n: 5\n")
    monkeypatch.chdir(folder)
    assert load("topology.yaml").name == "lab-7"
    assert load("topology.yaml", name="other").name == "other"
    assert list(load("topology.yaml", variables={"n": "3"}).containers) == ["c3"]
    assert list(load("topology.yaml", vars_files=["more.yaml"]).containers) == ["c5"]
    with pytest.raises(UsageError, match="cannot be a topology's name"):
        load("topology.yaml", name="A b")
    (folder / "topology.yaml").write_text("name: fixed\n")
    assert load("topology.yaml").name == "fixed"


def test_ports_share_the_position_of_their_entry() -> None:
    found = container("{networks: [n], ports: [8000-8001:80-81]}")
    assert found.ports == (
        Port(("containers", "c", "ports", 0), 80, 8000), Port(("containers", "c", "ports", 0), 81, 8001),
    )  # fmt: skip


def test_what_is_fine_stays_fine() -> None:
    """Near misses of the checks."""
    topology: Topology = load_text(
        """
parents: {up: {interface: eth1}, v10: {interface: eth1, vlan: 10}, v20: {interface: eth1, vlan: 20}}
networks:
  in-range: {subnets: [{subnet: 10.0.0.0/24, gateway: 10.0.0.130, ip_range: 10.0.0.128/25}]}
  internal: {internal: true, subnets: [10.1.0.0/30]}
  o1: {driver: overlay, subnets: [10.50.0.0/24]}
  o2: {driver: overlay, subnets: [10.50.0.0/24]}
  m1: {driver: macvlan, parent: v10, subnets: [10.60.0.0/24]}
  m2: {driver: macvlan, parent: v20, subnets: [10.60.0.0/24]}
  p2p: {subnets: [10.7.0.0/31]}
  free: {}
containers:
  a: {networks: {in-range: {ipv4_address: 10.0.0.5}, internal: {ipv4_address: 10.1.0.1}}, links: [b]}
  b: {networks: [o1, in-range, p2p]}
  c:
    networks: {o2: {ipv4_address: 10.50.0.1}}
    routes: [{to: default, via: 10.50.0.2}, {to: "::/0", via: fe80::1, interface: eth0}]
  d: {networks: [internal, free], command: [x], routes: [{to: 10.99.0.0/16, via: 10.98.0.1}]}
  e: {network_mode: "container:a", command: [x], sysctls: {kernel.x: 1}}
  f: {network_mode: none, ports: [], links: [g], routes: [{to: default, via: 10.70.0.0}]}
  g: {network_mode: none}
  h: {networks: {free: {}}, ports: ["127.0.0.1:80:80", "127.0.0.2:80:80", "80:80/udp", "65534-65535"]}
  i: {networks: {free: {impairment: {delay: 3600s, loss: 100%}}}, hostname: HOSTNAME}
links:
  - {endpoints: ["f:eth0", "g:eth0"], addresses: [10.70.0.1/31, 10.70.0.0/31]}
  - {endpoints: ["f:lo0", "f:lo1"], addresses: [10.71.0.1/32, null]}
""".replace("HOSTNAME", f"{'h' * 32}.{'h' * 31}")
    )
    assert len(topology.containers) == 9
