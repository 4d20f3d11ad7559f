"""Containers of an engine: what is asked of it, and how its answers are read. Pure parts only."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import zlib
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from netcompose.agent import selfpack
from netcompose.agent.runtimes import engineapi, enginebody, rewire
from netcompose.agent.runtimes.engineexec import outputs
from netcompose.agent.runtimes.engineshow import _stamped
from netcompose.agent.runtimes.gatebinary import PROGRAMS
from netcompose.errors import HostLacks
from netcompose.resources import Container, Namespace, attributes
from netcompose.resources.base import IN_PLACE, OBSERVED
from netcompose.resources.container_engine import BEFORE, GATED, LEFT_BEHIND, STARTED

IMAGE = {"Id": "sha256:1", "Config": {"Entrypoint": ["/entry"], "Cmd": ["a", "b"]}}


def web(**keys: object) -> Container:
    return Container(id="container/web", container="web", name="lab-web", image="small", **keys)  # type: ignore[arg-type]


def body(**keys: object) -> dict[str, object]:
    return enginebody.create("lab", web(**keys), IMAGE)


def inspected(container: Container, **state: object) -> dict[str, object]:
    """The engine's answer about a container that was made from this resource."""
    made = enginebody.create("lab", container, IMAGE)
    return {
        "Id": "0123456789abcdef",
        "Name": "/lab-web",
        "Image": "sha256:1",
        "Config": {"Labels": made["Labels"]},
        "HostConfig": made["HostConfig"],
        "State": {"Running": True, "Status": "running", "StartedAt": "2026-01-02T03:04:05Z", **state},
    }


@pytest.mark.parametrize(
    ("keys", "argv"),
    [
        ({}, ["/entry", "a", "b"]),
        ({"command": ("c",)}, ["/entry", "c"]),
        # An entry point of one's own drops the image's command, as the engine has it.
        ({"entrypoint": ("/own",)}, ["/own"]),
        ({"entrypoint": ("/own",), "command": ("c",)}, ["/own", "c"]),
    ],
)
def test_the_gate_comes_first_and_the_program_is_the_one_that_the_engine_would_run(keys, argv):
    made = body(**keys)
    assert made["Entrypoint"] == ["/.netcompose/gate"]
    assert made["Cmd"] == argv
    assert made["HostConfig"]["NetworkMode"] == "none"
    assert made["HostConfig"]["Mounts"][-1]["Target"] == "/.netcompose"


@pytest.mark.parametrize(("network", "mode"), [("host", "host"), ("container:db", "container:lab-db")])
def test_without_a_network_of_its_own_nothing_stands_in_front_of_it(network, mode):
    made = body(network=network, command=("c",))
    assert (made["Entrypoint"], made["Cmd"]) == (None, ["c"])
    assert made["HostConfig"]["NetworkMode"] == mode
    assert made["HostConfig"]["Mounts"] == []


def test_an_image_that_says_nothing_of_what_to_run_is_refused():
    with pytest.raises(HostLacks, match="says nothing of what to run"):
        enginebody.create("lab", web(), {"Id": "x", "Config": None})


def test_what_was_made_is_read_back_as_it_was():
    full = web(
        restart="on-failure:3",
        memory=1 << 26,
        cpus=0.25,
        limits=("cpus", "memory"),
        environment={"A": "1"},
        mounts=("bind:/a:/b:ro",),
        ulimits={"nofile": "1:2"},
        labels={"x": "y"},
    )
    # Whether the image is the one that its name leads to is asked of the engine.
    assert enginebody.live(inspected(full)) == replace(full, image_id="sha256:1")


