"""ssh_config(5): our own reader beside `ssh -G`, and what becomes of what they say."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcompose.errors import HostUnreachable
from netcompose.transports.ssh.settings import hop_of, route
from netcompose.transports.ssh.sshconfig import options_for
from netcompose.transports.ssh.target import SshTarget

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
ASKED = ("hostname", "user", "port", "proxyjump", "identityfile", "hostkeyalias", "identitiesonly", "hashknownhosts")
HOME = pwd.getpwuid(os.getuid()).pw_dir


def openssh(file, alias, *options):
    argv = ["ssh", "-G", "-F", str(file), *(word for option in options for word in ("-o", option)), "--", alias]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def hops(file, alias, given_options=()):
    """The same host by OpenSSH and by us."""
    theirs = hop_of(alias, openssh(file, alias, *(f"{name}={value}" for name, value in given_options)))
    ours = hop_of(alias, options_for(alias, {name.lower(): value for name, value in given_options}, [str(file)]))
    return theirs, ours


def only_asked(hop):
    """Without ids that OpenSSH tries by default and paramiko cannot use, and defaults of the distribution."""
    ids = tuple(path for path in hop.identity_files if "/id_" not in path)
    return (hop.hostname, hop.user, hop.port, hop.proxy_jump, hop.proxy_command, hop.known_as, ids, hop.identities_only)


@needs_ssh
def test_a_configuration_with_everything(tmp_path):
    (tmp_path / "one.conf").write_text("User fromone\nHost b*\n  Port 2201\nHost *\n  HostKeyAlias always\n")
    (tmp_path / "two.conf").write_text(
        "Match user root host 10.*\n  IdentityFile ~/.ssh/two\nIdentityFile %d/three-%h-%r\n"
    )
    file = tmp_path / "config"
    file.write_text(
        f'# comment\nHost web1 "web 2" !web3\n  HostName=10.0.0.%h\n  User = root\n'
        f"Host bastion\n Include {tmp_path}/one.conf\n  ProxyCommand nc %h %p\n"
        f"Include {tmp_path}/t*.conf\nMatch all\n  Port 99\n  ProxyJump bastion,other:22\nHost *\n  IdentitiesOnly yes\n"
    )
    for alias in ("web1", "web3", "bastion", "other", "10.0.0.1"):
        for options in ((), (("User", "root"),), (("Port", "7"), ("ProxyJump", "x"), ("IdentityFile", "/mine"))):
            theirs, ours = hops(file, alias, options)
            assert only_asked(ours) == only_asked(theirs), (alias, options)


PATTERNS = st.lists(st.sampled_from(["*", "a", "b", "a*", "!a", "?", "!b*", "10.0.0.*"]), min_size=1, max_size=3)
OPTIONS = st.sampled_from(
    [
        "User u1",
        "User u2",
        "Port 1",
        "Port 2",
        "HostName 10.0.0.1",
        "HostName h-%h",
        "ProxyJump j1",
        "ProxyJump none",
        "ProxyCommand c %h",
        "ProxyCommand none",
        "IdentityFile /k1",
        "IdentityFile /k2",
        "HostKeyAlias x",
    ]
)
CRITERIA = st.sampled_from(
    [
        "all",
        "host a*",
        "originalhost b",
        "user u1",
        "user !u1,*",
        "host 10.0.0.* user u2",
        "!originalhost a",
        "localuser nobodyhere",
    ]
)
BLOCK = st.one_of(
    st.tuples(PATTERNS, st.lists(OPTIONS, max_size=3)).map(lambda b: [f"Host {' '.join(b[0])}", *b[1]]),
    st.tuples(CRITERIA, st.lists(OPTIONS, max_size=3)).map(lambda b: [f"Match {b[0]}", *b[1]]),
    st.lists(OPTIONS, max_size=2),
)


@needs_ssh
@settings(max_examples=60, deadline=None)
@given(
    st.lists(BLOCK, max_size=4),
    st.lists(BLOCK, max_size=3),
    st.integers(0, 6),
    st.sampled_from(["a", "b", "ab", "10.0.0.9"]),
)
def test_our_reader_says_what_openssh_says(tmp_path_factory, blocks, included, position, alias):
    folder = tmp_path_factory.mktemp("config")
    (folder / "more").write_text("\n".join(line for block in included for line in block) + "\n")
    lines = [line for block in blocks for line in block]
    lines.insert(min(position, len(lines)), f"Include {folder}/more")
    (folder / "config").write_text("\n".join(lines) + "\n")
    theirs, ours = hops(folder / "config", alias)
    assert only_asked(ours) == only_asked(theirs), "\n".join(lines)


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path):
    file = tmp_path / "config"
    file.write_text("User root\n???\n")
    with pytest.raises(ValueError, match=rf"{file}:2"):
        options_for("a", {}, [str(file)])
    file.write_text(f"Include {file}\n")
    with pytest.raises(ValueError, match="too deep"):
        options_for("a", {}, [str(file)])


def test_tokens_paths_and_defaults(monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("MY_AGENT", "/run/mine")
    hop = hop_of("web1", {"hostname": ["%h.lab"], "user": ["root"], "identityfile": ["~/k-%n-%%-%r", "none", "/k/%p"]})
    assert hop.hostname == "web1.lab" and hop.port == 22
    assert hop.identity_files == (f"{HOME}/k-web1-%-root", "/k/22")
    assert hop.known_hosts[0] == f"{HOME}/.ssh/known_hosts" and "/etc/ssh/ssh_known_hosts" in hop.known_hosts
    assert hop.user_known_hosts[0] == f"{HOME}/.ssh/known_hosts"
    assert hop.identity_agent == "/run/agent" and not hop.accept_new
    assert hop_of("a", {"identityagent": ["none"]}).identity_agent == ""
    assert hop_of("a", {"identityagent": ["$MY_AGENT"]}).identity_agent == "/run/mine"
    assert hop_of("a", {"identityagent": ["~/x"]}).identity_agent == f"{HOME}/x"
    assert hop_of("a", {"stricthostkeychecking": ["accept-new"]}).accept_new
    assert hop_of("a", {"proxycommand": ["nc -X %h %p %%"]}).proxy_command == "nc -X a 22 %"


def test_an_address_that_looks_like_an_option_is_none():
    with pytest.raises(HostUnreachable, match="is no address"):
        route(SshTarget("server1", "-oProxyCommand=touch evil"))
    with pytest.raises(HostUnreachable, match="is no address"):
        route(SshTarget("server1", "10.0.0.1", proxy_jump="-oProxyCommand=x"))


@needs_ssh
def test_jump_hosts_as_they_are_written():
    target = SshTarget(
        "server1", "10.0.0.4", "root", proxy_jump="ann@b1:2201, ssh://[fd00::2]:2202,[fd00::3],fd00::4,b4"
    )
    me = pwd.getpwuid(os.getuid()).pw_name
    found = [(hop.user.replace(me, ""), hop.hostname, hop.port) for hop in route(target)[:-1]]
    assert found == [
        ("ann", "b1", 2201),
        ("", "fd00::2", 2202),
        ("", "fd00::3", 22),
        ("", "fd00::4", 22),
        ("", "b4", 22),
    ]
