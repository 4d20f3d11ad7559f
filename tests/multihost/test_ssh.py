"""The agent behind SSH: how it gets there, that it goes, and every way to a host that ssh(1) would go as well."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest
from site_hosts import keygen, program, wait_until

CACHE = "/var/cache/netcompose"
TARGET = "from netcompose.transports import ssh\ntarget = ssh.SshTarget('server1', '10.99.0.11', user='root'{more})\n"
TOPOLOGY = """
from netcompose.compiler.compile import compile_topology
from netcompose.executor.run import Executor
from netcompose.planner.planner import make_plan
from netcompose.topology.load import load
topology = load(sys.argv[1], variables={}, vars_files=[])
def plan_for(connection):
    live = {"local": connection.observe("lab")}
    desired = compile_topology(topology, live)
    assert not desired.problems, desired.problems
    return make_plan("lab", desired.resources, live), desired.resources
"""
LAB = """
name: lab
networks: {lan: {subnets: [10.5.0.0/24]}}
containers:
  web:
    networks: {lan: {ipv4_address: 10.5.0.10}}
    command: [sh, -c, "echo noise on stdout; echo noise on stderr >&2; exec sleep 1000"]
    exec: [[sh, -c, "echo more noise; echo and more >&2"]]
"""


@pytest.fixture
def site(make_site):
    return make_site(1)


def contact(site, code, *argv, more="", status=0, **options):
    """Code on the controller, which knows ``target``; what it prints."""
    return site.python("import sys, time\n" + TARGET.format(more=more) + code, *argv, status=status, **options)


def resources(host):
    """What a topology leaves on a host, as foreign tools see it."""
    return host.shell(
        "ip -j link; ip -j addr; ip netns list; nft -s -j list ruleset; find /run /etc/netns -printf '%p %y\\n' 2>/dev/null | sort || true"
    )


def listed(host):
    """The cached agents on a host, and files of others, without what a Python has compiled of them."""
    names = host.run("sh", "-c", f"ls {CACHE} 2>/dev/null; true").split()
    return [name for name in names if not name.endswith(".code")]


@contextlib.contextmanager
def background(site, code, *argv, more=""):
    """Code on the controller while the block runs; it has printed one line, which is given."""
    process = site.controller.popen(
        [sys.executable, "-c", "import sys, time\n" + TARGET.format(more=more) + code, *argv],
        env={"HOME": str(site.home), "SSH_AUTH_SOCK": ""},
        stdin=DEVNULL,
        stdout=PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        site.run("pkill", "-KILL", "-f", "ssh.SshTarget", status=None)
        process.wait(10)
        process.stdout.close()


# --- how the agent gets there ---------------------------------------------------------------------------------------

COUNT = """
from netcompose.transports.ssh.stream import ChannelStream
sends, execs = [], []
send, execute = ChannelStream.send, ChannelStream.execute
ChannelStream.send = lambda self, data, timeout=None: (sends.append(len(data)), send(self, data, timeout))[1]
ChannelStream.execute = lambda self, line: (execs.append(line), execute(self, line))[1]
with __import__("contextlib").closing(ssh.connect(target)) as connection:
    connection.observe("lab")
    print(connection.started.cached, len(execs), len(sends), sends[0] > 10000)
