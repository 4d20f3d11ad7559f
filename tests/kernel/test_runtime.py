"""Native containers' processes in a throw-away host. Oracles: ip netns, nsenter, ps, hostname, getent."""

import json
import os
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from netcompose.transports.sandbox import Sandbox

PACKAGE = Path(__file__).parents[2] / "orchestrator"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root on the machine")
PRELUDE = """
import json, os, sys, time
from netcompose.agent.runtimes import namespace as runtime
from netcompose.errors import NetcomposeError
from netcompose.resources import ExecTarget, Process
def P(container, *command, **options):
    return Process("process/" + container, container=container, command=command, **options)
def web(*command, **options):
    return P("web", *command, **{"namespace": "web", "netns": "t-web", "hostname": "webhost", **options})
def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
def text(container="web", **options): return b"".join(runtime.logs("t", container, **options)).decode()
def failure(function, *arguments):
    try: function(*arguments)
    except NetcomposeError as error: return type(error).__name__ + ": " + error.message + " | " + error.hint
"""
SETUP = """
ip netns add t-web; ip -n t-web link set lo up; ip -n t-web link add eth0 type bridge
mkdir -p /etc/netns/t-web; echo 192.0.2.9 nine > /etc/netns/t-web/hosts; echo search web > /etc/netns/t-web/resolv.conf
"""


