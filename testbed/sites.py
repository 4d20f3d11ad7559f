"""Several throw-away hosts on one segment, each with its own sshd, and a controller that has nothing but keys.

    def test_something(make_site):
        site = make_site(2)
        site.netcompose("-f", file, "up")

The controller is a throw-away host as well: it has the segment's bridge, so that a cable can be cut, and its own
home, so that no file of the machine's user is read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess
from types import TracebackType
from typing import Any

from netcompose.transports.sandbox import Sandbox

#: The controller has .1, the hosts .11, .12, ...
NETWORK = "10.99.0"
NETCOMPOSE = [sys.executable, "-m", "netcompose"]
_SBIN = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])

_SSHD = """\
Port {port}
HostKey {folder}/hostkey
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
PrintMotd no
UseDNS no
AcceptEnv LANG LC_*
"""


#: Runs what follows ``python`` inside a host, as :func:`interpreter` does.
Python = Callable[..., "CompletedProcess[str]"]


def interpreter(host: Sandbox, *argv: str, **options: Any) -> CompletedProcess[str]:
    """A real start of Python inside a host."""
    return host.run([sys.executable, *argv], **options)


def program(name: str) -> str:
    """The absolute path of a program, which sshd wants to be called by."""
    path = shutil.which(name, path=_SBIN)
    assert path is not None, f"{name} is not installed"
    return path


def keygen(path: Path, *options: str, kind: str = "ed25519") -> str:
    """A new key pair; the public key."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", path.name, *options, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=DEVNULL)
    return path.with_name(path.name + ".pub").read_text()


def make_keys(folder: Path, hosts: int) -> None:
    """The key pairs of the controller's user and of so many hosts."""
    for name in ("user", *(f"host{number}" for number in range(1, hosts + 1))):
        keygen(folder / name)


def wait_until(condition: Any, seconds: float = 10.0) -> Any:
    """The condition's value as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)
    return value


class Host:
    """A throw-away host with sshd. ``options`` are further lines of its sshd_config."""

    def __init__(self, name: str, address: str, folder: Path, *, port: int = 22, options: str = "") -> None:
        self.name = name
        self.address = address
        self.port = port
        self.folder = folder
        self.sandbox = Sandbox(name)
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        (folder / "sshd_config").write_text(_SSHD.format(port=port, folder=folder) + options)
        self._sshd: subprocess.Popen[Any] | None = None

    def run(self, *argv: str, check: bool = True, **options: Any) -> str:
        """A command on the host, not over SSH; its output."""
        done = self.sandbox.run(argv, **options)
        assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    def shell(self, script: str) -> str:
        """Lines of sh on the host, each of which has to succeed."""
        return self.run("sh", "-ec", textwrap.dedent(script))

    def start_sshd(self) -> None:
        """Start sshd and wait until it listens."""
        self.shell("mkdir -p /run/sshd; chmod 755 /run/sshd")
        with open(self.folder / "sshd.log", "ab") as log:
            argv = [program("sshd"), "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self._sshd = self.sandbox.popen(
                argv, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        wait_until(lambda: f":{self.port} " in self.run("ss", "-Htln"))

    @contextlib.contextmanager
    def sshd_stands_still(self) -> Iterator[None]:
        """Stop sshd, sessions included; the host's kernel goes on to acknowledge what comes."""
        self.run("pkill", "-STOP", "-x", "sshd")
        try:
            yield
        finally:
            self.run("pkill", "-CONT", "-x", "sshd", check=False)
            # nsenter(1) stands still along with what it started, and would reap nothing when the host ends.
            self._sshd.send_signal(signal.SIGCONT)

    def add_user(self, name: str, sudo: str = "") -> None:
        """A user with the keys of root, and a rule of sudoers(5) (``NOPASSWD: ALL``) if there is one."""
        home = self.folder / name
        home.mkdir()
        self.folder.chmod(0o755)
        home.chmod(0o777)
        self.shell(f"""
            echo '{name}:x:4711:4711::{home}:/bin/bash' >> /etc/passwd
            echo '{name}:x:4711:' >> /etc/group
            echo '{name}:*:19000:0:99999:7:::' >> /etc/shadow
        """)
        if sudo:
            self.shell(f"mkdir -p /etc/sudoers.d; echo '{name} ALL=(ALL) {sudo}' > /etc/sudoers.d/{name}")
            self.shell(f"chmod 440 /etc/sudoers.d/{name}")

    def agents(self) -> list[str]:
        """The process ids of agents on the host."""
        lines = self.run("ps", "-eo", "pid=,args=").splitlines()
        return [line.split()[0] for line in lines if " python3 -I -S " in f" {line.split(None, 1)[1]}"]