"""


def test_the_agent_is_sent_once_and_a_warm_contact_takes_two_round_trips(site):
    assert contact(site, COUNT).stdout == "False 1 2 True\n"
    (name,) = listed(site["server1"])
    # One exec, whose first output is the agent's word, and one request.
    assert contact(site, COUNT).stdout == "True 1 1 False\n"
    assert listed(site["server1"]) == [name]
    data = site["server1"].run("cat", f"{CACHE}/{name}")
    assert hashlib.sha256(data.encode()).hexdigest() + ".bundle" == name
    assert site["server1"].run("stat", "-c", "%a %U", CACHE, f"{CACHE}/{name}") == "700 root\n600 root\n"
    assert site["server1"].run("sh", "-c", f"stat -c '%a %U' {CACHE}/*.code") == "600 root\n"


def test_a_bundle_that_is_not_what_its_name_says_never_runs(site):
    contact(site, COUNT)
    (name,) = listed(site["server1"])
    data = site["server1"].run("cat", f"{CACHE}/{name}")
    site["server1"].shell(f"sed -i 's/import os/import os;os.system(\\\"touch .run.evil\\\")/' {CACHE}/{name}")
    assert site["server1"].run("cat", f"{CACHE}/{name}") != data
    assert contact(site, COUNT).stdout == "False 1 2 True\n"
    assert site["server1"].run("cat", f"{CACHE}/{name}") == data
    assert contact(site, COUNT).stdout == "True 1 1 False\n"


def test_compiled_code_that_is_cut_off_or_of_another_bundle_never_runs(site):
    contact(site, COUNT)
    host = site["server1"]
    code = host.run("sh", "-c", f"echo {CACHE}/*.code").strip()

    def whole():
        """Code is kept behind its digest, which also has the name of its bundle."""
        content = base64.b64decode(host.run("base64", code))
        name = Path(code).name.partition(".")[0].encode()
        return len(content) > 10000 and content[:64].decode() == hashlib.sha256(name + content[64:]).hexdigest()

    assert whole()
    for harm in (
        "truncate -s -100 {0}",
        "truncate -s 70 {0}",
        "truncate -s 0 {0}",
        "tr a b < {0} > {0}.x; mv {0}.x {0}",
    ):
        host.shell(harm.format(code))
        assert not whole()
        assert contact(site, COUNT).stdout == "True 1 1 False\n"
        assert whole()


def test_a_bundle_that_is_changed_on_the_way_is_refused(site):
    code = """
import dataclasses
from netcompose.transports.ssh import bundle
from netcompose.errors import ProtocolError
real = bundle.installed()
bundle.installed = lambda: bundle.Bundle(real.name, real.data.replace(b"errno", b"errnp"))
try: ssh.connect(target)
except ProtocolError as error: print(error.message)
"""
    assert "did not arrive as it was sent" in contact(site, code).stdout
    assert listed(site["server1"]) == []


def test_an_agent_of_another_version_is_noticed(site):
    code = """
from netcompose.transports.ssh import bundle
from netcompose.errors import ProtocolError
import json, netcompose
sources = json.loads(bundle.installed().data)
sources["netcompose/__init__.py"] = sources["netcompose/__init__.py"].replace(netcompose.__version__, "9.9.9")
other = bundle.pack(sources)
bundle.installed = lambda: other
try: ssh.connect(target)
except ProtocolError as error: print(error.message)
"""
    assert "host server1: its agent is of version 9.9.9, this netcompose is" in contact(site, code).stdout
    wait_until(lambda: not site["server1"].agents())


def test_old_agents_are_pruned_and_files_of_others_are_not(site):
    names = [f"{number:064x}.bundle" for number in range(1, 6)]
    site["server1"].shell(f"mkdir -m 700 {CACHE}; cd {CACHE}; touch mine.txt")
    for age, name in enumerate(names):
        site["server1"].shell(f"touch -d '-{age + 1} days' {CACHE}/{name}")
    contact(site, COUNT)
    kept = listed(site["server1"])
    assert "mine.txt" in kept and names[0] in kept and names[1] in kept and len(kept) == 4


def test_hosts_clean_leaves_nothing(site):
    before = site["server1"].run("find", "/var/cache", "/run", "/etc")
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document())
    clean = ["-f", str(file), "hosts", "clean"]
    assert site.netcompose(*clean).stdout == "server1: nothing was kept\n"
    site.netcompose("-f", str(file), "hosts")
    assert listed(site["server1"])
    assert site.netcompose(*clean).stdout == "server1: removed 1 cached agent\n"
    assert site["server1"].run("find", "/var/cache", "/run", "/etc") == before
    site["server1"].shell(f"mkdir -m 700 {CACHE}; touch {CACHE}/mine.txt")
    done = site.netcompose(*clean, status=1)
    assert f"host server1: the cache is not empty: {CACHE}: Directory not empty" in done.stderr
    assert listed(site["server1"]) == ["mine.txt"]
    site.sshd_kill("server1")
    assert "nothing listens" in site.netcompose(*clean, status=7).stderr


def test_an_agent_works_on_when_its_cache_is_emptied(site):
    code = """