class Host:
    """A sandbox with a wired container ``web`` of topology ``t``, and the runtime at work inside it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def __call__(self, *argv, **options):
        return self.sandbox.run(argv, check=True, **options).stdout

    def python(self, code, path=PACKAGE, interpreter=sys.executable, **options):
        """Run code inside; what it prints, the last line as JSON if it is."""
        done = self.sandbox.run(
            [interpreter, "-c", PRELUDE + textwrap.dedent(code)], env={"PYTHONPATH": str(path)}, **options
        )
        assert done.returncode == 0, done.stderr
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def enter(self, *argv, kinds="-n -m -u -i -p"):
        """A foreign tool inside the container."""
        return self("nsenter", "-t", str(self.pid), *kinds.split(), *argv)

    @property
    def pid(self):
        return self.python('print(runtime.state("t", "web").pid)')


@pytest.fixture(params=[pytest.param(False, marks=needs_root, id="root"), pytest.param(True, id="user-namespace")])
def host(request):
    with Sandbox("server4", user_namespace=request.param) as sandbox:
        host = Host(sandbox)
        host("sh", "-ec", SETUP)
        yield host


@pytest.fixture
def any_host():
    with Sandbox("server4") as sandbox:
        host = Host(sandbox)
        host("sh", "-ec", SETUP)
        yield host


def test_a_process_has_namespaces_files_and_a_name_of_its_own(host):
    host.python('runtime.start("t", web("sleep", "1000"))')
    pid = str(host.pid)
    assert host("ip", "netns", "identify", pid) == "t-web\n"
    for kind in ("mnt", "uts", "ipc", "pid"):
        assert host("readlink", f"/proc/{pid}/ns/{kind}") != host("readlink", f"/proc/self/ns/{kind}")
    assert host.enter("hostname") == "webhost\n" and host("hostname") == "server4\n"
    assert host.enter("getent", "hosts", "nine").split() == ["192.0.2.9", "nine"]
    assert host.enter("cat", "/etc/resolv.conf") == "search web\n"
    assert sorted(host.enter("ls", "/sys/class/net").split()) == ["eth0", "lo"]
    assert host.enter("ps", "-eo", "pid=,comm=").split()[:4] == ["1", "nc-web", "2", "sleep"]
    assert "/run/netns" not in host.enter("cat", "/proc/self/mountinfo")


def test_the_command_starts_like_a_service(host):
    code = (
        'import os, signal, sys; e = os.environ; print(e["A"], e["HOME"], e["HOSTNAME"], "PATH" in e,'
        "os.getcwd(), sys.stdin.read() == '', os.getsid(0) == os.getpid(), signal.getsignal(signal.SIGPIPE).name,"
        "sorted(os.listdir('/proc/self/fd')), signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    )
    # -I keeps Python from changing what is asked about; SIGPIPE is its own doing, so sh is asked below.
    host.python(f"""
        runtime.start("t", web({sys.executable!r}, "-c", {code!r}, environment={{"A": "b"}}, working_dir="/tmp"))
        until(lambda: runtime.state("t", "web").status == "exited")
    """)
    said = host.python("print(text())").split()
    assert said[:7] == ["b", "/root", "webhost", "True", "/tmp", "True", "True"]
    assert said[8:] == ["['0',", "'1',", "'2',", "'3']", "set()"]  # 3 is the folder that is being listed
    host.python("""
        runtime.start("t", web("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"))
        until(lambda: runtime.state("t", "web").status == "exited")
    """)
    # 32 and 33 are the C library's own, which a make above us may hand on as ignored and nobody can reset (signal(7)).
    masks = {int(mask, 16) & ~(0b11 << 31) for mask in host.python("print(text())").split()[1::2]}
    assert masks == {0}


def test_how_it_ended_is_remembered_and_is_no_drift(any_host):
    states = any_host.python("""
        found = []
        for script in ("exit 3", "kill -9 $$", "exit 0"):
            process = web("sh", "-c", script)
            before = time.time()
            runtime.start("t", process)
            until(lambda: runtime.state("t", "web").status == "exited")
            state = runtime.state("t", "web")
            assert before - 1 < state.started <= state.finished <= time.time() and state.pid == 0
            found.append([state.exit_code, runtime.live("t", "web") == process])
        print(json.dumps(found))
    """)
    assert states == [[3, True], [-9, True], [0, True]]
    assert any_host("ps", "-eo", "comm=").count("nc-web") == 0


def test_one_that_vanished_is_dead_and_has_to_be_made_again(any_host):
    found = any_host.python("""
        runtime.start("t", web("sleep", "1000"))
        assert runtime.live("t", "web") == web("sleep", "1000")
        os.kill(runtime.state("t", "web").pid, 9)
        until(lambda: runtime.state("t", "web").status != "running")
        print(json.dumps([runtime.state("t", "web").status, runtime.live("t", "web"), runtime.containers("t")]))
    """)
    assert found == ["dead", None, ["web"]]
    assert any_host.python("""
        runtime.sweep("t")
        print(json.dumps([runtime.containers("t"), runtime.state("t", "web").status, runtime.state("t", "x").status]))
    """) == [[], "wired", "absent"]


def test_a_recycled_process_id_is_never_touched(any_host):
    any_host.python("""
        import subprocess
        runtime.start("t", web("sleep", "1000"))
        path = "/run/netcompose/t/containers/web/process.json"
        record = json.load(open(path))
        other = subprocess.Popen(["sleep", "2000"])
        for change in ({"pid": other.pid}, {"boot": "another"}):
            json.dump({**record, **change}, open(path, "w"))
            assert runtime.live("t", "web") is None
        json.dump({**record, "pid": other.pid}, open(path, "w"))
        runtime.stop("t", "web")
        assert other.poll() is None
        other.kill()
    """)
    assert "nc-web" in any_host("ps", "-eo", "comm=")


def test_the_stop_signal_is_the_containers_and_the_last_word_is_sigkill(any_host):
    took = any_host.python("""
        ready = "trap 'echo got >/run/got; exit 5' USR1; echo ready; while :; do sleep 0.01; done"
        runtime.start("t", web("sh", "-c", ready, stop_signal="SIGUSR1"))
        until(lambda: "ready" in text())
        runtime.stop("t", "web")
        assert open("/run/got").read() == "got\\n"
        assert runtime.containers("t") == [] and not os.path.exists("/run/netcompose/t/containers/web")
        deaf = "trap '' TERM; echo ready; while :; do sleep 100; done"
        runtime.start_many("t", [P(f"deaf{n}", "sh", "-c", deaf, stop_grace_period=0.4) for n in range(4)])
        until(lambda: all("ready" in text(f"deaf{n}") for n in range(4)))
        start = time.monotonic()
        runtime.stop_many("t", [f"deaf{n}" for n in range(4)] + ["never-was"])
        print(time.monotonic() - start)
    """)
    assert 0.4 <= took < 1.2  # side by side
    assert "sleep" not in any_host("ps", "-eo", "comm=")


def test_stopping_takes_no_longer_than_the_process_does(any_host):
    took = any_host.python("""
        runtime.start_many("t", [P(f"c{n}", "sleep", "1000", stop_grace_period=30.0) for n in range(10)])
        start = time.monotonic()
        runtime.stop_many("t", runtime.containers("t"))
        print(time.monotonic() - start)
    """)
    assert took < 1.0
    assert any_host("ps", "-eo", "comm=").count("nc-") == 0


@pytest.mark.parametrize(
    ("policy", "script", "restarts", "code"),
    [("no", "exit 1", 0, 1), ("on-failure:2", "exit 1", 2, 1), ("on-failure", "exit 0", 0, 0)],
)
def test_restart_policies_that_end(any_host, policy, script, restarts, code):
    found = any_host.python(f"""
        process = web("sh", "-c", "echo run; {script}", restart={policy!r})
        runtime.start("t", process)
        runs = text(follow=True).count("run")
        state = runtime.state("t", "web")
        print(json.dumps([runs, state.restarts, state.exit_code, runtime.live("t", "web") == process]))
    """)
    assert found == [restarts + 1, restarts, code, True]


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
def test_restart_policies_that_go_on_wait_longer_each_time(any_host, policy):
    times = any_host.python(f"""
        from datetime import datetime
        runtime.start("t", web("sh", "-c", "echo run; sleep 50 & exit 1", restart={policy!r}))
        until(lambda: text().count("run") == 4)
        assert runtime.live("t", "web") is not None
        lines = text(timestamps=True).splitlines()
        times = [datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp() for line in lines]
        print(json.dumps([after - before for before, after in zip(times, times[1:])]))
    """)
    assert 0.1 <= times[0] < 0.2 <= times[1] < 0.4 <= times[2] < 0.8
    assert any_host("ps", "-eo", "comm=").split().count("sleep") <= 1  # nothing of an earlier run is left
    any_host.python('runtime.stop("t", "web")')
    assert "nc-web" not in any_host("ps", "-eo", "comm=")


def test_an_init_that_was_told_to_end_does_not_restart(any_host):
    live = any_host.python("""
        runtime.start("t", web("sleep", "1000", restart="unless-stopped"))
        os.kill(runtime.state("t", "web").pid, 15)
        until(lambda: runtime.state("t", "web").status == "exited")
        stays = runtime.live("t", "web") is not None
        runtime.start("t", web("sleep", "1000", restart="always"))
        os.kill(runtime.state("t", "web").pid, 15)
        until(lambda: runtime.state("t", "web").status == "exited")
        print(json.dumps([stays, runtime.live("t", "web")]))
    """)
    assert live == [True, None]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('"no-such-program"', ["HostLacks: container web: command not found: no-such-program", "searched: /usr/local"]),
        ('"/no/such"', ["HostLacks: container web: command not found: /no/such"]),
        ('"/etc/passwd"', ["HostLacks", "/etc/passwd", "not executable"]),
        ('"/run/script"', ["HostLacks", "interpreter"]),
        ('"true", working_dir="/no/such"', ["HostLacks: container web: cannot work in /no/such: No such file"]),
        ('"true", user="nobody-here"', ["HostLacks: container web: there is no user nobody-here"]),
        ('"true", user="0:no-group"', ["HostLacks: container web: there is no group no-group"]),
        ('"true", namespace="gone"', ["KernelRefused", "network namespace /run/netns/t-gone is not there"]),
        ('"true", stop_signal="SIGNOT"', ["KernelRefused: container web: there is no signal SIGNOT"]),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing(any_host, arguments, expected):
    any_host("sh", "-c", "printf '#!/no/interpreter\\n' > /run/script; chmod +x /run/script")
    said = any_host.python(f'print(failure(runtime.start, "t", web({arguments})))')
    for words in expected:
        assert words in said
    assert any_host.python('print(json.dumps(runtime.containers("t")))') == []
    assert "nc-" not in any_host("ps", "-eo", "comm=")


def test_one_that_cannot_start_does_not_keep_the_others_from_it(any_host):
    said = any_host.python("""
        processes = [P("a", "sleep", "1000"), P("b", "nope"), P("c", "sleep", "1000"), P("d", "nope")]
        print(failure(runtime.start_many, "t", processes), runtime.containers("t"))
    """)
    assert "container b: command not found: nope (and 1 more: d)" in said and "['a', 'c']" in said


def test_a_hundred_start_and_stop(any_host):
    any_host.python("""
        runtime.start_many("t", [P(f"c{n}", "sleep", "1000") for n in range(100)])
        assert all(runtime.state("t", f"c{n}").status == "running" for n in range(100))
    """)
    assert any_host("ps", "-eo", "comm=").split().count("sleep") == 100
    any_host.python('runtime.stop_many("t", runtime.containers("t"))')
    assert any_host("ps", "-eo", "comm=").split().count("sleep") == 0


def test_a_process_keeps_no_other_containers_namespace_alive(host):
    """A veth end outside disappears as soon as the namespace of its peer really ends."""
    host("sh", "-ec", "ip netns add t-b; ip netns add t-c; ip link add vb type veth peer name e netns t-b")
    host.python('runtime.start_many("t", [P("b", "sleep", "9", namespace="b"), P("c", "sleep", "9", namespace="c")])')
    host.python('runtime.stop("t", "b")')
    host("ip", "netns", "del", "t-b")
    deadline = time.monotonic() + 5
    while "vb" in host("ip", "-br", "link"):
        assert time.monotonic() < deadline, "the namespace lives on"
        time.sleep(0.05)


def test_a_namespace_made_anew_is_seen(any_host):
    found = any_host.python("""
        runtime.start("t", web("sleep", "1000"))
        os.system("ip netns del t-web; ip netns add other; ip netns add t-web")
        print(json.dumps([runtime.live("t", "web").namespace, runtime.GONE]))
    """)
    assert found[0] == found[1] == "(deleted)"
    any_host.python('runtime.start("t", web("sleep", "1000"))')
    assert any_host("ip", "netns", "identify", str(any_host.pid)) == "t-web\n"
    assert any_host("ps", "-eo", "comm=").split().count("sleep") == 1


def test_the_hosts_network_without_a_namespace(any_host):
    any_host.python('runtime.start("t", P("web", "sleep", "1000", hostname="h"))')
    assert any_host.enter("readlink", "/proc/self/ns/net") == any_host("readlink", "/proc/self/ns/net")
    assert any_host.enter("hostname") == "h\n"


def test_hostname_signal_and_grace_change_while_it_runs(host):
    same = host.python("""
        first = web("sh", "-c", "trap 'exit 0' HUP; echo ready; while :; do sleep 0.01; done")
        runtime.start("t", first)
        until(lambda: "ready" in text())
        pid = runtime.state("t", "web").pid
        second = web(*first.command, hostname="renamed", stop_signal="SIGHUP", stop_grace_period=60.0)
        runtime.update("t", first, second)
        assert runtime.live("t", "web") == second
        print(runtime.state("t", "web").pid == pid)
    """)
    assert same == "True\n"
    assert host.enter("hostname") == "renamed\n" and host("hostname") == "server4\n"
    assert host.python('start = time.monotonic(); runtime.stop("t", "web"); print(time.monotonic() - start)') < 5


def test_secrets_are_for_root_only(any_host):
    any_host.python('runtime.start("t", web("sleep", "1000", environment={"PASSWORD": "hidden-word"}))')
    assert "hidden-word" not in any_host("ps", "-eo", "args=", "ww")
    modes = any_host("find", "/run/netcompose/t/containers/web", "-printf", "%m %f\n")
    assert modes.splitlines()[0].startswith("700") and "600 process.json" in modes
    assert not any(line.split()[0] not in ("700", "600") for line in modes.splitlines())


@needs_root
def test_the_user_is_taken_with_all_its_groups(any_host):
    any_host.python("""
        runtime.start("t", web("sh", "-c", "id -un; id -gn; id -G; echo $HOME", user="daemon"))
        until(lambda: runtime.state("t", "web").status == "exited")
        runtime.start("t", P("x", "id", user="1234:5"))
        until(lambda: runtime.state("t", "x").status == "exited")
    """)
    home = any_host("getent", "passwd", "daemon").split(":")[5]
    assert any_host.python("print(text())").split() == ["daemon", "daemon", "1", home]
    said = any_host.python('print(text("x"))')
    assert said.startswith("uid=1234 gid=5") and "(root)" not in said


@needs_root
def test_the_callers_own_groups_are_not_handed_down(any_host):
    code = (
        PRELUDE
        + """
