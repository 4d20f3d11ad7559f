"""Every key of a container with an image: what the engine makes of it, and what a change of it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import Engine
from image_support import Images, engine_objects
from support import until

Make = Callable[[str], Images]

KEYS = """
name: keys
networks:
  lan: {subnets: [10.5.0.0/24]}
containers:
  all:
    image: small
    entrypoint: [sh, -c]
    command: ["echo $FROM_FILE $PLAIN; id -u; pwd; sleep 100000"]
    environment: {PLAIN: here}
    env_file: [some.env]
    volumes: ["./data:/data:ro", "./made:/made", "kept:/kept", "/scratch", {type: tmpfs, target: /mem}]
    user: "1000:1000"
    working_dir: /tmp
    hostname: called
    domainname: lab.example
    cap_add: [SYS_TIME]
    cap_drop: [CHOWN]
    devices: ["/dev/null:/dev/nothing:r"]
    sysctls: {net.ipv4.ip_default_ttl: 77, kernel.shm_rmid_forced: 1}
    ulimits: {nofile: {soft: 100, hard: 200}, nproc: 64}
    mem_limit: 64m
    cpus: 0.5
    labels: {tier: front}
    restart: on-failure:2
    stop_signal: SIGUSR1
    stop_grace_period: 1s
    healthcheck: {test: "true", interval: 200ms, timeout: 1s, retries: 2, start_period: 1s}
    tty: true
    read_only: true
    tmpfs: [/run:size=1m]
    runtime: runc
    dns: [192.0.2.53]
    extra_hosts: ["printer:192.0.2.9"]
    pull_policy: never
    networks: [lan]
  strong: {image: small, init: true, stop_grace_period: 0, networks: [lan]}
"""


@pytest.fixture
def make(image_engine: Engine, tmp_path: Path) -> Make:
    (tmp_path / "some.env").write_text("# a comment\nexport FROM_FILE='from a file'\nPLAIN=lost\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("from the host\n")
    return lambda text: Images(image_engine, tmp_path, text)


def test_every_key_is_what_the_engine_has(make: Make, tmp_path: Path) -> None:
    keys = make(KEYS)
    keys.up()
    keys.await_running("all")
    found = keys.inspect("all")
    config, host = found["Config"], found["HostConfig"]
    assert set(config["Env"]) >= {"FROM_FILE=from a file", "PLAIN=here"}
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/tmp")
    assert (config["Hostname"], config["Domainname"]) == ("called", "lab.example")
    assert (config["StopSignal"], config["StopTimeout"], config["Tty"]) == ("SIGUSR1", 1, True)
    assert config["Labels"]["tier"] == "front"
    assert config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 200_000_000,
        "Timeout": 1_000_000_000,
        "StartPeriod": 1_000_000_000,
        "Retries": 2,
    }
    # Newer engines write the prefix.
    capabilities = [[name.removeprefix("CAP_") for name in host[key]] for key in ("CapAdd", "CapDrop")]
    assert capabilities == [["SYS_TIME"], ["CHOWN"]]
    assert host["Devices"] == [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "r"}]
    assert host["Sysctls"] == {"kernel.shm_rmid_forced": "1"}, "those of the network are netcompose's to set"
    assert sorted((item["Name"], item["Soft"], item["Hard"]) for item in host["Ulimits"]) == [
        ("nofile", 100, 200),
        ("nproc", 64, 64),
    ]
    assert (host["Memory"], host["NanoCpus"], host["ReadonlyRootfs"]) == (64 << 20, 500_000_000, True)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert host["Tmpfs"] == {"/run": "size=1m"} and host["Runtime"] == "runc"
    # And as its own program sees it.
    until(lambda: keys.logs("all").split() == ["from", "a", "file", "here", "1000", "/tmp"])
    assert keys.inside("all", "cat", "/data/file") == "from the host\n"
    assert keys.engine.docker("exec", "keys-all", "touch", "/data/new", check=False).returncode != 0
    assert keys.inside("all", "cat", "/proc/sys/net/ipv4/ip_default_ttl") == "77\n"
    assert keys.inside("all", "cat", "/proc/sys/kernel/shm_rmid_forced") == "1\n"
    assert "nameserver 192.0.2.53" in keys.inside("all", "cat", "/etc/resolv.conf")
    assert "192.0.2.9\tprinter" in keys.inside("all", "cat", "/etc/hosts")
    assert keys.inside("all", "hostname") == "called\n"
    assert "keys_kept" in keys.engine.docker("volume", "ls", "--quiet").stdout.split()
    mounts = {item["Destination"]: item for item in found["Mounts"]}
    # As by Compose, what the short form names is made.
    assert (tmp_path / "made").is_dir() and mounts["/made"]["Type"] == "bind"
    assert mounts["/mem"]["Type"] == "tmpfs" and mounts["/scratch"]["Type"] == "volume"
    until(lambda: keys.inspect("all")["State"]["Health"]["Status"] == "healthy", 20)
    strong = keys.inspect("strong")
    assert strong["HostConfig"]["Init"]
    keys.nc("down")
    assert engine_objects(keys.engine) == []
    # Named volumes and images are kept.
    assert keys.engine.docker("volume", "ls", "--quiet").stdout.split() == ["keys_kept"]


def test_privileged_is_what_the_engine_gets(make: Make) -> None:
    """Where containers may not have all rights, the engine's refusal fails the run."""
    text = (
        "name: strong\ncontainers:\n  a: {image: small, privileged: true, network_mode: none, stop_grace_period: 0}\n"
    )
    strong = make(text)
    plain = strong.engine.docker("run", "--rm", "--privileged", "--network", "none", "small", "true", check=False)
    if plain.returncode:
        assert "unable to apply caps" in strong.refused("up", status=4)
        assert engine_objects(strong.engine) == []
    else:
        strong.up()
        assert strong.inspect("a")["HostConfig"]["Privileged"]