connection = ssh.connect(target)
ssh.clean(target)
print(len(connection.features()) > 3, connection.observe("lab").facts.hostname)
connection.close()
"""
    assert contact(site, code).stdout == "True server1\n"


def test_noise_of_a_login_shell_is_skipped_and_the_environment_is_clean(site):
    site["server1"].home.joinpath(".bashrc").write_text(
        "echo Welcome; echo; printf 'no newline'; echo to stderr >&2; head -c 100000 /dev/zero | tr '\\0' x\n"
        "export PYTHONPATH=/nowhere PYTHONSTARTUP=/nowhere PATH=/usr/bin:/bin\nmkdir -p ~/json; cd ~; echo 'boom(' > json.py\n"
    )
    assert contact(site, COUNT).stdout == "False 1 2 True\n"
    assert contact(site, COUNT).stdout == "True 1 1 False\n"


@pytest.mark.parametrize("shell", ["dash", "csh", "tcsh", "fish", "zsh", "ksh"])
def test_login_shells(site, shell):
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    site["server1"].shell(f"sed -i '/^root:/s|/bin/bash|{path}|' /etc/passwd")
    assert contact(site, COUNT).stdout == "False 1 2 True\n"


def interpreters():
    found = [Path("/usr/bin/python3"), *sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))]
    code = "import sys; sys.exit(sys.version_info < (3, 9))"
    usable = [path for path in found if path.exists() and subprocess.run([path, "-c", code]).returncode == 0]
    return [pytest.param(str(path), id=path.parts[-3]) for path in usable]


@pytest.mark.parametrize("interpreter", interpreters())
def test_every_python_runs_the_agent(site, interpreter):
    folder = site["server1"].folder / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(interpreter)
    site["server1"].home.joinpath(".bashrc").write_text(f"export PATH={folder}:$PATH\n")
    file = site.folder / "lab.yaml"
    file.write_text(LAB)
    before = resources(site["server1"])
    code = (
        TOPOLOGY
        + """
for _ in range(2):
    connection = ssh.connect(target)
    executor = Executor({"local": connection})
    with executor.locked("lab", "test"):
        plan, desired = plan_for(connection)
        executor.apply(plan, None, desired)
        print(len(plan.changes) > 5, [state.status for state in connection.states("lab") if state.container == "web"])
        print(connection.logs("lab", "web"))
    connection.close()
connection = ssh.connect(target)
executor = Executor({"local": connection})
with executor.locked("lab", "test"):
    executor.apply(make_plan("lab", {}, executor.observe("lab")))
print(connection.started.python[:2] == tuple(connection.hello()["python"][:2]), connection.hello()["python"][:2])
connection.close()
"""
    )
    said = contact(site, code, str(file)).stdout.splitlines()
    version = subprocess.run(
        [interpreter, "-c", "import sys; print(list(sys.version_info[:2]))"], capture_output=True, text=True
    ).stdout.strip()
    running = ["['running']", "b'noise on stdout\\nnoise on stderr\\n'"]
    assert said == [f"True {running[0]}", running[1], f"False {running[0]}", running[1], f"True {version}"]
    assert resources(site["server1"]) == before


# --- that it goes ---------------------------------------------------------------------------------------------------

LOCKED = """
connection = ssh.connect(target)
connection.lock("lab", "the test")
print("locked", flush=True)
time.sleep(1000)
"""


def locks(site):
    """True if the host's lock can be taken."""
    code = (
        "connection = ssh.connect(target)\nconnection.lock('lab', 'another')\nconnection.unlock()\nconnection.close()"
    )
    return contact(site, code, status=None).returncode == 0


def test_the_agent_ends_and_gives_the_lock_back_when_its_controller_is_killed(site):
    with background(site, LOCKED) as (_, said):
        assert said == "locked"
        assert len(site["server1"].agents()) == 1 and not locks(site)
        site.run("pkill", "-KILL", "-f", "ssh.SshTarget")
        wait_until(lambda: not site["server1"].agents())
        assert locks(site)


def test_the_agent_ends_when_sshd_is_killed(site):
    with background(site, LOCKED) as (_, said):
        assert said == "locked"
        site.sshd_kill("server1")
        wait_until(lambda: not site["server1"].agents())
    site["server1"].start_sshd()
    assert locks(site)


def test_the_agent_ends_when_the_cable_is_cut_and_nobody_can_tell_it(site):
    with background(site, LOCKED, more=", keepalive=0.5") as (_, said):
        assert said == "locked"
        # Signs of life keep it for longer than its patience.
        time.sleep(4)
        assert site["server1"].agents()
        site.cut("server1")
        wait_until(lambda: not site["server1"].agents(), 10)
        site.heal("server1")
        assert locks(site)


