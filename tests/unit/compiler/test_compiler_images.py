from __future__ import annotations

import pytest
from compiler_world import HOST, compiled, container, fresh, network, topology

from netcompose.compiler.compile import compile_topology
from netcompose.compiler.images import images_by_host
from netcompose.resources import Container, EngineFacts, Namespace, Start


def world(**keys):
    return network("lan", "10.0.0.0/24"), container("w", "lan", image="small", **keys)


def made(**keys):
    resources = compiled(*world(**keys)).resources[HOST]
    return resources["container/w"], resources["start/w"], resources["namespace/w"]


def test_an_image_container_is_three_objects_and_a_gatekeeper():
    resources = compiled(*world()).resources[HOST]
    engine, start, namespace = (resources[f"{kind}/w"] for kind in ("container", "start", "namespace"))
    assert isinstance(engine, Container) and isinstance(start, Start) and isinstance(namespace, Namespace)
    assert namespace.of == "container/w"
    assert {"process/@gate", "file/w/hosts", "file/w/resolv.conf"} <= set(engine.after)
    assert {"namespace/w", "interface/w.eth0"} <= set(start.after)
    assert "process/@gate" in resources
    assert "process/w" not in resources


def test_a_native_topology_has_no_gatekeeper():
    assert "process/@gate" not in compiled(container("n", network_mode="none")).resources[HOST]


def test_sysctls_go_to_whom_they_belong():
    engine, _, namespace = made(sysctls={"net.ipv4.ip_forward": "1", "kernel.shmmax": "2"})
    assert dict(engine.sysctls) == {"kernel.shmmax": "2"}
    assert dict(namespace.sysctls) == {"net.ipv4.ip_forward": "1"}


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("mem_limit", "1.5g", "memory", 3 << 29),
        ("mem_limit", "64MB", "memory", 64 << 20),
        ("mem_limit", 4096, "memory", 4096),
        ("cpus", "0.5", "cpus", 0.5),
        ("volumes", ["/a:/b"], "mounts", ("bind:/a:/b:create",)),
        ("volumes", ["/a:/b:ro"], "mounts", ("bind:/a:/b:ro,create",)),
        ("volumes", [{"type": "bind", "source": "/a", "target": "/b"}], "mounts", ("bind:/a:/b",)),
        ("volumes", ["data:/b:ro"], "mounts", ("volume:campus_data:/b:ro",)),
        ("volumes", ["/b"], "mounts", ("volume::/b",)),
        ("volumes", [{"type": "tmpfs", "target": "/b"}], "mounts", ("tmpfs::/b",)),
        ("ulimits", {"nproc": 3, "nofile": {"soft": 1, "hard": 2}}, "ulimits", {"nofile": "1:2", "nproc": "3:3"}),
        ("healthcheck", {"disable": True}, "healthcheck", {"Test": '["NONE"]'}),
        ("healthcheck", {"test": "x", "interval": "1m"}, "healthcheck", {"Test": '["CMD-SHELL", "x"]', "Interval": "60000000000"}),
    ],
)  # fmt: skip
def test_keys_in_the_engines_form(key, value, field, expected):
    engine, _, _ = made(engine={key: value})
    assert getattr(engine, field) == expected
    assert engine.limits == (({"mem_limit": ("memory",), "cpus": ("cpus",)}).get(key, ()))


def test_dependencies_are_the_order_of_starts_and_conditions_are_waited_for():
    resources = compiled(
        container("a", network_mode="none", image="small"),
        container("b", network_mode="none", command=("x",)),
        container("c", network_mode="none"),
        container(
            "w",
            network_mode="none",
            image="small",
            engine={"depends_on": {"a": "service_healthy", "b": "service_started", "c": "service_started"}},
        ),
    ).resources[HOST]
    start = resources["start/w"]
    assert {"start/a", "process/b", "namespace/c"} <= set(start.after)
    assert dict(start.waits) == {"a": "service_healthy"}


def test_what_the_engine_lacks_is_told_with_the_line():
    live = fresh(engine=EngineFacts(runtime="docker", images={"small": ""}))
    (problem,) = compile_topology(topology(*world()), live).problems
    assert problem.path == ("containers", "w", "image") and "docker pull small" in problem.hint
    (problem,) = compile_topology(topology(*world()), fresh(engine=EngineFacts(lacks="none here"))).problems
    assert "none here" in problem.message and problem.hint
    (problem,) = compile_topology(
        topology(*world()), fresh(engine=EngineFacts(runtime="docker", images={"small": "x"}, machine="mips"))
    ).problems
    assert "mips" in problem.message and problem.hint
    assert images_by_host(topology(*world())) == {"local": ("small",)}


@pytest.mark.parametrize(
    "runtime, version, lacks",
    [("docker", "20.10.24", True), ("docker", "25.0.3", False), ("docker", "", False), ("podman", "5.2.1", True)],
)
def test_what_an_older_engine_would_leave_out_is_told_with_the_line(runtime, version, lacks):
    check = {"test": "true", "start_interval": "500ms"}
    spec = topology(*world(engine={"healthcheck": check}))
    made = compile_topology(spec, fresh(engine=EngineFacts(runtime=runtime, version=version, images={"small": "x"})))
    if lacks:
        (problem,) = made.problems
        assert problem.path == ("containers", "w", "healthcheck", "start_interval")
        assert f"{runtime} {version} has no 'start_interval'" in problem.message and "interval" in problem.hint
    else:
        assert made.problems == ()
        assert made.resources[HOST]["container/w"].healthcheck["StartInterval"] == "500000000"


def test_who_joins_a_native_container_brings_the_namespace_for_it():
    things = (
        network("lan", "10.0.0.0/24"),
        container("owner", "lan", command=("x",)),
        container("b", network_mode="container", joins="owner", image="small"),
        container("a", network_mode="container", joins="owner", image="small"),
        container("n", network_mode="container", joins="owner"),
    )
    resources = compiled(*things).resources[HOST]
    assert resources["namespace/owner"].of == "container/a"
    assert [resources[f"namespace/{name}"].joins for name in "abn"] == ["owner"] * 3
    assert (resources["container/a"].network, resources["container/a"].stack) == ("", "owner")
    assert (resources["container/b"].network, resources["container/b"].stack) == ("container:a", "")
    assert {"process/@gate", "process/owner"} <= set(resources)
