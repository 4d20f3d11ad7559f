"""The agent behind SSH: how it gets there."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from ssh_support import CACHE, LAB, TOPOLOGY, contact, listed, resources
from testbed.sites import wait_until


@pytest.fixture
def site(make_site):
    return make_site(1)


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


CIPHERS = """
with __import__("contextlib").closing(ssh.connect(target)) as connection:
    transport = connection._stream._channel.get_transport()
    print(transport.local_cipher, transport.remote_cipher)
"""


def test_the_cipher_is_one_that_authenticates_by_itself(site):
    assert contact(site, CIPHERS).stdout == "aes128-gcm@openssh.com aes128-gcm@openssh.com\n"


def test_a_bundle_that_is_not_what_its_name_says_never_runs(site):
    contact(site, COUNT)
    (name,) = listed(site["server1"])
    data = site["server1"].run("cat", f"{CACHE}/{name}")
    site["server1"].shell(f"sed -i 's/import os/import os;os.system(\\\"touch .run.evil\\\")/' {CACHE}/{name}")
    assert site["server1"].run("cat", f"{CACHE}/{name}") != data
    assert contact(site, COUNT).stdout == "False 1 2 True\n"
    assert site["server1"].run("cat", f"{CACHE}/{name}") == data
    assert contact(site, COUNT).stdout == "True 1 1 False\n"


def test_an_agent_that_only_looks_loads_next_to_nothing_of_pythons_library(site):
    """Its start is most of what a host pays for a plan, and it is easily made twice as long by one import."""
    code = """
from netcompose.transports.ssh import bootstrap
bootstrap._PYTHON = (*bootstrap._PYTHON, "-X", "importtime")
for _ in range(2):
    connection = ssh.connect(target)
    connection.observe("lab")
    connection.close()
print(connection._stream.last_words())
"""
    lines = contact(site, code).stdout.splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "site" not in loaded and {"_json", "zlib"} <= loaded
    # What Python itself starts with, and what is written in C.
    own = "abc codecs encodings encodings.aliases encodings.utf_8 genericpath io os posixpath stat zipimport"
    short = "binascii errno fcntl gc marshal posix pwd resource select time zlib"
    assert {name for name in loaded if not name.startswith("_")} <= {*own.split(), *short.split(), "imported package"}
    assert not loaded & {"_weakrefset", "_sitebuiltins", "_pydecimal", "_strptime", "__future__"}


def test_a_connection_that_was_begun_early_is_the_only_one(site):
    code = """
import subprocess
begun = ssh.begin([target])
connection = ssh.connect(target, approach=begun.take("server1"))
seen = subprocess.run(["ss", "-Htn", "dst", "10.99.0.11"], capture_output=True, text=True, check=True).stdout
print(len(seen.splitlines()), connection.observe("lab").facts.hostname)
connection.close()
"""
    assert contact(site, code).stdout == "1 server1\n"


def test_compiled_code_that_is_cut_off_or_of_another_bundle_never_runs(site):
    contact(site, COUNT)
    host = site["server1"]
    code = host.run("sh", "-c", f"echo {CACHE}/*.code").strip()

    def whole():
        """What runs at each start is kept behind its checksum, which also has the name of its bundle; then the rest."""
        content = base64.b64decode(host.run("sh", "-c", f"base64 {code}", check=False))
        name = Path(code).name.partition(".")[0].encode()
        start = 16 + int(content[8:16] or b"0", 16)
        return len(content) == length and content[:8] == b"%08x" % zlib.crc32(name + content[8:start])

    length = int(host.run("stat", "-c", "%s", code))
    assert length > 100000

    assert whole()
    for harm in (
        "truncate -s -100 {0}",
        "truncate -s 14 {0}",
        "truncate -s 0 {0}",
        "tr a b < {0} > {0}.x; mv {0}.x {0}",
        "rm {0}",
    ):
        host.shell(harm.format(code))
        assert not whole()
        assert contact(site, COUNT).stdout == "True 1 1 False\n"
        assert whole()


def test_what_is_read_later_is_verified_then(site):
    contact(site, COUNT)
    host = site["server1"]
    later = """
connection = ssh.connect(target)
try: print(connection.started.cached, len(connection.features()) > 3, connection.observe("lab").facts.hostname)
except Exception as error: print(type(error).__name__, error)
connection.close()
"""
    assert contact(site, later).stdout == "True True server1\n"
    # Of the rest of the compiled code: it is compiled anew, from the source.
    host.shell(f"printf xx | dd of=$(echo {CACHE}/*.code) bs=1 seek=$(($(stat -c %s {CACHE}/*.code) - 9)) conv=notrunc")
    assert contact(site, later).stdout == "True True server1\n"
    # Of the source too, which is as long as before: nothing of it runs.
    (name,) = listed(host)
    host.shell(f"sed -i 's/import os/import oz/' {CACHE}/{name}")
    assert "the source of the agent is damaged: empty the cache (hosts clean)" in contact(site, later).stdout


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