def test_an_agent_that_is_busy_for_long_is_left_in_peace(site):
    code = """
connection = ssh.connect(target)
from netcompose.resources import ExecTarget
print(connection.run("lab", ExecTarget("x", "", "x", {}, "/", ""), ["sleep", "4"], 20)[0])
print(connection.hello()["pid"] == connection.started.pid)
connection.close()
"""
    assert contact(site, code, more=", keepalive=0.5").stdout == "0\nTrue\n"


@pytest.mark.parametrize("end", ["kill the controller", "kill sshd", "cut the cable"])
def test_what_was_not_confirmed_is_taken_back_when_the_connection_is_lost(site, end):
    file = site.folder / "lab.yaml"
    file.write_text(LAB)
    before = resources(site["server1"])
    code = (
        TOPOLOGY
        + """
connection = ssh.connect(target)
connection.lock("lab", "test")
plan, desired = plan_for(connection)
connection.apply("lab", plan.changes)
print("applied", flush=True)
time.sleep(1000)
"""
    )
    with background(site, code, str(file), more=", keepalive=0.5") as (_, said):
        assert said == "applied"
        assert resources(site["server1"]) != before
        if end == "kill the controller":
            site.run("pkill", "-KILL", "-f", "ssh.SshTarget")
        elif end == "kill sshd":
            site.sshd_kill("server1")
        else:
            site.cut("server1")
        wait_until(lambda: not site["server1"].agents(), 20)
        site.heal("server1")
        assert resources(site["server1"]) == before


@pytest.mark.parametrize("cut", [True, False])
def test_a_host_that_vanishes_is_told_in_time(site, cut):
    code = """
from netcompose.errors import HostUnreachable
connection = ssh.connect(target)
print("there", flush=True)
while "gone" not in open(sys.argv[1]).read(): time.sleep(0.05)
start = time.monotonic()
try: connection.observe("lab")
except HostUnreachable as error: print(error.exit_status, time.monotonic() - start < 5, error.message)
start = time.monotonic()
connection.close()
print(time.monotonic() - start < 3)
"""
    flag = site.folder / "flag"
    flag.write_text("")
    with background(site, code, str(flag), more=", command_timeout=2") as (process, said):
        assert said == "there"
        if cut:
            site.cut("server1")
        else:
            site.sshd_kill("server1")
        flag.write_text("gone")
        assert process.stdout.readline() == (
            "7 True host server1: no answer to observe within 2 s\n"
            if cut
            else "7 True host server1: the connection was lost during observe\n"
        )
        assert process.stdout.readline() == "True\n"


def test_keepalive_finds_a_host_that_is_gone_before_the_answer_is_due(site):
    code = """
from netcompose.errors import HostUnreachable
from netcompose.resources import ExecTarget
connection = ssh.connect(target)
print("there", flush=True)
start = time.monotonic()
try: connection.run("lab", ExecTarget("x", "", "x", {}, "/", ""), ["sleep", "60"], 10)
except HostUnreachable as error: print(time.monotonic() - start < 10, error.message, flush=True)
"""
    with background(site, code, more=", keepalive=1, command_timeout=5") as (process, said):
        assert said == "there"
        time.sleep(0.5)
        site.cut("server1")
        assert process.stdout.readline() == "True host server1: the connection was lost during run_many\n"


def test_an_agent_that_is_killed_is_told_with_its_last_words(site):
    code = """
from netcompose.errors import HostUnreachable
connection = ssh.connect(target)
print(connection.started.pid, flush=True)
while "gone" not in open(sys.argv[1]).read(): time.sleep(0.05)
try: connection.observe("lab")
except HostUnreachable as error: print(error.message)
"""
    flag = site.folder / "flag"
    flag.write_text("")
    with background(site, code, str(flag)) as (process, pid):
        site["server1"].shell(f"echo 'out of luck' > /proc/{pid}/fd/2; kill -KILL {pid}")
        flag.write_text("gone")
        said = process.stdout.readline()
        assert said == "host server1: the connection was lost during observe; its last words: out of luck\n"