runtime.start("t", web("id", "-G", user="1234:5"))
until(lambda: runtime.state("t", "web").status == "exited")
"""
    )
    with_groups = ["setpriv", "--groups", "0,7,8", sys.executable, "-c", code]
    any_host(*with_groups, env={"PYTHONPATH": str(PACKAGE)})
    assert any_host.python("print(text())") == 5


def test_a_zombie_is_not_alive(any_host):
    """Where the host's first process does not reap, an ended init stays in the process table."""
    any_host.python("""
        import subprocess
        from netcompose.agent.runtimes import records
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        known = records.identity(child.pid)
        assert records.alive(known)
        child.stdin.close()
        until(lambda: open(f"/proc/{child.pid}/stat").read().split()[2] == "Z")
        assert not records.alive(known)
    """)


def test_without_a_second_user_id_the_reason_is_given():
    with Sandbox("server4", user_namespace=True) as sandbox:
        said = Host(sandbox).python('print(failure(runtime.start, "t", P("web", "true", user="1234")))')
    assert "NotPermitted: container web: no permission to set up its user" in said and "only one user id" in said


TARGET = 'ExecTarget("web", "t-web", "webhost", {"A": "b"}, "/tmp")'


@pytest.mark.parametrize("running", [True, False], ids=["beside-a-process", "in-a-bare-namespace"])
def test_a_command_runs_inside_the_container(host, running):
    said = host.python(f"""
        if {running}: runtime.start("t", web("sleep", "1000"))
        script = '''
            hostname; getent hosts nine; echo $A $HOSTNAME; pwd
            ip -br link | wc -l; ls /sys/class/net | wc -l; ps -e | wc -l; echo err >&2; exit 6
        '''
        status, out, err = runtime.run_captured("t", {TARGET}, ["sh", "-c", script], timeout=20)
        print(json.dumps([status, out.decode().split(), err.decode()]))
    """)
    assert said[0] == 6 and said[2] == "err\n"
    words = said[1]
    assert words[:8] == ["webhost", "192.0.2.9", "nine", "b", "webhost", "/tmp", "2", "2"]
    assert (int(words[8]) < 8) == running or not running
    assert host("hostname") == "server4\n" and "nc-" not in host("hostname")