CHANGES = {
    "command": ('sleep 100000"]', 'sleep 200000"]', "command"),
    "working_dir": ("working_dir: /tmp", "working_dir: /", "working_dir"),
    "hostname": ("hostname: called", "hostname: other", "hostname"),
    "capability": ("cap_drop: [CHOWN]", "cap_drop: [KILL]", "cap_drop"),
    "env_file": ("[some.env]", "[some.env, other.env]", "environment.OTHER"),
    "removed limit": ("    mem_limit: 64m\n", "", "limits"),
    "health": ("interval: 200ms", "interval: 300ms", "healthcheck.Interval"),
}


def test_what_forces_a_new_container_says_why(make: Make, tmp_path: Path) -> None:
    (tmp_path / "other.env").write_text("OTHER=x\n")
    keys = make(KEYS)
    keys.up()
    whole = keys.file.read_text()
    for case, (old, new, path) in CHANGES.items():
        keys.edit(old, new)
        changes = {item["address"].partition("/")[2]: item for item in keys.plan()}
        change = changes["container/all"]
        assert change["actions"] == ["delete", "create"], case
        assert path in change["replace_paths"], case
        assert "cannot change in place: " in change["reason"], case
        assert "container/strong" not in changes
        keys.file.write_text(whole)
    assert keys.actions() == {}


DEPENDS = """
name: deps
containers:
  first:
    image: small
    command: [sh, -c, "sleep 0.5; touch /ready; sleep 100000"]
    healthcheck: {test: [CMD, test, -e, /ready], interval: 100ms}
    stop_grace_period: 0
    network_mode: none
  job: {image: small, command: [sh, -c, "sleep 0.5; exit 0"], network_mode: none}
  last:
    image: small
    depends_on: {first: {condition: service_healthy}, job: {condition: service_completed_successfully}}
    stop_grace_period: 0
    network_mode: none
"""


def test_conditions_of_depends_on_are_waited_for(make: Make) -> None:
    deps = make(DEPENDS.replace("[CMD, test, -e, /ready]", '"ls /ready"'))
    deps.up()
    first, job = deps.inspect("first")["State"], deps.inspect("job")["State"]
    assert first["Health"]["Status"] == "healthy"
    assert (job["Status"], job["ExitCode"]) == ("exited", 0)
    # Its own program ran after those, although its container was made with them.
    pid = deps.inspect("last")["State"]["Pid"]
    assert not deps.at_the_gate("last") and pid
    deps.nc("down")


def test_a_condition_that_cannot_come_true_fails_the_run(make: Make) -> None:
    deps = make(DEPENDS.replace("exit 0", "exit 3").replace("[CMD, test, -e, /ready]", '"ls /ready"'))
    said = deps.refused("up", status=4)
    assert "start/last: job is exited, and not service_completed_successfully" in said
    assert engine_objects(deps.engine) == []


MODES = """
name: modes
networks:
  lan: {subnets: [10.5.0.0/24]}
containers:
  host: {image: small, network_mode: host, stop_grace_period: 0}
  alone: {image: small, network_mode: none, stop_grace_period: 0}
  owner: {image: small, networks: [lan], stop_grace_period: 0}
  guest: {image: small, network_mode: "container:owner", stop_grace_period: 0}
  native: {network_mode: "container:owner"}
"""