def _expected(done: CompletedProcess[str], status: int | None) -> CompletedProcess[str]:
    assert status is None or done.returncode == status, (
        f"{done.args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done


class Site:
    """``count`` hosts (``server1``, ``server2``, ...) and a controller that may log in to all of them as root.

    ``keys`` has a pair of each (``user``, ``user.pub``, ``host1`` ...), made once for all sites (:func:`make_keys`).
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        keys: Path,
        *,
        ports: Mapping[int, int] | None = None,
        python: Python | None = None,
    ) -> None:
        self.folder = folder
        self._python = python or interpreter
        self.controller = Sandbox("controller")
        self.home = folder / "controller"
        self.hosts: dict[str, Host] = {}
        self._keys = keys
        for number in range(1, count + 1):
            name = f"server{number}"
            port = (ports or {}).get(number, 22)
            self.hosts[name] = Host(name, f"{NETWORK}.{10 + number}", folder / name, port=port)

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def __enter__(self) -> Site:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        self.controller.start()
        ssh = self.home / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        for name in ("user", "user.pub"):
            shutil.copy(self._keys / name, ssh / name.replace("user", "id_ed25519"))
        self._at_home(self.controller, self.home)
        self.run("sh", "-ec", f"ip link add seg type bridge; ip addr add {NETWORK}.1/24 dev seg; ip link set seg up")
        for number, host in enumerate(self.hosts.values(), 1):
            host.sandbox.start()
            for suffix in ("", ".pub"):
                shutil.copy(self._keys / f"host{number}{suffix}", host.folder / f"hostkey{suffix}")
            shutil.copy(self._keys / "user.pub", host.folder / "authorized_keys")
            self._at_home(host.sandbox, host.home)
            host.shell("mount -t tmpfs -o mode=755 tmpfs /var/cache")
            self._plug(number, host)
            host.start_sshd()
        self.trust(*self.hosts)

    @staticmethod
    def _at_home(sandbox: Sandbox, home: Path) -> None:
        """root's home is a folder of the test, with bash as the shell; OpenSSH asks passwd for it, not $HOME."""
        line = f"root:x:0:0:root:{home}:/bin/bash"
        script = f"sed -i 's|^root:.*|{line}|' /etc/passwd; rm -rf /etc/ssh/ssh_config.d /etc/ssh/ssh_known_hosts"
        sandbox.run(["sh", "-ec", script], check=True)

    def _plug(self, number: int, host: Host) -> None:
        # The controller's network, but the machine's process ids.
        enter = ["nsenter", "--target", str(self.controller.pid), "--net"]
        make = ["ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0"]
        subprocess.run([*enter, *make, "netns", str(host.sandbox.pid)], check=True)
        self.run("sh", "-ec", f"ip link set port{number} master seg up")
        host.shell(f"""
            echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
            ip addr add {host.address}/24 dev eth0
            ip link set eth0 up
        """)

    def trust(self, *names: str) -> None:
        """Write the host keys of hosts, and of no others, to the controller's known_hosts."""
        lines = []
        for name in names:
            host = self.hosts[name]
            where = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
            lines.append(f"{where} {(host.folder / 'hostkey.pub').read_text()}")
        self.known_hosts.write_text("".join(lines))

    @property
    def known_hosts(self) -> Path:
        """The controller's file."""
        return self.home / ".ssh" / "known_hosts"

    def write_config(self, text: str) -> None:
        """The controller's ~/.ssh/config."""
        (self.home / ".ssh" / "config").write_text(textwrap.dedent(text))

    def run(self, *argv: str, status: int | None = 0, **options: Any) -> CompletedProcess[str]:
        """A command on the controller, which has to end with ``status`` (None: with any), at home."""
        return _expected(self.controller.run(argv, env=self.environment(options.pop("env", None)), **options), status)

    def netcompose(self, *argv: str, status: int | None = 0, **options: Any) -> CompletedProcess[str]:
        """The command line on the controller; no traceback, whatever is asked."""
        done = self._run_python("-m", "netcompose", *argv, status=status, **options)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def python(self, code: str, *argv: str, status: int | None = 0, **options: Any) -> CompletedProcess[str]:
        """Python on the controller, with the package."""
        return self._run_python("-c", textwrap.dedent(code), *argv, status=status, **options)

    def _run_python(self, *argv: str, status: int | None, **options: Any) -> CompletedProcess[str]:
        done = self._python(self.controller, *argv, **{**options, "env": self.environment(options.get("env"))})
        return _expected(done, status)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Of what runs on the controller: its own home, no SSH agent."""
        return {"HOME": str(self.home), "SSH_AUTH_SOCK": "", **(more or {})}

    def document(self, names: Iterable[str] = (), **more: str) -> str:
        """The ``hosts:`` of a topology for some of the hosts (all: none named), with more keys for each."""
        lines = ["hosts:"]
        for name in names or self.hosts:
            host = self.hosts[name]
            keys = {"address": host.address, "user": "root", **({"port": str(host.port)} if host.port != 22 else {})}
            keys |= more
            lines.append(f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}")
        return "\n".join(lines) + "\n"

    def cut(self, name: str) -> None:
        """Take the cable of a host out, at the controller's side: packets are lost, nobody is told."""
        self.run("ip", "link", "set", self._port(name), "down")

    def heal(self, name: str) -> None:
        """Put it back."""
        self.run("ip", "link", "set", self._port(name), "up")

    def _port(self, name: str) -> str:
        return f"port{list(self.hosts).index(name) + 1}"

    def sshd_kill(self, name: str) -> None:
        """End sshd on a host, sessions included, as kill -9 does."""
        self.hosts[name].run("pkill", "-KILL", "-x", "sshd", check=False)

    def close(self) -> None:
        """End everything."""
        for host in self.hosts.values():
            with contextlib.suppress(Exception):
                host.sandbox.close()
        self.controller.close()