def test_a_command_for_the_hosts_network(any_host):
    any_host("ip", "link", "add", "here", "type", "bridge")
    said = any_host.python('print(runtime.run_captured("t", ExecTarget("h"), ["ip", "-br", "link"])[1].decode())')
    assert "here" in said


def test_a_command_that_cannot_run_and_one_that_never_ends(any_host):
    said = any_host.python(f"""
        runtime.start("t", web("sleep", "1000"))
        for argv in (["nope"], ["sh", "-c", "sleep 777 & sleep 777"]):
            start = time.monotonic()
            print(failure(runtime.run_captured, "t", {TARGET}, argv, 0.3), time.monotonic() - start < 2)
    """)
    assert "HostLacks: container web: command not found: nope" in said
    assert "sh did not end within 0.3 s" in said and "False" not in said
    deadline = time.monotonic() + 5
    while any_host("ps", "-eo", "comm=").split().count("sleep") > 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_command_leaves_in_the_background_is_not_waited_for(any_host):
    took = any_host.python(f"""
        start = time.monotonic()
        status, out, _ = runtime.run_captured("t", {TARGET}, ["sh", "-c", "sleep 555 & echo done"], timeout=30)
        assert (status, out) == (0, b"done\\n")
        print(time.monotonic() - start)
    """)
    assert took < 2
    assert "sleep" in any_host("ps", "-eo", "comm=")