def test_all_network_modes_also_between_native_and_image_containers(make: Make) -> None:
    modes = make(MODES)
    modes.up()
    assert modes.inside("host", "ip", "-o", "link") == modes.host.run(["busybox", "ip", "-o", "link"]).stdout
    assert len(modes.inside("alone", "ip", "-o", "link").splitlines()) == 1
    addresses = modes.inside("owner", "ip", "-o", "-4", "addr")
    assert "10.5.0." in addresses and modes.inside("guest", "ip", "-o", "-4", "addr") == addresses
    native = modes.host.run(["ip", "netns", "exec", "modes-native", "busybox", "ip", "-o", "-4", "addr"]).stdout
    assert native == addresses
    # Who shares a network is where it is, also after it was made anew.
    modes.engine.docker("restart", "--time", "0", "modes-owner")
    modes.await_running("owner")
    until(
        lambda: modes.inside("guest", "ip", "-o", "-4", "addr") == modes.inside("owner", "ip", "-o", "-4", "addr"), 20
    )
    assert "10.5.0." in modes.inside("guest", "ip", "-o", "addr")
    assert modes.actions() == {}
    rows = {row["name"]: row["networks"] for row in json.loads(modes.nc("ps", "--output", "json"))}
    assert rows["guest"] == rows["native"] == rows["owner"] != {}
    modes.nc("down")
    assert engine_objects(modes.engine) == []


SHARED = """
name: shared
networks:
  lan: {subnets: [10.5.0.0/24]}
containers:
  owner: {command: [sleep, "100000"], networks: [lan], stop_grace_period: 0}
  guest: {image: small, network_mode: "container:owner", stop_grace_period: 0}
  second: {image: small, network_mode: "container:owner", stop_grace_period: 0}
  other: {networks: [lan]}
"""


def test_image_containers_in_the_network_of_a_native_one(make: Make) -> None:
    """The engine cannot be told to use a namespace that is there: one of the two brings it for all."""
    shared = make(SHARED)
    shared.up()
    address = json.loads(shared.nc("ps", "--output", "json"))[0]["networks"]["lan"][0]

    def everywhere() -> set[str]:
        native = shared.host.run(["pgrep", "-xf", "sleep 100000"]).stdout.split()
        paths = [f"/run/netns/shared-{name}" for name in ("owner", "guest", "second")]
        paths += [f"/proc/{shared.inspect(name)['State']['Pid']}/ns/net" for name in ("guest", "second")]
        paths += [f"/proc/{pid}/ns/net" for pid in native]
        return set(shared.host.run(["stat", "-Lc", "%i", *paths]).stdout.split())

    assert len(everywhere()) == 1
    assert shared.pings("guest", "other") and shared.pings("second", "other")
    shared.engine.docker("restart", "--time", "0", "shared-guest")
    until(lambda: len(everywhere()) == 1 and not shared.at_the_gate("guest"), 30)
    assert address in shared.inside("second", "ip", "-o", "-4", "addr")
    assert shared.pings("second", "other") and shared.actions() == {}
    # Without those with an image it is a namespace of netcompose's own making again.
    text = shared.file.read_text()
    shared.file.write_text("\n".join(line for line in text.splitlines() if "image" not in line) + "\n")
    shared.up()
    assert engine_objects(shared.engine) == []
    assert shared.host.run(["ip", "netns", "exec", "shared-owner", "ping", "-c1", "-W1", "other"]).returncode == 0
    shared.nc("down")


def test_commands_of_exec_run_inside(make: Make) -> None:
    text = "name: run\ncontainers:\n  a: {image: small, network_mode: none, stop_grace_period: 0, exec: [[touch, /made], %s]}\n"
    one = make(text % '"true"')
    one.up()
    assert one.inside("a", "ls", "/made") == "/made\n"
    one.file.write_text(text % '"false"')
    assert "exec of container a: false exited with 1" in one.refused("up", status=4)
    one.nc("down")


def test_wrong_variables_files_are_told_with_their_line(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bad.env").write_text("FINE=1\nno value here\n")
    keys = make(KEYS.replace("[some.env]", "[bad.env, missing.env]"))
    said = keys.refused("validate", status=3)
    assert "bad.env" in said and "line 2 is not NAME=VALUE" in said
    assert "missing.env" in said and "No such file" in said
