"""Throw-away hosts: nothing of the machine is touched, nothing is left. Oracles: ip, nsenter, ps, hostname, getent."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netcompose.errors import HostUnreachable, NotPermitted
from netcompose.transports.sandbox import Sandbox

PACKAGE = str(Path(__file__).parents[2] / "orchestrator")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root on the machine")


@pytest.fixture(params=[pytest.param(False, marks=needs_root, id="root"), pytest.param(True, id="user-namespace")])
def host(request):
    with Sandbox("server4", user_namespace=request.param) as sandbox:
        yield sandbox


def output(host, *argv, **options):
    return host.run(argv, check=True, **options).stdout


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def machine():
    """What of the machine a sandbox might touch."""
    files = {name: Path("/etc", name).read_bytes() for name in ("hosts", "resolv.conf") if Path("/etc", name).exists()}
    links = subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    return files, links, mounts, os.uname().nodename, sorted(os.listdir("/etc")), sorted(os.listdir("/run"))


def test_it_is_a_host_of_its_own_and_the_machine_does_not_notice(host):
    before = machine()
    assert host.notes == ()
    assert output(host, "hostname") == "server4\n"
    assert Path("/etc/hostname").read_text() != "server4\n" and output(host, "cat", "/etc/hostname") == "server4\n"
    (lo,) = json.loads(output(host, "ip", "-j", "link"))
    assert lo["ifname"] == "lo" and "UP" in lo["flags"]
    assert output(host, "ls", "/sys/class/net") == "lo\n"
    assert output(host, "ps", "-o", "pid=", "-p", "1").strip() == "1"
    assert str(os.getpid()) not in output(host, "ps", "-eo", "pid=").split()
    output(host, "hostname", "other")
    output(host, "sh", "-c", "echo nameserver 192.0.2.1 > /etc/resolv.conf; echo 192.0.2.7 seven >> /etc/hosts")
    output(host, "sh", "-c", "rm /etc/passwd; echo mine > /etc/new; echo mine > /run/new")
    output(host, "ip", "link", "add", "br0", "type", "bridge")
    assert output(host, "getent", "hosts", "seven").split() == ["192.0.2.7", "seven"]
    assert machine() == before
    host.close()
    assert machine() == before


def test_named_namespaces_and_their_etc_files_work_inside(host):
    output(host, "ip", "netns", "add", "a")
    output(host, "mkdir", "-p", "/etc/netns/a")
    output(host, "sh", "-c", "echo 192.0.2.9 nine > /etc/netns/a/hosts; echo search a > /etc/netns/a/resolv.conf")
    assert output(host, "ip", "netns", "exec", "a", "getent", "hosts", "nine").split() == ["192.0.2.9", "nine"]
    assert output(host, "ip", "netns", "exec", "a", "cat", "/etc/resolv.conf") == "search a\n"
    assert output(host, "readlink", "-f", "/var/run/netns/a") == "/run/netns/a\n"
    assert not Path("/run/netns/a").exists() and not Path("/etc/netns/a").exists()


def test_traffic_flows_inside(host):
    output(
        host,
        "sh",
        "-ec",
        "ip netns add a; ip link add v type veth peer name e netns a; ip addr add 10.0.0.1/24 dev v; ip link set v up;"
        "ip -n a addr add 10.0.0.2/24 dev e; ip -n a link set e up",
    )
    assert ", 0% packet loss" in output(host, "ping", "-c", "1", "-W", "3", "10.0.0.2")


def test_where_there_is_no_overlay_etc_is_a_folder_of_links(host):
    code = (
        "import os; from netcompose.transports import sandbox_host as h; from netcompose.agent.kernel import syscalls\n"
        "os.mkdir('/run/x'); syscalls.mount('x', '/run/x', 'tmpfs')\n"
        "open('/run/x/hosts', 'w').write('192.0.2.5 five')\n"
        "h.linked_etc('/run/x')"
    )
    output(host, sys.executable, "-c", code, env={"PYTHONPATH": PACKAGE})
    assert output(host, "getent", "hosts", "five").split() == ["192.0.2.5", "five"]
    assert output(host, "getent", "passwd", "root").startswith("root:")
    refused = host.run(["sh", "-c", "echo x >> /etc/passwd"])
    assert refused.returncode != 0 and "Read-only" in refused.stderr
    output(host, "sh", "-ec", "mkdir -p /etc/netns/a; echo x > /etc/hosts; mount --bind /etc/passwd /etc/hosts")


def test_the_agent_inside_answers(host):
    assert host.connection.hello()["pid"] > 1
    output(host, "ip", "link", "add", "br0", "type", "bridge")
    assert "br0" in host.connection.observe("campus").facts.interfaces
    assert host.connection.observe("campus").facts.hostname == "server4"


def test_an_agent_that_is_killed_is_unreachable(host):
    pid = host.connection.hello()["pid"]
    output(host, "kill", "-9", str(pid))
    with pytest.raises(HostUnreachable, match="server4"):
        host.connection.hello()


def test_run_passes_input_environment_folder_and_status(host, tmp_path):
    done = host.run(["sh", "-c", "cat; echo $A; pwd; exit 7"], input="in\n", env={"A": "b"}, cwd=str(tmp_path))
    assert (done.returncode, done.stdout) == (7, f"in\nb\n{tmp_path}\n")
    assert host.run(["sh", "-c", "kill -9 $$"]).returncode in (137, -9)
    with pytest.raises(subprocess.CalledProcessError):
        output(host, "false")


def test_a_command_over_time_is_killed_with_its_children(host):
    with pytest.raises(subprocess.TimeoutExpired):
        host.run(["sh", "-c", "sleep 1234 & sleep 1234"], timeout=0.2)
    wait_until(lambda: "sleep" not in output(host, "ps", "-eo", "comm="))


def test_orphans_are_reaped(host):
    output(host, "sh", "-c", "(sleep 0.05 &) ; true")
    wait_until(lambda: not {"sleep", "Z"} & set(output(host, "ps", "-eo", "comm=,stat=").split()))


def test_closing_ends_every_process_inside_and_the_namespaces(host):
    inside = host.popen(["setsid", "sleep", "4321"])
    wait_until(lambda: "sleep" in output(host, "ps", "-eo", "comm="))
    first = host.pid
    namespace = os.readlink(f"/proc/{first}/ns/net")
    host.close()
    host.close()
    inside.wait(5)
    assert not Path(f"/proc/{first}").exists()
    assert namespace not in subprocess.run(["lsns", "-n", "-o", "NS"], capture_output=True, text=True).stdout
    with pytest.raises(HostUnreachable):
        host.run(["true"])


CREATOR = """
import sys, time, threading
from netcompose.transports.sandbox import Sandbox
made = []
thread = threading.Thread(target=lambda: made.append(Sandbox("short").start()))
thread.start(); thread.join()
sandbox = made[0]
inside = sandbox.popen(["setsid", "sleep", "7654"])
sandbox.run(["true"])
print(sandbox.pid, flush=True)
with sandbox:
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_its_creator_and_not_with_the_thread_that_made_it(number):
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    with subprocess.Popen(
        [sys.executable, "-c", CREATOR], stdout=-1, stderr=-1, text=True, env=environment, start_new_session=True
    ) as creator:
        first = int(creator.stdout.readline())
        time.sleep(0.1)
        assert Path(f"/proc/{first}").exists()
        namespace = os.readlink(f"/proc/{first}/ns/pid")
        members = [
            entry.name
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _link(entry / "ns/pid") == namespace
        ]
        assert len(members) >= 2
        os.killpg(creator.pid, number)
        creator.wait(5)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and _state(pid) != "Z" for pid in members))


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_several_at_once_are_apart():
    with Sandbox("a") as first, Sandbox("b") as second:
        output(first, "ip", "link", "add", "only", "type", "bridge")
        assert output(first, "hostname") + output(second, "hostname") == "a\nb\n"
        assert "only" in output(first, "ip", "-br", "link") and "only" not in output(second, "ip", "-br", "link")
        first.close()
        assert output(second, "hostname") == "b\n"