def test_much_on_stderr_does_not_stop_the_conversation(site):
    code = """
connection = ssh.connect(target)
print(connection.started.pid, flush=True)
while "go" not in open(sys.argv[1]).read(): time.sleep(0.05)
for _ in range(3): print(connection.observe("lab").facts.hostname, flush=True)
"""
    flag = site.folder / "flag"
    flag.write_text("")
    with background(site, code, str(flag), more=", command_timeout=10") as (process, pid):
        with site["server1"].sandbox.popen(
            ["sh", "-c", f"head -c 40000000 /dev/zero > /proc/{pid}/fd/2"], stderr=DEVNULL, start_new_session=True
        ) as writer:
            try:
                written = [-1, 0]
                while written[-1] != written[-2] or not written[-1]:
                    time.sleep(0.5)
                    written.append(int(site["server1"].run("sh", "-c", "cat /proc/$(pgrep -x head)/io").split()[3]))
                assert 16 << 20 < written[-1] < 40000000, "the channel's window is full, nobody reads"
                flag.write_text("go")
                assert [process.stdout.readline() for _ in range(3)] == ["server1\n"] * 3
            finally:
                os.killpg(writer.pid, signal.SIGKILL)


# --- ways to a host -------------------------------------------------------------------------------------------------

NAMES = "print(ssh.connect(ssh.SshTarget('server1', sys.argv[1])).observe('lab').facts.hostname)"


def test_a_port_and_a_hashed_known_hosts_file(make_site):
    site = make_site(1, ports={1: 2222})
    site.run("ssh-keygen", "-q", "-H", "-f", str(site.known_hosts))
    assert "10.99.0.11" not in site.known_hosts.read_text()
    code = "print(ssh.connect(ssh.SshTarget('server1', '10.99.0.11', port=2222)).hello()['version'])"
    assert contact(site, code).stdout == "0.1.0\n"


def test_everything_out_of_ssh_config_with_include_and_match(make_site):
    site = make_site(1, ports={1: 2222})
    folder = site.home / ".ssh"
    for suffix in ("", ".pub"):
        (folder / f"id_ed25519{suffix}").rename(folder / f"lab{suffix}")
    site.write_config("Include more/*.conf\nHost lab1\n  HostName 10.99.0.99\n  User nobody\n")
    (folder / "more").mkdir()
    (folder / "more" / "1.conf").write_text(
        "Host lab1 lab2\n  HostName 10.99.0.11\nMatch originalhost lab1\n  Port 2222\n  User root\n  IdentityFile ~/.ssh/lab\n"
    )
    assert contact(site, NAMES, "lab1").stdout == "server1\n"
    # The same without ssh(1), whose part is played by our own reader.
    code = "import shutil\nwhich = shutil.which\nshutil.which = lambda name, **more: None if name == 'ssh' else which(name, **more)\n"
    assert contact(site, code + NAMES, "lab1").stdout == "server1\n"


def test_an_ssh_config_with_a_mistake_is_told(site):
    site.write_config("Host *\n  NoSuchOption yes\n")
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document())
    said = site.netcompose("-f", str(file), "ps", status=7).stderr
    assert "host server1: ssh does not understand its configuration" in said and "line 2" in said


def test_a_chain_of_jump_hosts(make_site):
    site = make_site(3, ports={1: 2201, 2: 2202})
    site.run("ip", "route", "add", "unreachable", "10.99.0.13")
    site.run("ip", "route", "add", "unreachable", "10.99.0.12")
    code = "connection = ssh.connect(ssh.SshTarget('server3', '10.99.0.13', user='root', proxy_jump=sys.argv[1]))\n"
    code += "print(connection.observe('lab').facts.hostname)\nconnection.close()"
    assert contact(site, code, "root@10.99.0.11:2201,ssh://root@10.99.0.12:2202").stdout == "server3\n"
    wait_until(lambda: not any(host.agents() for host in site.hosts.values()))
    # Through the configuration: each hop has its own.
    site.write_config(
        "Host a\n HostName 10.99.0.11\n Port 2201\n User root\n"
        "Host b\n HostName 10.99.0.12\n Port 2202\n User root\n ProxyJump a\n"
        "Host c\n HostName 10.99.0.13\n ProxyJump b\n User root\n"
    )
    assert contact(site, NAMES, "c").stdout == "server3\n"
    site.sshd_kill("server3")
    done = contact(site, NAMES, "c", status=1)
    assert "the jump host does not connect to 10.99.0.13 port 22" in done.stderr.splitlines()[-1]
    site.write_config("Host a\n HostName 10.99.0.11\n ProxyJump b\nHost b\n HostName 10.99.0.12\n ProxyJump a\n")
    done = contact(site, NAMES, "a", status=1)
    assert "the chain of ProxyJump at" in done.stderr.splitlines()[-1]