@pytest.mark.parametrize(
    ("restart", "state", "expected"),
    [
        ("no", {"Running": False, "Status": "exited", "ExitCode": 3}, "started"),
        ("on-failure", {"Running": False, "Status": "exited", "ExitCode": 0}, "started"),
        ("on-failure", {"Running": False, "Status": "exited", "ExitCode": 1}, "not started"),
        ("unless-stopped", {"Running": False, "Status": "exited", "ExitCode": 0}, "started"),
        ("always", {"Running": False, "Status": "exited", "ExitCode": 0}, "not started"),
        ("always", {"Running": False, "Restarting": True, "Status": "restarting"}, "started"),
        ("no", {"Running": False, "Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}, "not started"),
    ],
)
def test_a_program_that_is_done_is_no_drift_unless_its_policy_says_so(restart, state, expected):
    assert enginebody.live(inspected(web(restart=restart), **state)).state == expected


def test_a_renamed_container_is_set_aside_and_a_foreign_one_is_none_of_ours():
    found = inspected(web())
    assert enginebody.live({**found, "Name": "/lab-web-aside-01234567"}).state == "set aside"
    assert enginebody.live({**found, "Config": {"Labels": None}}) is None
    assert enginebody.live({**found, "Config": {"Labels": {"io.netcompose.spec": "{"}}}) is None


def test_what_changes_in_place_is_what_the_update_call_takes():
    changing = {name for name, declared in attributes(Container) if declared.changes == IN_PLACE}
    assert changing == {"memory", "cpus", "restart", "state"}
    asked = enginebody.update(web(memory=7, cpus=0.5, restart="always"))
    assert asked == {
        "Memory": 7,
        "MemorySwap": 14,
        "NanoCpus": 500_000_000,
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
    }


def test_every_attribute_that_takes_a_new_container_says_why():
    names = {"container", "name"}
    for name, declared in attributes(Container):
        assert declared.changes in (IN_PLACE, OBSERVED) or declared.why or name in names, name


def test_both_outputs_come_apart_wherever_the_stream_is_cut():
    whole = b"".join(
        struct.pack(">BxxxI", which, len(text)) + text for which, text in ((1, b"out"), (2, b"e"), (1, b""))
    )
    for cut in range(len(whole) + 1):
        assert list(outputs(iter([whole[:cut], whole[cut:]]))) == [(1, b"out"), (2, b"e"), (1, b"")]


def test_times_of_an_engine_have_six_digits():
    assert _stamped(b"2026-01-02T03:04:05.123456789Z a\n2026-01-02T03:04:05Z b") == (
        b"2026-01-02T03:04:05.123456Z a\n2026-01-02T03:04:05.000000Z b"
    )


def test_the_engine_is_where_its_own_variable_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///somewhere/docker.sock")
    assert engineapi.socket_path() == "/somewhere/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    monkeypatch.setattr(engineapi, "SOCKETS", {"docker": ("/nowhere/at/all",)})
    assert engineapi.socket_path() == "", "an engine elsewhere is none of this host"


#: e_machine of elf(5).
MACHINES = {"x86_64": 62, "aarch64": 183}


@pytest.mark.parametrize("machine", PROGRAMS)
def test_the_gate_is_a_small_static_program(machine):
    program = zlib.decompress(b64decode(PROGRAMS[machine]))
    assert program[:5] == b"\x7fELF\x02"
    kind, found = struct.unpack_from("<HH", program, 16)
    assert (kind, found) == (2, MACHINES[machine])
    offset, size, count = struct.unpack_from("<32xQ14xHH", program)[0], *struct.unpack_from("<HH", program, 54)
    kinds = {struct.unpack_from("<I", program, offset + size * index)[0] for index in range(count)}
    assert not kinds & {2, 3}, "neither dynamic nor with an interpreter"
    assert len(program) < 16384


@pytest.mark.parametrize("machine", PROGRAMS)
def test_the_gate_is_what_its_source_says(machine):
    """Where its compiler is the one that built it: another version gives other bytes."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "gate"))
    import build

    compiler = build.COMPILERS[machine]
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} is installed")
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    if version != build.VERSION:
        pytest.skip(f"{compiler} is {version}, the gate was built with {build.VERSION}")
    assert build.build(machine) == zlib.decompress(b64decode(PROGRAMS[machine]))


def test_a_topology_without_images_loads_no_engine():
    code = (
        "import json, sys, netcompose.agent.agent, netcompose.agent.facts\n"
        "print(json.dumps([m for m in sys.modules if 'http' in m or m.startswith(('docker', 'requests', 'urllib3'))"
        " or m.endswith(('.engine', '.engineapi', '.gatekeeper'))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_agent_packs_itself_for_a_process_of_its_own(tmp_path: Path):
    path = tmp_path / "agent.pyz"
    main = (
        "import sys, netcompose.agent.runtimes.gatekeeper, netcompose.agent.runtimes.rewire as r\nprint(r.__file__)\n"
        "import docker.api.client, requests\nprint(requests.certs.where(), 'certifi' in sys.modules)\n"
    )
    path.write_bytes(selfpack.archive(main))
    assert selfpack.archive(main) == path.read_bytes()
    done = subprocess.run([sys.executable, "-I", "-S", str(path)], capture_output=True, text=True, env={})
    assert done.stdout.startswith(str(path)), done.stderr
    assert done.stdout.endswith("/etc/ssl/certs/ca-certificates.crt False\n")


def test_the_processors_with_a_gate_are_those_that_the_compiler_knows():
    assert set(PROGRAMS) == set(GATED)


def test_containers_that_were_started_again_meanwhile_have_their_own_turn():
    """What is wired again leaves them, and who shares their network, as they are; all else is brought back."""

    def namespace(name, of):
        return Namespace(id=f"namespace/{name}", container=name, netns=f"lab-{name}", of=of)

    def guest(name, of, state):
        return replace(web(network=f"container:{of}", state=state), id=f"container/{name}", container=name)

    wanted = {
        "namespace/mine": namespace("mine", "container/mine"),
        "namespace/other": namespace("other", "container/other"),
        "namespace/owner": namespace("owner", "container/carrier"),
        **{f"container/{name}-guest": guest(f"{name}-guest", name, STARTED) for name in ("mine", "other", "carrier")},
    }
    live = {
        "namespace/mine": namespace("mine", "container/mine" + BEFORE),
        "namespace/other": namespace("other", "container/other" + BEFORE),
        "namespace/owner": namespace("owner", "container/carrier" + BEFORE),
        **{
            f"container/{name}-guest": guest(f"{name}-guest", name, LEFT_BEHIND)
            for name in ("mine", "other", "carrier")
        },
    }
    found = rewire._without_others(wanted, live, {"mine"})
    assert {id for id, item in found.items() if item == live[id]} == {
        "namespace/other", "namespace/owner", "container/other-guest", "container/carrier-guest",
    }  # fmt: skip
    assert {id for id, item in found.items() if item == wanted[id]} == {"namespace/mine", "container/mine-guest"}