@needs_root
def test_without_root_it_is_the_same():
    """As the user nobody, with the system's own Python, because the tests' may be out of that user's reach."""
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin")
    probe = [python or "false", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    if subprocess.run([*nobody, *probe]).returncode or subprocess.run([*nobody, "test", "-r", PACKAGE]).returncode:
        pytest.skip("the user nobody cannot run Python 3.11 on this checkout")
    code = (
        "from netcompose.transports.sandbox import Sandbox\n"
        "with Sandbox('mine') as s:\n"
        "    r = s.run(['sh', '-ec', '''hostname; id -u; ip link add br0 type bridge; ip netns add a\n"
        "        mkdir -p /etc/netns/a; echo 192.0.2.9 nine > /etc/netns/a/hosts\n"
        "        ip netns exec a getent hosts nine; ls /sys/class/net'''])\n"
        "    print(r.stdout, r.stderr, s.connection.hello()['version'], s.notes, s.user_namespace)"
    )
    done = subprocess.run(
        [*nobody, python, "-c", code],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stderr == ""
    words = done.stdout.split()
    assert words[:5] == ["mine", "0", "192.0.2.9", "nine", "br0"] and words[-2:] == ["()", "True"], done.stdout


def test_a_machine_that_forbids_user_namespaces_is_named():
    """The limit is set inside a sandbox's own user namespace, where it concerns nobody else."""
    code = (
        "from netcompose.transports.sandbox import Sandbox; from netcompose.errors import NotPermitted\n"
        "try: Sandbox('x', user_namespace=True).start()\n"
        "except NotPermitted as error: print(error, '|', error.hint)"
    )
    with Sandbox("outer", user_namespace=True) as host:
        output(host, "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces")
        said = output(host, sys.executable, "-c", code, env={"PYTHONPATH": PACKAGE})
    assert "does not let you make a user namespace" in said and "max_user_namespaces" in said
    assert NotPermitted.__name__ not in said
