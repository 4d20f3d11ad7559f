"""What a person sees when a host cannot be worked on: which host, what is wrong, what to do. Every one over a real sshd."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from testbed.sites import keygen, wait_until

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJVnaMl+QSDp/oJkY1ZqI4MMHlRDR0SyCTnNdyzWDRVs"


@pytest.fixture
def site(make_site):
    return make_site(1)


def hosts(site, *options, status, **keys):
    """``netcompose hosts`` for server1; where it cannot end well, ``ps``, which has to end with ``status``: what either
    says, the one on stdout, the other on stderr."""
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document(**keys))
    done = site.netcompose("-f", str(file), *options, "ps" if status else "hosts", status=status, timeout=60)
    return done.stdout if status == 0 else done.stderr


def reached(text):
    """True if ``hosts`` says so of server1."""
    line = next(line for line in text.splitlines() if line.startswith("server1"))
    return line.split()[2] == "yes"


def fingerprint(path):
    done = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def programs(site, *names):
    """A PATH on server1 with these programs alone, for root and everybody else, set by the login shell."""
    folder = site["server1"].folder / "bin"
    folder.mkdir(mode=0o755)
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    for home in (site["server1"].home, site["server1"].folder / "lab"):
        if home.exists():
            (home / ".bashrc").write_text(f"export PATH={folder}\n")
    return folder


def test_all_is_well(site):
    assert reached(hosts(site, status=0))


def test_nothing_listens(site):
    site.sshd_kill("server1")
    said = hosts(site, status=7)
    assert "host server1: nothing listens on 10.99.0.11 port 22 (connection refused)" in said
    assert "hint: is sshd running there" in said


def test_no_answer(site):
    site.cut("server1")
    start = time.monotonic()
    said = hosts(site, status=7, connect_timeout="1s")
    assert time.monotonic() - start < 6
    assert "host server1: no answer from 10.99.0.11 port 22 within 1 s" in said and "ssh root@10.99.0.11" in said


def test_no_route(site):
    site.run("ip", "route", "add", "unreachable", "10.99.0.11")
    assert "host server1: 10.99.0.11 port 22 cannot be reached: No route to host" in hosts(site, status=7)


def test_a_name_that_nobody_knows(site):
    said = hosts(site, status=7, address="nosuchhost.invalid")
    assert "host server1: the name nosuchhost.invalid is not known" in said and "`address:`" in said


def test_something_else_than_ssh_answers(site):
    code = "import socket; s = socket.create_server(('', 25)); print('up', flush=True)\nwhile 1:\n c, _ = s.accept(); "
    for speak in ("c.sendall(b'220 mail\\r\\n' * 200); c.close()", "c.close()"):
        server = site["server1"].sandbox.popen(
            [sys.executable, "-c", code + speak], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert server.stdout.readline() == "up\n"
        said = hosts(site, status=7, port="25")
        assert "host server1: what answers on 10.99.0.11 port 25 does not speak SSH" in said
        site["server1"].run("pkill", "-KILL", "-f", "create_server")
        server.wait(10)
        server.stdout.close()


def test_a_server_that_never_says_a_word(site):
    site.run("ip", "addr", "add", "10.99.0.77/32", "dev", "lo")
    code = "import socket, time; s = socket.create_server(('10.99.0.77', 22)); print('up', flush=True); time.sleep(100)"
    server = site.controller.popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "up\n"
    start = time.monotonic()
    said = hosts(site, status=7, address="10.99.0.77", connect_timeout="1s")
    assert "host server1: no answer from 10.99.0.77 port 22 within 1 s" in said
    assert time.monotonic() - start < 6
    server.kill()
    server.wait(10)
    server.stdout.close()


def test_a_key_that_is_not_known_is_shown_and_accepted_when_told(site):
    site.trust()
    print_ = fingerprint(site["server1"].folder / "hostkey.pub")
    said = hosts(site, status=7)
    assert f"host server1: 10.99.0.11 port 22 shows a host key that is not known: ssh-ed25519 {print_}" in said
    assert "--accept-new-host-keys" in said and "ssh-keygen -lf" in said
    assert site.known_hosts.read_text() == ""
    site.known_hosts.unlink()
    hosts(site, "--accept-new-host-keys", status=0)
    assert site.known_hosts.stat().st_mode & 0o777 == 0o600
    # OpenSSH reads what was written, and so do we.
    assert site.run("ssh", "-o", "BatchMode=yes", "root@10.99.0.11", "echo in").stdout == "in\n"
    hosts(site, status=0)


def test_hosts_says_what_to_do_about_each_host(site):
    site.trust()
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document())
    said = site.netcompose("-f", str(file), "hosts", status=7).stdout
    assert "  not reached: 10.99.0.11 port 22 shows a host key that is not known: ssh-ed25519 SHA256:" in said
    assert "  hint: compare it with `ssh-keygen -lf" in said and "--accept-new-host-keys" in said
    (row,) = json.loads(site.netcompose("-f", str(file), "hosts", "--output", "json", status=7).stdout)
    assert not row["reachable"] and "--accept-new-host-keys" in row["hint"]


def test_a_key_that_has_changed_is_refused_even_when_new_ones_are_accepted(site):
    site.known_hosts.write_text(f"# mine\n10.99.0.11 {OTHER_KEY}\n")
    before = site.known_hosts.read_bytes()
    for option in ([], ["--accept-new-host-keys"]):
        said = hosts(site, *option, status=7)
        assert "host server1: 10.99.0.11 port 22 shows another host key than the known one" in said
        assert f"{site.known_hosts}:2" in said and fingerprint(site["server1"].folder / "hostkey.pub") in said
        assert "ssh-keygen -R '10.99.0.11'" in said
    site.write_config("Host *\n  StrictHostKeyChecking no\n")
    assert "another host key" in hosts(site, status=7)
    assert site.known_hosts.read_bytes() == before


def test_a_revoked_key(site):
    site.known_hosts.write_text(f"@revoked * {(site['server1'].folder / 'hostkey.pub').read_text()}")
    said = hosts(site, "--accept-new-host-keys", status=7)
    assert "revokes" in said and f"{site.known_hosts}:1" in said


def test_a_known_hosts_that_cannot_be_written(site):
    site.trust()
    site.write_config("Host *\n  UserKnownHostsFile /proc/nothing/known_hosts\n")
    assert "its key cannot be written to /proc/nothing/known_hosts" in hosts(site, "--accept-new-host-keys", status=7)


def test_a_login_that_is_refused_names_the_keys_that_were_tried(site):
    key = site.home / ".ssh" / "id_ed25519"
    site["server1"].folder.joinpath("authorized_keys").write_text("")
    said = hosts(site, status=7)
    assert "host server1: root@10.99.0.11 port 22 does not let you log in" in said
    assert f"tried: {key} {fingerprint(key)}" in said
    assert "authorized_keys" in said and "ssh root@10.99.0.11" in said
    keygen(key.with_name("locked"), "-N", "secret")
    said = hosts(site, status=7, identity_file=str(key.with_name("locked")))
    assert f"{key.with_name('locked')} needs a passphrase: ssh-add {key.with_name('locked')}" in said
    key.unlink()
    said = hosts(site, status=7)
    assert "there is no key to try" in said and "ssh-keygen" in said and "`identity_file:`" in said


def test_a_user_that_is_not_there(site):
    said = hosts(site, status=7, user="nobodyhere")
    assert "host server1: nobodyhere@10.99.0.11 port 22 does not let you log in" in said and "is the user right" in said


def test_an_identity_file_that_is_no_key(site):
    (site.home / "junk").write_text("junk\n")
    (site.home / ".ssh" / "id_ed25519").unlink()
    said = hosts(site, status=7, identity_file=str(site.home / "junk"))
    assert f"{site.home / 'junk'} is no private key that can be read" in said


def test_a_server_that_takes_no_keys(make_site):
    site = make_site(1)
    config = site["server1"].folder / "sshd_config"
    text = config.read_text().replace(
        "PasswordAuthentication no", "PasswordAuthentication yes\nPubkeyAuthentication no"
    )
    config.write_text(text)
    site.sshd_kill("server1")
    site["server1"].start_sshd()
    said = hosts(site, status=7)
    assert "does not let you log in" in said and "it accepts: password" in said and "with keys alone" in said


def test_too_many_keys_for_the_server(make_site):
    site = make_site(1)
    config = site["server1"].folder / "sshd_config"
    config.write_text(config.read_text() + "MaxAuthTries 2\n")
    site.sshd_kill("server1")
    site["server1"].start_sshd()
    for name in ("a", "b", "c"):
        keygen(site.home / ".ssh" / name)
    site.write_config("Host *\n" + "".join(f"  IdentityFile {site.home}/.ssh/{name}\n" for name in "abc"))
    said = hosts(site, status=7)
    assert "does not let you log in" in said and "the server ended the connection" in said


def test_no_python3(site):
    programs(site, "env", "true", "sh", "bash")
    said = hosts(site, status=1)
    assert "host server1: there is no python3" in said and "install Python 3.9" in said


def old_python():
    for path in (shutil.which("python3.8"), *sorted(Path.home().glob(".pyenv/versions/3.[5-8].*/bin/python3"))):
        if path and subprocess.run([str(path), "-c", ""], capture_output=True).returncode == 0:
            return str(path)
    return None


def test_a_python3_that_is_too_old(site):
    python = old_python()
    if python is None:
        pytest.skip("no Python older than 3.9 is installed")
    programs(site, "env", "true").joinpath("python3").symlink_to(python)
    said = hosts(site, status=1)
    assert "host server1: its python3 is 3." in said and "the agent needs 3.9 or newer" in said


def test_a_user_that_is_not_root(site):
    site["server1"].add_user("lab")
    said = hosts(site, status=1, user="lab")
    assert "host server1: lab is not root there (user id 4711)" in said and "`become: sudo`" in said


@pytest.mark.parametrize("option", ["", "use_pty", "log_output"])
def test_sudo_gives_root(site, option):
    site["server1"].add_user("lab", sudo="NOPASSWD: ALL")
    if option:
        site["server1"].shell(f"echo 'Defaults {option}' > /etc/sudoers.d/more; chmod 440 /etc/sudoers.d/more")
    assert reached(hosts(site, status=0, user="lab", become="sudo"))
    wait_until(lambda: not site["server1"].agents())


def test_sudo_that_wants_a_terminal(site):
    site["server1"].add_user("lab", sudo="NOPASSWD: ALL")
    site["server1"].shell("echo 'Defaults requiretty' > /etc/sudoers.d/more; chmod 440 /etc/sudoers.d/more")
    said = hosts(site, status=1, user="lab", become="sudo")
    assert "host server1: sudo works only on a terminal there" in said and "Defaults:lab !requiretty" in said


def test_a_server_with_too_many_connections_is_tried_again(site):
    config = site["server1"].folder / "sshd_config"
    config.write_text(config.read_text() + "MaxStartups 1\n")
    site.sshd_kill("server1")
    site["server1"].start_sshd()
    # One that does not log in, for as long as a busy moment lasts.
    code = "import socket, time; s = socket.create_connection(('10.99.0.11', 22)); s.recv(9); print(1, flush=True); time.sleep({})"
    for seconds in (0.8, 60):
        other = site.controller.popen([sys.executable, "-c", code.format(seconds)], stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "1\n"
        if seconds < 1:
            assert reached(hosts(site, status=0))
        else:
            assert "(MaxStartups)" in hosts(site, status=7)
        site.run("pkill", "-KILL", "-f", "create_connection", status=None)
        other.wait(10)
        other.stdout.close()


def test_a_name_with_an_address_that_is_silent_and_one_that_answers(site):
    site.run("sh", "-c", "printf '10.99.0.200 two\n10.99.0.11 two\n' >> /etc/hosts")
    site.known_hosts.write_text(site.known_hosts.read_text().replace("10.99.0.11", "two"))
    start = time.monotonic()
    assert reached(hosts(site, status=0, address="two", connect_timeout="4s"))
    assert time.monotonic() - start < 8


def test_no_sudo(site):
    site["server1"].add_user("lab")
    programs(site, "env", "true", "python3")
    said = hosts(site, status=1, user="lab", become="sudo")
    assert "host server1: there is no sudo, and `become: sudo` asks for it" in said and "`user: root`" in said


def test_sudo_that_wants_a_password(site):
    site["server1"].add_user("lab", sudo="ALL")
    said = hosts(site, status=1, user="lab", become="sudo")
    assert "host server1: sudo wants a password of lab" in said and "lab ALL=(ALL) NOPASSWD: ALL" in said


def test_sudo_that_allows_something_else(site):
    site["server1"].add_user("lab", sudo="NOPASSWD: /usr/bin/true, /bin/true")
    said = hosts(site, status=1, user="lab", become="sudo")
    assert "host server1: sudo does not let lab run python3 as root" in said and "NOPASSWD: ALL" in said


def test_python3_missing_behind_sudo(site):
    site["server1"].add_user("lab", sudo="NOPASSWD: ALL")
    folder = site["server1"].folder / "few"
    folder.mkdir()
    (folder / "true").symlink_to("/usr/bin/true")
    site["server1"].shell(f"echo 'Defaults secure_path={folder}' > /etc/sudoers.d/path; chmod 440 /etc/sudoers.d/path")
    assert "host server1: there is no python3" in hosts(site, status=1, user="lab", become="sudo")


def test_a_login_shell_that_runs_nothing(site):
    site["server1"].add_user("lab")
    site["server1"].shell("sed -i '/^lab:/s|/bin/bash|/usr/sbin/nologin|' /etc/passwd")
    said = hosts(site, status=7, user="lab")
    assert "host server1: the login shell of lab runs no commands: This account is currently not available" in said


def test_a_login_shell_that_hangs(site):
    (site["server1"].home / ".bashrc").write_text("echo waiting; sleep 1000\n")
    code = """
        from netcompose.transports.ssh import connection
        connection.START_TIMEOUT = 2
        from netcompose.cli.main import main
        import sys
        sys.exit(main(sys.argv[1:]))
    """
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document())
    done = site.python(code, "-f", str(file), "ps", status=7, timeout=30)
    assert "host server1: the agent did not start within 2 s: waiting" in done.stderr, done.stderr


def test_a_full_disk_is_said_and_does_no_harm(site):
    site["server1"].shell(
        "mkdir -m 700 /var/cache/netcompose; mount -t tmpfs -o size=64k,mode=700 t /var/cache/netcompose"
    )
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document())
    for _ in range(2):
        done = site.netcompose("-f", str(file), "hosts")
        assert reached(done.stdout)
        assert "note: host server1: the agent cannot be kept there" in done.stderr
        assert "/var/cache/netcompose: No space left on device" in done.stderr
    assert site["server1"].run("ls", "-A", "/var/cache/netcompose") == ""


def test_a_cache_that_others_can_write_is_not_used(site):
    site["server1"].shell("mkdir /var/cache/netcompose; chmod 777 /var/cache/netcompose")
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document())
    assert "/var/cache/netcompose can be written by others" in site.netcompose("-f", str(file), "hosts").stderr
    assert site["server1"].run("ls", "-A", "/var/cache/netcompose") == ""


def test_ctrl_c_while_connecting_ends_at_once(site):
    site.cut("server1")
    file = site.folder / "topology.yaml"
    file.write_text("name: lab\n" + site.document(connect_timeout="60s"))
    script = f"timeout -s INT 1.5 {sys.executable} -m netcompose -f {file} hosts"
    start = time.monotonic()
    done = site.run("sh", "-c", script, status=None, timeout=60)
    assert time.monotonic() - start < 5
    assert done.stderr == "interrupted\n"
