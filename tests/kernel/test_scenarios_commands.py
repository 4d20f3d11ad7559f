"""S18 and the commands: what they print, where to, and how they end (DESIGN section 4). Oracles: ip, ps, json, jsonschema."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from support import EXAMPLES, NETCOMPOSE, Example, assert_same, cli, inventory, run, snapshot, touched, until

from netcompose.transports.sandbox import Sandbox

Bring = Callable[[str], Example]
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
READY_MADE = ["campus", "full-mesh", "hub-and-spoke", "leaf-spine", "ring"]


def test_s18_ps_and_inspect_say_what_ip_says(example: Bring) -> None:
    lan = example("shared-namespace")
    rows = {row["name"]: row for row in json.loads(cli(lan.host, "ps", "--output", "json", file=lan.file).stdout)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "web1": "running",
        "sidecar": "wired",
        "pause": "wired",
        "worker": "wired",
    }
    for name, row in rows.items():
        assert row["host"] == "local"
        assert row["networks"]["lan"] == [address.partition("/")[0] for address in lan.addresses(name)["eth0"]]
    # The process that ps names is the first of the container; the command is its child.
    assert run(lan.host, "ps", "-o", "args=", "--ppid", str(rows["web1"]["pid"])) == "python3 -m http.server 80\n"

    text = cli(lan.host, "ps", file=lan.file).stdout.splitlines()
    assert text[0].split() == ["NAME", "STATUS", "NETWORKS"]
    assert sorted(line.split() for line in text[1:])[3] == ["worker", "wired", "lan", "10.4.0.20"]

    objects = json.loads(cli(lan.host, "inspect", "--output", "json", file=lan.file).stdout)
    shown = {item["name"]: item for item in objects}
    (link,) = json.loads(lan.inside("web1", "ip", "-j", "addr", "show", "eth0"))
    network = shown["web1"]["networks"]["lan"]
    assert (network["interface"], network["mac"], network["mtu"]) == (link["ifname"], link["address"], link["mtu"])
    (port,) = json.loads(run(lan.host, "ip", "-j", "link", "show", network["port"]))
    assert port["ifindex"] == link["link_index"]
    assert shown["worker"]["joins"] == "pause"
    (bridge,) = json.loads(run(lan.host, "ip", "-j", "addr", "show", shown["lan"]["interface"]))
    assert shown["lan"]["mac"] == bridge["address"]
    assert shown["lan"]["gateways"] == ["10.4.0.1/24"]
    assert set(shown["lan"]["containers"]) == {"web1", "pause"}

    text_of_one = cli(lan.host, "inspect", "web1", file=lan.file).stdout
    assert text_of_one.startswith("container web1\n")
    assert "addresses: 10.4.0.10/24" in text_of_one
    said = cli(lan.host, "inspect", "web7", file=lan.file, status=1)
    assert "did you mean 'web1'?" in said.stderr


def test_s18_ps_shows_what_ended_and_what_is_not_there(example: Bring) -> None:
    lan = example("shared-namespace")
    run(lan.host, "pkill", "-KILL", "-xf", "python3 -m http.server 80")
    until(lambda: "exited (signal 9)" in cli(lan.host, "ps", file=lan.file).stdout)
    lan.down()
    rows = json.loads(cli(lan.host, "ps", "--output", "json", file=lan.file).stdout)
    assert {row["status"] for row in rows} == {"absent"}


def test_exec_passes_status_input_output_and_signals_on(example: Bring) -> None:
    lan = example("shared-namespace")

    def inside(*argv: str, status: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
        return cli(lan.host, "exec", *argv, file=lan.file, status=status, **options)

    done = inside("web1", "--", "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert inside("pause", "sh", "-c", "cat; hostname", input="in\n").stdout == "in\npause\n"
    assert json.loads(inside("web1", "ip", "-j", "addr").stdout) == json.loads(lan.inside("web1", "ip", "-j", "addr"))
    assert "python3" in inside("web1", "ps", "-eo", "comm=").stdout, "in the process's own PID namespace"
    assert inside("web1", "sh", "-c", "kill -TERM $$", status=128 + signal.SIGTERM).stdout == ""
    assert "no-such-program" in inside("web1", "no-such-program", status=1).stderr
    assert "did you mean 'web1'?" in inside("web", "true", status=1).stderr
    assert "no command" in inside("web1", status=1).stderr


def test_exec_and_logs_before_up_say_what_is_missing(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "shared-namespace", tmp_path)
    said = cli(host, "exec", "web1", "true", file=lan.file, status=1)
    assert "web1" in said.stderr
    said = cli(host, "logs", "web1", file=lan.file, status=None)
    assert said.stdout == ""
    assert_same(host, lan.before)


def talker(host: Sandbox, tmp_path: Path) -> Path:
    """A container that says five things and ends when it is told to."""
    file = tmp_path / "talker.yaml"
    script = "for n in 1 2 3 4 5; do echo line $n; done; while [ ! -e /run/end ]; do sleep 0.1; done; echo the end"
    file.write_text(
        f"name: talker\ncontainers: {{t: {{network_mode: none, command: [sh, -c, {json.dumps(script)}]}}}}\n"
    )
    cli(host, "up", file=file)
    until(lambda: "line 5" in cli(host, "logs", "t", file=file).stdout)
    return file


def test_logs_tail_follow_and_timestamps(host: Sandbox, tmp_path: Path) -> None:
    before = snapshot(host)
    file = talker(host, tmp_path)
    assert cli(host, "logs", "t", file=file).stdout == "".join(f"line {n}\n" for n in range(1, 6))
    assert cli(host, "logs", "t", "--tail", "2", file=file).stdout == "line 4\nline 5\n"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\S+Z line 5\n", cli(host, "logs", "t", "--tail", "1", "--timestamps", file=file).stdout
    )
    follow = [*NETCOMPOSE, "logs", "-f", str(file), "t", "--follow"]
    with host.popen(follow, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert [process.stdout.readline() for _ in range(5)][4] == "line 5\n"
        assert process.poll() is None
        run(host, "touch", "/run/end")
        assert process.communicate(timeout=20)[0] == "the end\n", "following ends with the command"
        assert process.returncode == 0
    run(host, "rm", "/run/end")
    cli(host, "down", file=file)
    assert_same(host, before)


def test_graph_and_schema_and_hosts(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "none", tmp_path)
    mermaid = cli(host, "graph", file=lan.file).stdout
    assert mermaid.startswith("flowchart ")
    assert all(f'"{name}"' in mermaid or f"[{name}" in mermaid for name in ("alone", "left", "right"))
    dot = cli(host, "graph", "--format", "dot", file=lan.file).stdout
    assert re.match(r"(strict )?(di)?graph ", dot)
    assert dot.count("{") == dot.count("}")
    for which in ("topology", "plan"):
        schema = json.loads(cli(host, "schema", which).stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
    plan = json.loads(cli(host, "plan", "--output", "json", file=lan.file).stdout)
    jsonschema.validate(plan, json.loads(cli(host, "schema", "plan").stdout), jsonschema.Draft202012Validator)
    (row,) = json.loads(cli(host, "hosts", "--output", "json", file=lan.file).stdout)
    assert row["name"] == "local"
    assert row["reachable"] is True
    assert row["kernel"].startswith(os.uname().release.split("-")[0])
    assert cli(host, "hosts", file=lan.file).stdout.splitlines()[0].split()[:2] == ["HOST", "ADDRESS"]
    assert_same(host, lan.before)


@pytest.mark.parametrize("name", ["", *READY_MADE])
def test_init_writes_a_file_that_is_valid_and_never_overwrites(host: Sandbox, tmp_path: Path, name: str) -> None:
    file = tmp_path / "topology.yaml"
    cli(host, "init", *([name] if name else []), cwd=str(tmp_path))
    text = file.read_text()
    assert "is valid" in cli(host, "validate", cwd=str(tmp_path)).stdout
    said = cli(host, "init", cwd=str(tmp_path), status=1)
    assert "is there already" in said.stderr
    assert file.read_text() == text


def test_init_lists_what_there_is(host: Sandbox) -> None:
    listed = cli(host, "init", "--list").stdout
    assert [line for line in listed.splitlines() if not line.startswith(" ")] == READY_MADE
    assert "did you mean 'ring'" in cli(host, "init", "rings", status=1).stderr


def test_a_plan_is_the_same_bytes_twice_and_has_an_exit_status(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "dual-stack", tmp_path)
    first = cli(host, "plan", "--output", "json", "--detailed-exitcode", file=lan.file, status=2).stdout
    assert cli(host, "plan", "--output", "json", file=lan.file).stdout == first
    assert_same(host, lan.before)
    lan.up()
    empty = cli(host, "plan", "--output", "json", "--detailed-exitcode", file=lan.file, status=0).stdout
    assert json.loads(empty)["changes"] == []
    assert set(json.loads(empty)["summary"].values()) == {0}
    lan.settle()
    before = inventory(host, lan.name)
    cli(host, "up", file=lan.file)
    assert touched(before, inventory(host, lan.name)) == set(), "an `up` without a difference touches nothing"
    lan.down()


def test_a_saved_plan_is_carried_out_exactly(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "default-bridge", tmp_path)
    saved = str(tmp_path / "plan.json")
    cli(host, "plan", "--out", saved, file=lan.file)
    assert_same(host, lan.before)
    # The file may change meanwhile: what was reviewed is what is done.
    lan.edit("  c3:\n    networks: [default]\n", "")
    cli(host, "apply", saved)
    names = {line.split()[0] for line in run(host, "ip", "netns", "list").splitlines()}
    assert names == {"default-bridge-c1", "default-bridge-c2", "default-bridge-c3"}
    lan.down()


def test_a_stale_plan_is_refused_object_by_object(example: Bring, tmp_path: Path) -> None:
    lan = example("default-bridge")
    saved = str(tmp_path / "plan.json")
    mac = 'networks: {default: {mac_address: "02:00:00:00:00:03"}}'
    lan.edit("c3:\n    networks: [default]", f"c3:\n    {mac}")
    cli(lan.host, "plan", "--out", saved, file=lan.file)
    lan.inside("c3", "ip", "link", "set", "eth0", "mtu", "1400")
    lan.settle()
    before = inventory(lan.host, lan.name)
    said = cli(lan.host, "apply", saved, status=5)
    assert "local/interface/c3.eth0 has changed" in said.stderr
    assert "c1" not in said.stderr
    assert touched(before, inventory(lan.host, lan.name)) == set()
    # A change that the plan does not touch does not make it stale.
    lan.inside("c3", "ip", "link", "set", "eth0", "mtu", "1500")
    lan.inside("c1", "ip", "link", "set", "eth0", "mtu", "1400")
    cli(lan.host, "apply", saved)
    assert "02:00:00:00:00:03" in lan.inside("c3", "ip", "link", "show", "eth0")
    assert "local/interface/c3.eth0 has changed" in cli(lan.host, "apply", saved, status=5).stderr


def test_a_plan_of_nothing_and_what_is_no_plan(example: Bring, tmp_path: Path) -> None:
    lan = example("none")
    saved = tmp_path / "plan.json"
    cli(lan.host, "plan", "--out", str(saved), file=lan.file)
    assert cli(lan.host, "apply", str(saved)).stdout == "The plan has no changes.\n"
    saved.write_text("{}")
    assert "not a plan" in cli(lan.host, "apply", str(saved), status=1).stderr
    assert "cannot be read" in cli(lan.host, "apply", str(tmp_path / "no.json"), status=1).stderr


def test_apply_asks_and_takes_only_yes(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "none", tmp_path)
    said = cli(host, "apply", file=lan.file, status=1, input="yes\n")
    assert "no terminal" in said.stderr
    assert_same(host, lan.before)
    for answer, status in (("no", 1), ("y", 1), ("", 1), ("yes", 0)):
        # script(1) gives it a terminal; the answer is typed on that.
        command = " ".join([*NETCOMPOSE, "apply", "-f", str(lan.file)])
        done = host.run(["script", "-qec", command, "/dev/null"], input=f"{answer}\n")
        assert "Only 'yes' is taken for yes" in done.stdout
        assert done.returncode == status, done.stdout
        if status:
            assert_same(host, lan.before)
    assert lan.plan() == []
    lan.down()
    cli(host, "apply", "--yes", file=lan.file)
    lan.down()


def test_down_without_the_file(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "shared-namespace", tmp_path)
    lan.up()
    lan.file.unlink()
    assert "no such file" in cli(host, "down", file=lan.file, status=1).stderr
    cli(host, "down", "--name", "shared-namespace")
    assert_same(host, lan.before)
    assert "Nothing" in cli(host, "down", "--name", "shared-namespace").stdout
    assert_same(host, lan.before)


def test_two_topologies_do_not_see_each_other(example: Bring, tmp_path: Path) -> None:
    first = example("default-bridge")
    folder = tmp_path / "second"
    folder.mkdir()
    middle = snapshot(first.host)
    second = Example(first.host, "name-resolution", folder)
    second.up()
    assert first.plan() == []
    cli(first.host, "down", "--name", "name-resolution")
    first.settle()
    assert run(first.host, "ip", "netns", "list") in middle


def test_exit_4_what_failed_is_put_back(example: Bring) -> None:
    lan = example("default-bridge")
    lan.settle()
    before = inventory(lan.host, lan.name)
    command = "  c3:\n    exec: [[sh, -c, 'echo the reason >&2; exit 9']]\n"
    lan.edit("  c3:\n", command)
    lan.edit("subnets: [172.17.0.0/16]", "subnets: [172.17.0.0/16]\n    mtu: 1400")
    said = cli(lan.host, "up", file=lan.file, status=4)
    assert "put back" in said.stderr
    assert "the reason" in said.stderr
    lan.settle()
    assert touched(before, inventory(lan.host, lan.name)) <= {name for name in before if name.endswith("routes -6")}
    lan.edit(command, "  c3:\n")
    lan.edit("\n    mtu: 1400", "")
    assert lan.plan() == []


def test_exit_6_another_run_holds_the_lock(host: Sandbox, tmp_path: Path) -> None:
    slow = tmp_path / "slow.yaml"
    slow.write_text("name: slow\ncontainers: {a: {network_mode: none, exec: [[sleep, '30']]}}\n")
    lan = Example(host, "none", tmp_path)
    with host.popen([*NETCOMPOSE, "up", "-f", str(slow)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        until(lambda: host.run(["pgrep", "-x", "sleep"]).returncode == 0)
        said = cli(host, "up", file=lan.file, status=6)
        assert "locked by" in said.stderr
        assert "netcompose up of slow" in said.stderr
        assert cli(host, "plan", file=lan.file).stdout, "reading needs no lock"
        # Ctrl-C: what was made is put back.
        run(host, "pkill", "-INT", "-f", "netcompose up -f")
        first.communicate(timeout=30)
    cli(host, "down", "--name", "slow")
    assert_same(host, lan.before)


def test_exit_1_something_foreign_is_in_the_way(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "none", tmp_path)
    run(host, "ip", "netns", "add", "none-left")
    before = snapshot(host)
    for command in ("plan", "up"):
        said = cli(host, command, file=lan.file, status=1)
        assert "none-left" in said.stderr
    assert_same(host, before)


def test_no_colour_in_a_pipe_and_colour_on_a_terminal(host: Sandbox, tmp_path: Path) -> None:
    lan = Example(host, "none", tmp_path)
    for command in ("plan", "hosts", "ps"):
        done = cli(host, command, file=lan.file)
        assert "\x1b" not in done.stdout + done.stderr
    lan.edit("network_mode: none\n  left", "network_mode: nonsense\n  left")
    assert "\x1b" not in cli(host, "validate", file=lan.file, status=3).stderr
    lan.edit("network_mode: nonsense\n  left", "network_mode: none\n  left")
    command = " ".join([*NETCOMPOSE, "plan", "-f", str(lan.file)])
    on_terminal = ["script", "-qec", command, "/dev/null"]
    plain = {"TERM": "xterm", "NO_COLOR": "", "CLICOLOR_FORCE": "", "FORCE_COLOR": ""}
    assert "\x1b[" in host.run(on_terminal, env=plain).stdout
    assert "\x1b" not in host.run(on_terminal, env={**plain, "NO_COLOR": "1"}).stdout


def test_without_root_every_command_says_what_is_missing(example: Bring) -> None:
    lan = example("shared-namespace")
    lan.settle()
    before = inventory(lan.host, lan.name)
    # Where everybody can read them; a test's own folder is private.
    up, other = "/run/readable/up.yaml", "/run/readable/other.yaml"
    run(lan.host, "mkdir", "/run/readable")
    lan.host.run(["tee", up], input=lan.file.read_text(), check=True)
    lan.host.run(["tee", other], input="name: other\ncontainers: {a: {network_mode: none}}\n", check=True)
    asked = {
        "up": [],
        "down": [],
        "apply": ["--yes"],
        "plan": [],
        "ps": [],
        "inspect": [],
        "exec": ["web1", "true"],
        "logs": ["web1"],
        "hosts": [],
        "validate": [],
        "graph": [],
    }
    pythons = [python for python in (NETCOMPOSE[0], "/usr/bin/python3") if Path(python).exists()]
    for command, more in asked.items():
        for file in (up, other):
            if file == other and command in ("exec", "logs"):
                continue
            done = run_as_nobody(lan.host, pythons, command, "-f", file, *more)
            assert "Traceback" not in done.stderr, (command, done.stderr)
            if command in ("validate", "graph"):
                assert done.returncode == 0, (command, done.stderr)
            elif command in ("up", "down", "apply", "exec"):
                assert done.returncode == 1, (command, done.stdout)
            if done.returncode != 0:
                assert re.search("permission|root", done.stderr), (command, done.stderr)
    assert touched(before, inventory(lan.host, lan.name)) == set()
    run(lan.host, "rm", "-r", "/run/readable")


def run_as_nobody(host: Sandbox, pythons: list[str], *argv: str) -> subprocess.CompletedProcess[str]:
    """netcompose as another user, by the first Python that this user can start."""
    libraries = os.path.dirname(os.path.dirname(jsonschema.__file__))
    path = os.pathsep.join([str(Path(__file__).parents[2] / "orchestrator"), libraries])
    for python in pythons:
        if host.run([*NOBODY, "test", "-x", os.path.realpath(python)]).returncode == 0:
            return host.run([*NOBODY, python, "-m", "netcompose", *argv], env={"PYTHONPATH": path}, cwd="/")
    pytest.skip("the other user can start no Python here")


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in EXAMPLES.glob("*/topology.yaml")))
def test_every_example_loads_and_says_how_it_is_tried(host: Sandbox, folder: str) -> None:
    path = EXAMPLES / folder
    assert "is valid" in cli(host, "validate", file=path / "topology.yaml").stdout
    assert f"netcompose up -f examples/{folder}/topology.yaml" in (path / "README.md").read_text()