def test_the_key_of_a_jump_host_is_checked_as_well(make_site):
    site = make_site(2)
    site.trust("server2")
    code = "ssh.connect(ssh.SshTarget('server2', '10.99.0.12', user='root', proxy_jump='root@10.99.0.11'))"
    done = contact(site, code, status=1)
    assert "10.99.0.11 port 22 shows a host key that is not known" in done.stderr


def test_a_proxy_command(make_site):
    site = make_site(2)
    site.write_config("Host behind\n HostName 10.99.0.12\n User root\n ProxyCommand ssh -W %h:%p root@10.99.0.11\n")
    assert contact(site, NAMES, "behind").stdout == "server2\n"


@contextlib.contextmanager
def ssh_agent(site):
    """A running ssh-agent on the controller; the path of its socket."""
    path = site.folder / "agent"
    with site.controller.popen(
        [program("ssh-agent"), "-D", "-a", str(path)], stdout=DEVNULL, start_new_session=True
    ) as it:
        try:
            wait_until(path.exists)
            yield str(path)
        finally:
            site.run("pkill", "-KILL", "-x", "ssh-agent", status=None)
            it.wait(10)


def test_keys_of_an_agent(site):
    folder = site.home / ".ssh"
    with ssh_agent(site) as path:
        site.run("ssh-add", "-q", str(folder / "id_ed25519"), env={"SSH_AUTH_SOCK": path})
        (folder / "id_ed25519").unlink()
        code = "print(ssh.connect(target).hello()['version'])"
        assert contact(site, code, env={"SSH_AUTH_SOCK": path}).stdout == "0.1.0\n"
        # Not the environment's, but the one that the configuration names.
        site.write_config(f"Host *\n IdentityAgent {path}\n")
        assert contact(site, code).stdout == "0.1.0\n"
        assert "LoginRefused" in contact(site, code, more=", agent=False", status=1).stderr
        site.write_config(f"Host *\n IdentityAgent {path}\n IdentitiesOnly yes\n IdentityFile ~/.ssh/other\n")
        assert "LoginRefused" in contact(site, code, status=1).stderr


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_key_with_a_passphrase_that_the_agent_holds(site, kind):
    key = site.home / "locked"
    public = keygen(key, kind=kind)
    site["server1"].folder.joinpath("authorized_keys").write_text(public)
    code = "print(ssh.connect(target).hello()['version'])"
    more = f", identity_file={str(key)!r}"
    assert contact(site, code, more=more).stdout == "0.1.0\n"
    with ssh_agent(site) as path:
        # Nine other keys in the agent, more than a server lets one try, do not come first.
        for number in range(9):
            keygen(site.home / f"other{number}")
            site.run("ssh-add", "-q", str(site.home / f"other{number}"), env={"SSH_AUTH_SOCK": path})
        site.run("ssh-add", "-q", str(key), env={"SSH_AUTH_SOCK": path})
        site.run("ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(key))
        assert contact(site, code, more=more, env={"SSH_AUTH_SOCK": path}).stdout == "0.1.0\n"


def test_the_known_key_is_asked_for_when_a_server_has_several(site):
    host = site["server1"]
    for kind in ("rsa", "ecdsa"):
        keygen(host.folder / kind, kind=kind)
        config = host.folder / "sshd_config"
        config.write_text(config.read_text() + f"HostKey {host.folder / kind}\n")
    site.sshd_kill("server1")
    host.start_sshd()
    authority = keygen(site.folder / "authority")
    for kind in ("rsa", "ecdsa"):
        # A line that paramiko would drop the whole file over comes first.
        site.known_hosts.write_text(
            f"@cert-authority * {authority}10.99.0.11 {(host.folder / f'{kind}.pub').read_text()}"
        )
        assert contact(site, "print(ssh.connect(target).hello()['version'])").stdout == "0.1.0\n"


def test_the_known_hosts_of_the_system_count(site):
    site.run("mv", str(site.known_hosts), "/etc/ssh/ssh_known_hosts")
    assert contact(site, "print(ssh.connect(target).hello()['version'])").stdout == "0.1.0\n"


def test_paramiko_is_not_loaded_for_this_machine(site):
    code = "import sys\nfrom netcompose.cli.main import main\nmain(['hosts'])\nprint('paramiko' in sys.modules)"
    assert site.python(code).stdout.splitlines()[-1] == "False"
