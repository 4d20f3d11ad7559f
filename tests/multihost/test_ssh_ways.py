"""Every way to a host that ssh(1) would go as well."""

from __future__ import annotations

import contextlib
import sys
from subprocess import DEVNULL

import pytest
from ssh_support import contact
from testbed.sites import keygen, program, wait_until


@pytest.fixture
def site(make_site):
    return make_site(1)


NAMES = "print(ssh.connect(ssh.SshTarget('server1', sys.argv[1])).observe('lab').facts.hostname)"


def test_a_port_and_a_hashed_known_hosts_file(make_site):
    site = make_site(1, ports={1: 2222})
    site.run("ssh-keygen", "-q", "-H", "-f", str(site.known_hosts))
    assert "10.99.0.11" not in site.known_hosts.read_text()
    code = "print(ssh.connect(ssh.SshTarget('server1', '10.99.0.11', port=2222)).hello()['version'])"
    assert contact(site, code).stdout == "0.1.0\n"


def test_a_port_that_the_topology_names_counts_even_if_it_is_the_usual_one(site):
    site.write_config("Host *\n  Port 2222\n")
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\nhosts: {server1: {address: 10.99.0.11, user: root}}\n")
    said = site.netcompose("-f", str(file), "ps", status=7).stderr
    assert "host server1: nothing listens on 10.99.0.11 port 2222" in said
    file.write_text(file.read_text().replace("user: root", "user: root, port: 22"))
    site.netcompose("-f", str(file), "ps")


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
    # A start of its own: a fork has everything.
    assert site.run(sys.executable, "-c", code).stdout.splitlines()[-1] == "False"
