import json

import pytest
from plan_samples import by_id, demo, interface, namespace

from netcompose.errors import UsageError
from netcompose.resources import ContainerState, End, HostFacts, Veth
from netcompose.views.hosts import HostRow, hosts_json, hosts_text
from netcompose.views.inspect import inspect_json, inspect_objects, inspect_text, select
from netcompose.views.ps import PsRow, ps_json, ps_rows, ps_text

STATES = [
    ContainerState("web1", "running", pid=4711, restarts=2),
    ContainerState("web2", "wired"),
    ContainerState("job", "exited", exit_code=3),
]


def live() -> dict:
    """The demo, a link between its containers, a container that shares web1's stack, and one on the host's."""
    ends = [
        End(n, "eth1", f"02:00:00:00:03:0{i}", addresses=(f"10.1.0.{i}/30",)) for i, n in enumerate(("web1", "web2"), 1)
    ]
    link = Veth(id="link/web1.eth1-web2.eth1", end=ends[0], peer=ends[1])
    return {**demo(), **by_id(link, namespace("side", joins="web1"))}


def test_ps_has_the_names_of_the_design() -> None:
    found = {row["name"]: row for row in json.loads(ps_json(ps_rows("local", live(), STATES, expected=["gone"])))}
    assert list(found) == ["gone", "job", "side", "web1", "web2"]
    assert found["web1"] == {
        "host": "local",
        "name": "web1",
        "status": "running",
        "networks": {"mynet1": ["172.18.0.2", "fd00:18::1"], "link:eth1": ["10.1.0.1"]},
        "ports": [],
        "exit_code": None,
        "pid": 4711,
        "restarts": 2,
    }
    assert found["side"]["networks"] == found["web1"]["networks"]
    assert (found["job"]["status"], found["job"]["exit_code"]) == ("exited", 3)
    assert found["gone"]["status"] == "absent"


def test_an_interface_out_of_its_bridge_is_seen() -> None:
    loose = Veth(id="interface/web1.eth0", end=interface("web1", 1).end, peer=End("", "nc1", "02::1"))
    (row,) = ps_rows("local", by_id(loose, namespace("web1")), [])
    assert list(row.networks) == ["unplugged:eth0"]
    assert row.status == "wired"


def test_ps_as_a_table() -> None:
    assert ps_text(ps_rows("local", live(), STATES)) == (
        "NAME  STATUS                      NETWORKS\n"
        "job   exited (3)                  -\n"
        "side  wired                       mynet1 172.18.0.2, fd00:18::1\n"
        "                                  link:eth1 10.1.0.1\n"
        "web1  running, restarted 2 times  mynet1 172.18.0.2, fd00:18::1\n"
        "                                  link:eth1 10.1.0.1\n"
        "web2  wired                       mynet1 172.18.0.3, fd00:18::2\n"
        "                                  link:eth1 10.1.0.2\n"
    )
    assert ps_text([]) == "No containers.\n"


def test_ps_shows_hosts_and_ports_when_there_are_any() -> None:
    rows = [
        PsRow("a", "web", "running", {"n": ("10.0.0.2",)}, ("8080->80/tcp", "53->53/udp")),
        PsRow("b", "db", "exited", exit_code=-9),
    ]
    text = ps_text(rows)
    assert text == (
        "HOST  NAME  STATUS             NETWORKS    PORTS\n"
        "a     web   running            n 10.0.0.2  8080->80/tcp\n"
        "                                           53->53/udp\n"
        "b     db    exited (signal 9)  -           -\n"
    )
    import re

    coloured = ps_text(rows, colour=True)
    assert "\x1b[32mrunning\x1b[0m" in coloured
    assert "\x1b[33mexited (signal 9)\x1b[0m" in coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == text