def test_output_of_any_size_is_read_and_bounded(any_host):
    sizes = any_host.python(f"""
        script = "head -c 30000000 /dev/zero; head -c 1000000 /dev/zero >&2"
        status, out, err = runtime.run_captured("t", {TARGET}, ["sh", "-c", script], timeout=60)
        print(json.dumps([status, len(out), len(err), out[-60:].decode()]))
    """)
    assert sizes[0] == 0 and sizes[2] == 1_000_000
    assert (16 << 20) < sizes[1] < (16 << 20) + 100 and "cut here" in sizes[3]


def test_an_attached_command_has_the_callers_streams(any_host):
    done = any_host.sandbox.run(
        [
            sys.executable,
            "-c",
            PRELUDE + f"sys.exit(runtime.attach('t', {TARGET}, ['sh', '-c', 'cat; kill -TERM $$']))",
        ],
        input="typed\n",
        env={"PYTHONPATH": str(PACKAGE)},
    )
    assert (done.returncode, done.stdout) == (143, "typed\n")


def test_logs_follow_until_the_end(any_host):
    any_host.python(
        'runtime.start("t", web("sh", "-c", "for n in 1 2 3; do echo line $n; sleep 0.1; done; printf end"))'
    )
    assert any_host.python("print(text(follow=True))") == "line 1\nline 2\nline 3\nend\n"
    assert any_host.python("print(text(tail=2))") == "line 3\nend\n"


