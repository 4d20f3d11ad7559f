"""A real Docker Engine inside a throw-away host. It ends with the host."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from netcompose.transports.sandbox import Sandbox

#: In the throw-away host: a file system of its own, so that nothing of the engine is in the folders that are compared.
ROOT = "/mnt"
SOCKET = f"unix://{ROOT}/docker.sock"
#: An image of links into /usr, which containers mount from the host.
IMAGE = "host-programs"

_PROGRAMS = ("dockerd", "containerd", "docker", "docker-compose", "iptables", "busybox")
_CGROUPS = Path("/sys/fs/cgroup")
_numbers = itertools.count()


def lacking() -> str:
    """Why there can be no engine here; empty if there can."""
    missing = [program for program in _PROGRAMS if not shutil.which(program)]
    if missing:
        return f"not installed: {', '.join(missing)} (packages docker.io, docker-compose, iptables, busybox-static)"
    return "" if os.geteuid() == 0 else "a Docker Engine needs root"


class Engine:
    """``dockerd`` in ``host``: a context manager. Images come from no registry: a container has the host's /usr."""

    def __init__(self, host: Sandbox, *options: str) -> None:
        """``options`` are more of the daemon's own."""
        self.host = host
        self.options = options
        self.cgroup = f"netcompose-test-{os.getpid()}-{next(_numbers)}"
        self._daemon: subprocess.Popen[Any] | None = None

    def __enter__(self) -> Engine:
        self.host.run(["mount", "-t", "tmpfs", "engine", ROOT], check=True)
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """The processes end with the host; control groups are the machine's and have to be removed by hand."""
        if self._daemon is not None:
            self.host.close()
            self._daemon.wait(30)
        end = time.monotonic() + 10
        for folder in _CGROUPS.glob(f"**/{self.cgroup}"):
            for inner in [path for path, _, _ in os.walk(folder, topdown=False)]:
                while Path(inner).exists() and time.monotonic() < end:
                    # Busy until the kernel is done with the last process in it.
                    with contextlib.suppress(OSError):
                        os.rmdir(inner)

    def start(self, *options: str) -> None:
        """Start the daemon with IPv6 rules, which later versions have switched on by themselves; ``options`` are more
        of its own."""
        # A file, not a pipe: nobody reads what it says while all goes well, and a full pipe would stop it.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the daemon runs)
        with open(os.devnull, "wb") as nowhere:
            self._daemon = self.host.popen(
                f"dockerd --host {SOCKET} --pidfile {ROOT}/pid --data-root {ROOT}/data --exec-root {ROOT}/exec "
                "--log-level error --experimental --ip6tables --exec-opt native.cgroupdriver=cgroupfs "
                f"--cgroup-parent /{self.cgroup} {' '.join((*self.options, *options))}".split(),
                stdout=nowhere,
                stderr=self._said,
            )
        end = time.monotonic() + 30
        while self.docker("version", check=False).returncode != 0:
            if self._daemon.poll() is not None or time.monotonic() > end:
                self._said.seek(0)
                said = self._said.read().decode(errors="replace")
                raise AssertionError(f"dockerd did not start:\n{said[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the daemon as a service manager does, and wait for its end; its rules stay."""
        assert self._daemon is not None
        pid = self.host.run(["cat", f"{ROOT}/pid"], check=True).stdout.strip()
        self.host.run(["kill", pid], check=True)
        self._daemon.wait(30)
        self._daemon = None

    def docker(self, *argv: str, check: bool = True, **options: Any) -> CompletedProcess[str]:
        """The docker command line."""
        return self._run(["docker", "--host", SOCKET, *argv], check, **options)

    def compose(self, file: str, *argv: str) -> CompletedProcess[str]:
        """Docker Compose, for one file."""
        options = {"env": {"DOCKER_HOST": SOCKET}, "timeout": 120.0}
        return self._run(["docker-compose", "--project-name", "differential", "--file", file, *argv], True, **options)

    def _run(self, argv: list[str], check: bool, **options: Any) -> CompletedProcess[str]:
        done = self.host.run(argv, **options)
        assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def make_image(self) -> None:
        """An image of nothing but links into /usr, which containers mount from the host."""
        script = """
            set -e
            mkdir -p image/usr image/tmp image/etc; cd image
            for name in bin sbin lib lib64; do if [ -e /$name ]; then ln -s usr/$name $name; fi; done
            echo 'hosts: files dns' >etc/nsswitch.conf
            tar -c . | docker --host "$1" import - "$2"
        """
        self._run(["sh", "-c", script, "sh", SOCKET, IMAGE], True, cwd=ROOT)