def test_inspect_a_container() -> None:
    (item,) = select(inspect_objects("local", live(), STATES), ["web1"])
    assert (item["type"], item["status"], item["state"]["pid"]) == ("container", "running", 4711)
    assert item["namespace"] == "/run/netns/demo-web1"
    assert item["networks"]["mynet1"]["addresses"] == ["172.18.0.2/16", "fd00:18::1/64"]
    assert item["networks"]["mynet1"]["routes"] == ["0.0.0.0/0 via 172.18.0.1"]
    assert item["networks"]["link:eth1"]["peer"] == "web2:eth1"
    assert item["process"]["command"] == ["python3", "-m", "http.server", "80"]
    assert item["process"]["environment"] == {"PASSWORD": "(secret)", "TOKEN": "(secret)"}
    # Not what it is called elsewhere, nor what says nothing.
    assert not {"id", "container", "namespace", "netns", "after", "user"} & set(item["process"])
    assert item["files"] == ["/etc/netns/demo-web1/hosts"]
    assert set(item["resources"]) == {
        "file/web1/hosts", "interface/web1.eth0", "link/web1.eth1-web2.eth1", "namespace/web1", "process/web1",
    }  # fmt: skip


def test_inspect_a_network_and_a_link() -> None:
    objects = inspect_objects("local", live())
    network, link = select(objects, ["mynet1", "web1.eth1-web2.eth1"])
    assert (network["driver"], network["gateways"], network["mtu"]) == ("bridge", ["172.18.0.1/16"], 1500)
    assert network["containers"]["web2"]["addresses"] == ["172.18.0.3/16", "fd00:18::2/64"]
    assert list(link["ends"]) == ["web1:eth1", "web2:eth1"]
    assert [item["name"] for item in select(objects, [])] == ["side", "web1", "web2", "mynet1", "web1.eth1-web2.eth1"]


def test_inspect_as_text_and_json() -> None:
    objects = inspect_objects("local", live(), STATES)
    assert json.loads(inspect_json(objects)) == objects
    text = inspect_text(objects)
    assert "container web1\n  host: local\n  status: running\n" in text
    assert "    mynet1:\n      interface: eth0\n      addresses: 172.18.0.2/16, fd00:18::1/64\n" in text
    assert "    command: python3 -m http.server 80\n" in text
    assert "network mynet1\n" in text
    assert "hunter2" not in text + inspect_json(objects)
    assert inspect_text([]) == "Nothing is live.\n"


def test_inspect_of_an_unknown_name_says_what_was_meant() -> None:
    with pytest.raises(UsageError) as refused:
        select(inspect_objects("local", live()), ["wbe1"])
    assert refused.value.hint == "did you mean 'web1'?"


FACTS = HostFacts(
    kernel="6.1.0-18-amd64",
    python="3.11.2",
    is_root=True,
    memory=2 * 2**30,
    load=0.5,
    features={"netns": "", "vxlan": "the module is not there", "ip6": "disabled", "docker": ""},
    interferes=("Docker sets the FORWARD policy to DROP",),
)


def test_hosts_as_a_table() -> None:
    rows = [
        HostRow("local", "", FACTS, ahead=-61.4),
        HostRow("server5", "10.0.0.5", None, "connection refused", "start sshd"),
    ]
    assert hosts_text(rows) == (
        "HOST     ADDRESS   REACHED  KERNEL          PYTHON  ROOT  RUNTIME            MEMORY   LOAD  LACKS\n"
        "local    -         yes      6.1.0-18-amd64  3.11.2  yes   namespace, docker  2.0 GiB  0.50  2\n"
        "server5  10.0.0.5  no       -               -       -     -                  -        -     -\n"
        "\nlocal\n"
        "  2 features missing:\n"
        "    ip6: disabled\n"
        "    vxlan: the module is not there\n"
        "  clock: 61 s behind this machine's\n"
        "  interferes: Docker sets the FORWARD policy to DROP\n"
        "\nserver5\n"
        "  not reached: connection refused\n"
        "  hint: start sshd\n"
    )


def test_hosts_as_json() -> None:
    one, two = json.loads(hosts_json([HostRow("local", "", FACTS), HostRow("b", "10.0.0.5", None, "refused")]))
    assert one["reachable"] is True
    assert one["features"]["vxlan"] == "the module is not there"
    assert two == {
        "name": "b",
        "address": "10.0.0.5",
        "reachable": False,
        "error": "refused",
        "hint": "",
        "clock_ahead": 0.0,
    }
