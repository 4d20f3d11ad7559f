"""How native containers' processes start, and what they find inside. Oracles: ip netns, nsenter, ps."""

import sys
import time

import pytest
from runtime_host import PACKAGE, PRELUDE, Host, needs_root

from netcompose.transports.sandbox import Sandbox


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


def test_a_process_keeps_no_other_containers_namespace_alive(host):
    """A veth end outside disappears as soon as the namespace of its peer really ends."""
    host("sh", "-ec", "ip netns add t-b; ip netns add t-c; ip link add vb type veth peer name e netns t-b")
    host.python('runtime.start_many("t", [P("b", "sleep", "9", namespace="b"), P("c", "sleep", "9", namespace="c")])')
    host.python('runtime.stop_many("t", ["b"])')
    host("ip", "netns", "del", "t-b")
    deadline = time.monotonic() + 5
    while "vb" in host("ip", "-br", "link"):
        assert time.monotonic() < deadline, "the namespace lives on"
        time.sleep(0.05)


def test_the_hosts_network_without_a_namespace(any_host):
    any_host.python('runtime.start("t", P("web", "sleep", "1000", hostname="h"))')
    assert any_host.enter("readlink", "/proc/self/ns/net") == any_host("readlink", "/proc/self/ns/net")
    assert any_host.enter("hostname") == "h\n"


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


def test_without_a_second_user_id_the_reason_is_given():
    with Sandbox("server4", user_namespace=True) as sandbox:
        said = Host(sandbox).python('print(failure(runtime.start, "t", P("web", "true", user="1234")))')
    assert "NotPermitted: container web: no permission to set up its user" in said and "only one user id" in said


def test_a_killed_run_holds_the_lock_until_what_it_was_starting_runs(any_host):
    """The next run must not take a container for one that is there while it is only coming."""
    helper = any_host.python("""
        import os, signal
        from netcompose.agent.lock import HostLock
        lock = HostLock("local")
        lock.acquire("netcompose up of t")
        finish = runtime.begin("t", [P("web", "sleep", "1000")], lock.descriptors)
        helper = finish.__self__._begun[0][1].process.pid
        os.kill(helper, signal.SIGSTOP)
        print(helper, flush=True)
        os._exit(0)
    """)
    locking = """
        import time
        from netcompose.agent.lock import HostLock
        lock = HostLock("local")
        begun = time.monotonic()
        said = failure(lock.acquire, "netcompose up of u")
        print(json.dumps([said, time.monotonic() - begun, runtime.state("t", "web").status]))
    """
    said, waited, _ = any_host.python(locking)
    assert "is locked by netcompose up of t" in said and waited > 1
    any_host("kill", "-CONT", str(helper))
    said, _, status = any_host.python(locking)
    assert said is None and status == "running"
    assert any_host.enter("cat", "/proc/1/comm").strip() == "nc-web"


@pytest.mark.parametrize("brief", [True, False])
def test_a_lock_that_is_had_for_moments_is_waited_for(any_host, brief):
    """The gatekeeper's, while it wires a container again."""
    said, waited = any_host.python(f"""
        import os, time
        from netcompose.agent.lock import HostLock
        ready, go = os.pipe()
        if os.fork() == 0:
            lock = HostLock("local")
            lock.acquire("somebody", brief={brief})
            os.write(go, b"x")
            time.sleep(0.5)
            lock.release()
            os._exit(0)
        os.read(ready, 1)
        begun = time.monotonic()
        said = failure(HostLock("local").acquire, "netcompose up of u")
        os.wait()
        print(json.dumps([said, time.monotonic() - begun]))
    """)
    if brief:
        assert said is None and waited > 0.3
    else:
        assert "is locked by somebody" in said
