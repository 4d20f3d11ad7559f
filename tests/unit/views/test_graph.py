import re
import shutil
import subprocess

import pytest

from netcompose.topology.model import Attachment, Container, Host, Link, LinkEnd, Network, Parent, Subnet, Topology
from netcompose.topology.source import Position, Source
from netcompose.views.graph import dot, mermaid

NASTY = 'we"b <b>&`|]#1;\\N\n{x}'


def topology(hosts: tuple[str, ...] = ("local",), name: str = "demo", odd: str = "web1") -> Topology:
    """Two containers on a bridge, a cable between them, one that shares a stack, one on the host, and a macvlan."""
    net = Network("mynet1", (), subnets=(Subnet("front", (), "172.18.0.0/16"), Subnet("front6", (), "fd00:18::/64")))
    phys = Network("phys", (), driver="macvlan", parent="up")
    on = (Attachment("mynet1", (), ipv4_address="172.18.0.10", interface_name="lan0"),)
    containers = [
        Container(odd, (), host=hosts[0], hostname=odd, networks=on),
        Container("web2", (), host=hosts[-1], hostname="web2", image="nginx", networks=(Attachment("mynet1", ()),)),
        Container("side", (), host=hosts[0], hostname="side", network_mode="container", joins=odd),
        Container("sniff", (), host=hosts[0], hostname="sniff", network_mode="host"),
        Container("m", (), host=hosts[0], hostname="m", networks=(Attachment("phys", ()),)),
    ]
    cable = Link((), LinkEnd((), odd, "eth1", ("10.1.0.1/30", "fd00::1/64")), LinkEnd((), "web2", "eth1"))
    return Topology(
        name=name,
        hosts={host: Host(host, ()) for host in hosts},
        parents={"up": Parent("up", (), {"": "eth1"}, vlan=10)},
        subnets={},
        networks={"mynet1": net, "phys": phys},
        containers={c.name: c for c in containers},
        links=(cable,),
        source=Source("x", lambda path, key: Position("x", 1, 1)),
    )


def test_mermaid() -> None:
    assert mermaid(topology()) == (
        "flowchart LR\n"
        '  n0(["mynet1<br/>172.18.0.0/16<br/>fd00:18::/64"])\n'
        '  n1(["phys (macvlan)"])\n'
        '  p0[/"up<br/>eth1 vlan 10"/]\n'
        '  c0["web1"]\n'
        '  c1["web2<br/>nginx"]\n'
        '  c2["side"]\n'
        '  c3["sniff<br/>the host#39;s network"]\n'
        '  c4["m"]\n'
        "  n1 --- p0\n"
        '  c0 ---|"lan0 172.18.0.10"| n0\n'
        "  c1 --- n0\n"
        '  c2 -.-|"same stack"| c0\n'
        "  c4 --- n1\n"
        '  c0 ===|"eth1 10.1.0.1/30 fd00::1/64<br/>eth1"| c1\n'
    )


def test_hosts_are_groups_when_there_are_several() -> None:
    text = mermaid(topology(("server4", "server5")))
    assert '  subgraph g0["server4"]\n    c0["web1"]\n' in text
    assert '  subgraph g1["server5"]\n    c1["web2<br/>nginx"]\n  end\n' in text
    assert "subgraph" not in mermaid(topology())
    drawn = dot(topology(("server4", "server5")))
    assert 'subgraph cluster_1 { label="server5";\n    c1 [label="web2\\nnginx", shape=box];\n  }' in drawn


def test_compiled_addresses_replace_the_stated_ones() -> None:
    known = {"web2": {"mynet1": ("172.18.0.77", "fd00:18::77")}}
    assert 'c1 ---|"172.18.0.77 fd00:18::77"| n0' in mermaid(topology(), addresses=known)
    assert '[label="172.18.0.77 fd00:18::77"]' in dot(topology(), addresses=known)


#: What a line of this flowchart may be, after mermaid's grammar: labels in quotes without quotes, markup or backticks.
LABEL = r'"(?:[\w .,:/()%+=-]|#\d+;|<br/>)+"'
NODE = rf"[cnp]\d+(?:\[{LABEL}\]|\(\[{LABEL}\]\)|\[/{LABEL}/\])"
LINE = re.compile(
    rf"flowchart LR|\s+(?:{NODE}|[cnp]\d+ (?:---|===|-\.-)(?:\|{LABEL}\|)? [cnp]\d+|subgraph g\d+\[{LABEL}\]|end)"
)


@pytest.mark.parametrize("odd", ["web1", NASTY, "end", "x--y", "Zürich", "a;b", '"'])
def test_any_name_gives_valid_mermaid(odd: str) -> None:
    text = mermaid(topology(("a", odd), name=odd, odd=odd))
    bad = [line for line in text.rstrip("\n").split("\n") if not LINE.fullmatch(line)]
    assert bad == []


@pytest.mark.parametrize("odd", ["web1", NASTY, "\\", '"'])
def test_any_name_gives_valid_dot(odd: str) -> None:
    text = dot(topology(("a", odd), name=odd, odd=odd))
    without = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
    statement = re.compile(
        r'graph "" \{|  \w+=\w+;|  (?:node|edge) \[fontsize=\d+\];|\s+[cnp]\d+ \[label="", shape=\w+\];'
        r'|  [cnp]\d+ -- [cnp]\d+ \[label=""(?:, \w+=\w+)?\];|  subgraph cluster_\d+ \{ label="";|  \}|\}'
    )
    assert [line for line in without.rstrip("\n").split("\n") if not statement.fullmatch(line)] == []
    assert text.count("{") - sum(label.count("{") for label in re.findall(r'"(?:[^"\\]|\\.)*"', text)) == (
        without.count("}")
    )


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
@pytest.mark.parametrize("odd", ["web1", NASTY])
def test_graphviz_draws_it(odd: str) -> None:
    text = dot(topology(("a", "b"), odd=odd))
    done = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert b"mynet1" in done.stdout