def test_noisy_commands_are_bounded_on_disk(any_host):
    any_host.python("""
        runtime.start("t", web("sh", "-c", "yes | head -c 40000000; echo last"))
        until(lambda: runtime.state("t", "web").status == "exited", 60)
        assert text(tail=1) == "last\\n"
    """)
    sizes = any_host("find", "/run/netcompose", "-name", "log*", "-printf", "%s\n").split()
    assert len(sizes) == 2 and all(int(size) <= 8 << 20 for size in sizes)


def interpreters():
    found = [Path("/usr/bin/python3"), *Path.home().glob(".pyenv/versions/3.*/bin/python3")]
    return [pytest.param(str(path), id=str(path)) for path in found if path.exists() and _new_enough(path)]


def _new_enough(path):
    import subprocess

    return subprocess.run([path, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).returncode == 0


@pytest.mark.parametrize("interpreter", interpreters())
def test_it_works_out_of_a_zip_bundle_with_every_python(any_host, tmp_path, interpreter):
    bundle = tmp_path / "agent.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for part in ("__init__.py", "errors.py", "agent", "planner", "resources"):
            root = PACKAGE / "netcompose" / part
            for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
                archive.write(path, path.relative_to(PACKAGE))
    said = any_host.python(
        f"""
        assert runtime.__file__.startswith({str(bundle)!r})
        runtime.start("t", web("sh", "-c", "hostname; sleep 1000"))
        until(lambda: text() == "webhost\\n")
        assert runtime.live("t", "web") is not None
        assert runtime.run_captured("t", {TARGET}, ["hostname"])[1] == b"webhost\\n"
        runtime.update("t", web(), web(hostname="other"))
        assert runtime.run_captured("t", {TARGET}, ["hostname"])[1] == b"other\\n"
        runtime.stop("t", "web")
        print("well")
        """,
        path=bundle,
        interpreter=interpreter,
    )
    assert said == "well\n"
