"""The topology as a picture: mermaid (flowchart) and Graphviz dot. Pure.

Containers and networks are nodes, attachments and point-to-point links are edges with interface names and addresses;
hosts are groups when there are several. Nodes have neutral ids (``c0``, ``n0``) so that any name is allowed in a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netcompose.topology.model import Container, Impairment, Topology
from netcompose.views.terminal import printable

#: container -> network -> addresses, as compiled; without it a picture has the addresses that the file states.
Addresses = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class _Node:
    id: str
    label: tuple[str, ...]
    shape: str  # container, network, parent
    group: str = ""


@dataclass(frozen=True)
class _Edge:
    a: str
    b: str
    label: tuple[str, ...]
    style: str = "plain"  # plain, cable, shared


@dataclass(frozen=True)
class _Graph:
    nodes: tuple[_Node, ...]
    edges: tuple[_Edge, ...]
    groups: tuple[str, ...]


def mermaid(topology: Topology, *, addresses: Addresses | None = None) -> str:
    """A mermaid flowchart, for a README or a pull request (inside a fence of ``mermaid``)."""
    graph = _graph(topology, addresses or {})
    shapes = {"container": ('["', '"]'), "network": ('(["', '"])'), "parent": ('[/"', '"/]')}
    arrows = {"plain": ("---", '---|"{}"|'), "cable": ("===", '===|"{}"|'), "shared": ("-.-", '-.-|"{}"|')}

    def node(item: _Node) -> str:
        left, right = shapes[item.shape]
        return f"{item.id}{left}{'<br/>'.join(map(_mermaid_text, item.label))}{right}"

    def edge(item: _Edge) -> str:
        bare, labelled = arrows[item.style]
        text = "<br/>".join(map(_mermaid_text, item.label))
        return f"{item.a} {labelled.format(text) if text else bare} {item.b}"

    lines = ["flowchart LR"]
    lines += _grouped(graph, node, lambda number, name: f'subgraph g{number}["{_mermaid_text(name)}"]', "end")
    lines += [f"  {edge(item)}" for item in graph.edges]
    return "\n".join(lines) + "\n"


def dot(topology: Topology, *, addresses: Addresses | None = None) -> str:
    """A Graphviz graph: ``netcompose graph --format dot | dot -Tsvg``."""
    graph = _graph(topology, addresses or {})
    shapes = {"container": "box", "network": "ellipse", "parent": "parallelogram"}
    styles = {"plain": "", "cable": ", penwidth=2", "shared": ", style=dotted"}

    def node(item: _Node) -> str:
        return f"{item.id} [label={_dot_text(item.label)}, shape={shapes[item.shape]}];"

    lines = [
        f"graph {_dot_text([topology.name])} {{",
        "  overlap=false;",
        "  node [fontsize=11];",
        "  edge [fontsize=9];",
    ]
    lines += _grouped(graph, node, lambda number, name: f"subgraph cluster_{number} {{ label={_dot_text([name])};", "}")
    lines += [f"  {item.a} -- {item.b} [label={_dot_text(item.label)}{styles[item.style]}];" for item in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _graph(topology: Topology, addresses: Addresses) -> _Graph:
    groups = tuple(topology.hosts) if len(topology.hosts) > 1 else ()
    container_ids = {name: f"c{number}" for number, name in enumerate(topology.containers)}
    network_ids = {name: f"n{number}" for number, name in enumerate(topology.networks)}
    parent_ids = {name: f"p{number}" for number, name in enumerate(topology.parents)}
    nodes: list[_Node] = []
    edges: list[_Edge] = []
    for name, network in topology.networks.items():
        subnets = tuple(subnet.subnet for subnet in network.subnets)
        kind = "" if network.driver == "bridge" else f" ({network.driver})"
        nodes.append(_Node(network_ids[name], (name + kind, *subnets), "network"))
        if network.parent in parent_ids:
            edges.append(_Edge(network_ids[name], parent_ids[network.parent], ()))
    for name, parent in topology.parents.items():
        interfaces = sorted(set(parent.interface.values()))
        vlan = f" vlan {parent.vlan}" if parent.vlan else ""
        nodes.append(_Node(parent_ids[name], (name, ", ".join(interfaces) + vlan), "parent"))
    for name, container in topology.containers.items():
        group = container.host if container.host in groups else ""
        nodes.append(_Node(container_ids[name], _container_label(container), "container", group))
        edges += _attachments(container, container_ids, network_ids, addresses.get(name, {}))
    for link in topology.links:
        if link.a.container in container_ids and link.b.container in container_ids:
            label = tuple(
                " ".join((end.interface, *end.addresses, *_impairment(end.impairment))) for end in (link.a, link.b)
            )
            a, b = container_ids[link.a.container], container_ids[link.b.container]
            edges.append(_Edge(a, b, label, "cable"))
    return _Graph(tuple(nodes), tuple(edges), groups)


def _container_label(container: Container) -> tuple[str, ...]:
    mode = {"host": "the host's network", "none": ""}.get(container.network_mode, "")
    return tuple(part for part in (container.name, container.image, mode) if part)


def _attachments(
    container: Container,
    containers: Mapping[str, str],
    networks: Mapping[str, str],
    addresses: Mapping[str, Sequence[str]],
) -> Iterator[_Edge]:
    me = containers[container.name]
    if container.joins in containers:
        yield _Edge(me, containers[container.joins], ("same stack",), "shared")
    for attachment in container.networks:
        if attachment.network in networks:
            stated = tuple(a for a in (attachment.ipv4_address, attachment.ipv6_address) if a)
            known = tuple(addresses.get(attachment.network, ())) or stated
            both = (*_impairment(attachment.impairment), *_impairment(attachment.ingress, "arriving: "))
            text = " ".join((attachment.interface_name, *known, *both)).strip()
            yield _Edge(me, networks[attachment.network], (text,) if text else ())


def _impairment(impairment: Impairment | None, head: str = "") -> Iterator[str]:
    """``(delay 10ms, loss 0.1%)`` as the file has it, or nothing."""
    if impairment is not None:
        keys = ("delay", "jitter", "loss", "duplicate", "reorder", "corrupt", "rate")
        asked = [f"{key} {value}" for key in keys if (value := getattr(impairment, key))]
        if asked:
            yield f"({head}{', '.join(asked)})"


def _grouped(
    graph: _Graph, node: Callable[[_Node], str], opening: Callable[[int, str], str], closing: str
) -> list[str]:
    lines = [f"  {node(item)}" for item in graph.nodes if not item.group]
    for number, group in enumerate(graph.groups):
        inside = [f"    {node(item)}" for item in graph.nodes if item.group == group]
        lines += [f"  {opening(number, group)}", *inside, f"  {closing}"]
    return lines


def _mermaid_text(text: str) -> str:
    """A label in quotes: mermaid reads entities, markup and markdown there, so everything unusual is an entity
    (``#34;``, the form of its documentation)."""
    harmless = " .,:/()%+=-_"
    return "".join(c if c.isalnum() or c in harmless else f"#{ord(c)};" for c in printable(text))


def _dot_text(lines: Sequence[str]) -> str:
    """A quoted string with line breaks; a backslash would begin an escape of dot (``\\N`` is the node's name)."""
    safe = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(safe) + '"'
