"""The kernel and the file system that the virtual machines boot: built from Debian packages, kept in a cache.

Nothing is installed. The kernel's package and those of a small user land with everything that they depend on are
downloaded by apt (as the machine's own sources say), unpacked into a folder and packed as one uncompressed
initramfs (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). No step needs root. Maintainer scripts
do not run; the few things that they would have done are in ``_furnish``.

The cache is ``$XDG_CACHE_HOME/netcompose-tests`` (``~/.cache``). An image is named by a hash of everything in it: the
versions and hashes of the packages, this module, and the folder ``guest``. What changes is built anew, and the last
two images are kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import lzma
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
GUEST = HERE / "guest"

#: The kernel: the newest of these that the machine's apt knows (in Debian 12, 6.12 is an update, and 6.1 the default).
KERNELS = ("linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64")
#: Programs of the machines, and what a Debian system would have without asking ("Essential").
PACKAGES = (
    *("base-files", "base-passwd", "bash", "coreutils", "dash", "diffutils", "findutils", "grep", "gzip", "hostname"),
    *("libc-bin", "mawk", "mount", "passwd", "procps", "sed", "tar", "usr-is-merged", "util-linux"),
    *("kmod", "iproute2", "iputils-ping", "nftables", "iptables", "ethtool", "tcpdump", "iperf3", "curl"),
    *("bind9-dnsutils", "unbound", "openssh-server", "sudo"),
    *("python3", "python3-yaml", "python3-jinja2", "python3-jsonschema"),
)
#: Dependencies that only installing needs, never running.
_NOT_UNPACKED = {
    *("adduser", "debconf", "dpkg", "init-system-helpers", "libpam-runtime", "lsb-base", "perl-base", "runit-helper"),
    *("sensible-utils", "ucf", "usr-is-merged", "libsemanage-common", "netbase", "tzdata"),
}
_LEFT_OUT = (
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/lintian"),
    *("./usr/share/bash-completion", "./usr/share/zoneinfo", "./usr/share/perl5", "./usr/lib/systemd"),
    *(
        "./usr/lib/python3*/test",
        "./usr/lib/python3*/idlelib",
        "./usr/lib/python3*/lib2to3",
        "./usr/lib/python3*/ensurepip",
    ),
    *("./usr/lib/x86_64-linux-gnu/gconv", "./usr/share/i18n", "./lib/systemd", "./usr/share/python3"),
)
#: Parts of the kernel's modules that a network test can want; all others are devices that the machines do not have.
_MODULES = re.compile(
    r"kernel/(net/|lib/|crypto/|arch/x86/crypto/|fs/overlayfs/|drivers/block/loop|drivers/char/hw_random/virtio"
    r"|drivers/virtio/|drivers/net/(?!ethernet/|hyperv/|wireless/|fddi/|phy/|mdio/|usb/|wan/|can/|vmxnet3/))"
)
#: Users that the maintainer scripts would have made: name, number, home.
_USERS = (("sshd", 101, "/run/sshd"), ("unbound", 102, "/var/lib/unbound"), ("tcpdump", 103, "/nonexistent"))

_TIMEOUT = 300.0


class NoImage(Exception):
    """There can be no image here; the reason."""


@dataclass(frozen=True)
class Image:
    """What QEMU boots, the kernel's release, and the seconds that building it took (0: it was in the cache)."""

    kernel: str
    initrd: str
    release: str
    seconds: float

    @property
    def size(self) -> int:
        """Bytes of the initramfs."""
        return os.path.getsize(self.initrd)


def image() -> Image:
    """The image of this recipe, from the cache or built now. Raises ``NoImage``."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "netcompose-tests"
    for program in ("apt-get", "dpkg-deb", "tar"):
        if not shutil.which(program):
            raise NoImage(f"virtual machines are built from Debian packages, and there is no {program} here")
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        # One builds, the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = Packages(cache)
        folder = cache / f"image-{_key(packages)}"
        seconds = 0.0
        if not folder.exists():
            start = time.monotonic()
            _build(packages, folder)
            seconds = time.monotonic() - start
        os.utime(folder)
        _forget(cache, keep=2)
        about = json.loads((folder / "about.json").read_text())
        return Image(str(folder / "vmlinuz"), str(folder / "initrd"), about["release"], seconds)


def _key(packages: Packages) -> str:
    digest = hashlib.sha256(packages.listing().encode())
    for path in [Path(__file__), *sorted(GUEST.iterdir())]:
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _forget(cache: Path, keep: int) -> None:
    images = sorted(cache.glob("image-*"), key=lambda path: path.stat().st_mtime)
    for old in [*images[:-keep], *cache.glob("building-*")]:
        shutil.rmtree(old, ignore_errors=True)


class Packages:
    """apt's answers and downloads, as for a machine on which nothing is installed. Files are kept in the cache."""

    def __init__(self, cache: Path) -> None:
        self.archives = cache / "debs"
        (self.archives / "partial").mkdir(parents=True, exist_ok=True)
        nothing = cache / "nothing-installed"
        nothing.touch()
        self._options = {
            "Dir::State::status": nothing,
            "Dir::Cache::archives": self.archives,
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Install-Recommends": "false",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            # Neither dpkg nor the folders of the machine are written to.
            "Debug::NoLocking": "true",
            "APT::Sandbox::User": "",
        }
        self._lists = cache / "lists"
        self.kernel = self._kernel()

    def _apt(self, *argv: str) -> str:
        options = [word for key, value in self._options.items() for word in ("-o", f"{key}={value}")]
        done = subprocess.run([argv[0], *options, *argv[1:]], capture_output=True, text=True, timeout=_TIMEOUT)
        if done.returncode != 0:
            raise NoImage(f"{' '.join(argv[:2])} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _kernel(self) -> str:
        """The package with the kernel itself, of which the well-known name is only a dependency."""
        for attempt in range(2):
            for name in KERNELS:
                with contextlib.suppress(NoImage):
                    for line in self._apt("apt-cache", "depends", name).splitlines():
                        if match := re.fullmatch(r"\s*Depends: (linux-image-\S+)", line):
                            return match[1]
            if attempt == 0:
                self._update()
        raise NoImage(f"apt knows none of {', '.join(KERNELS)}")

    def _update(self) -> None:
        """Lists of our own, where the machine's are missing or too old to download by."""
        (self._lists / "partial").mkdir(parents=True, exist_ok=True)
        self._options["Dir::State::lists"] = self._lists
        self._apt("apt-get", "update", "-q")

    def listing(self) -> str:
        """Everything to download: one line each, with its name, size and hash."""
        with tempfile.TemporaryDirectory() as empty:
            # An archive that is there already would be left out of the answer.
            os.mkdir(f"{empty}/partial")
            listed = self._apt(
                "apt-get", "install", "--print-uris", "-qq", "-y", "-o", f"Dir::Cache::archives={empty}", *PACKAGES
            )
        lines = [" ".join(line.split()[1:]) for line in listed.splitlines() if line.startswith("'")]
        return "\n".join([self.kernel, *sorted(lines)])

    def download(self) -> tuple[Path, list[Path]]:
        """The kernel's package, and all others."""
        try:
            self._download()
        except NoImage:
            self._update()
            self.kernel = self._kernel()
            self._download()
        wanted = [line.split()[0] for line in self.listing().splitlines()[1:]]
        (kernel,) = self.archives.glob(f"{self.kernel}_*.deb")
        for path in self.archives.glob("*.deb"):
            if path.name not in wanted and path != kernel:
                path.unlink()
        return kernel, [self.archives / name for name in wanted]

    def _download(self) -> None:
        self._apt("apt-get", "install", "-d", "-qq", "-y", *PACKAGES)
        if not list(self.archives.glob(f"{self.kernel}_*.deb")):
            with _inside(self.archives):
                self._apt("apt-get", "download", "-qq", self.kernel)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """apt-get download writes to the current folder and knows no option for it."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _build(packages: Packages, folder: Path) -> None:
    kernel, others = packages.download()
    with tempfile.TemporaryDirectory(prefix="building-", dir=folder.parent) as work:
        tree, result = Path(work, "tree"), Path(work, "image")
        result.mkdir()
        tree.mkdir()
        # Everything is below /usr, as on an installed system.
        for name in ("bin", "sbin", "lib", "lib64"):
            (tree / "usr" / name).mkdir(parents=True)
            (tree / name).symlink_to(f"usr/{name}")
        for package in others:
            if package.name.partition("_")[0] not in _NOT_UNPACKED:
                _unpack(package, tree, [f"--exclude={path}" for path in _LEFT_OUT])
        release = _unpack_kernel(kernel, tree, result)
        _furnish(tree)
        _run_inside(tree, "usr/bin/kmod", "depmod", "-b", str(tree), release)
        _compile_python(tree)
        with open(result / "initrd", "wb") as file:
            _write_cpio(tree, file)
        (result / "about.json").write_text(json.dumps({"release": release}))
        result.rename(folder)


def _unpack(package: Path, tree: Path, options: Sequence[str] = ()) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacking:
        # Files may be old by their date, and lib/ is a symbolic link to usr/lib/.
        argv = [
            "tar",
            "-x",
            "-C",
            tree,
            "--keep-directory-symlink",
            "--no-same-owner",
            "-p",
            "--delay-directory-restore",
        ]
        done = subprocess.run([*argv, *options], stdin=unpacking.stdout, capture_output=True, text=True)
    if done.returncode != 0 or unpacking.returncode != 0:
        raise NoImage(f"cannot unpack {package.name}: {done.stderr.strip()[-500:]}")


def _unpack_kernel(package: Path, tree: Path, result: Path) -> str:
    """The kernel into ``result``, its modules into the tree, uncompressed; the release."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as folder:
        _unpack(package, Path(folder))
        (vmlinuz,) = Path(folder, "boot").glob("vmlinuz-*")
        release = vmlinuz.name.removeprefix("vmlinuz-")
        shutil.copyfile(vmlinuz, result / "vmlinuz")
        # /lib, or /usr/lib in later versions.
        (source,) = Path(folder).glob(f"**/lib/modules/{release}")
        target = tree / "usr/lib/modules" / release
        for path in source.rglob("*"):
            name = str(path.relative_to(source))
            if path.is_file() and (name.startswith("modules.") or _MODULES.match(name)):
                to = target / name.removesuffix(".xz")
                to.parent.mkdir(parents=True, exist_ok=True)
                if name.endswith(".xz"):
                    to.write_bytes(lzma.decompress(path.read_bytes()))
                else:
                    shutil.copyfile(path, to)
    return release


def _furnish(tree: Path) -> None:
    """What maintainer scripts do on an installed system, and the machines' own first process and agent."""
    etc = tree / "etc"
    shared = tree / "usr/share/base-passwd"
    users = "".join(f"{name}:*:{number}:65534::{home}:/usr/sbin/nologin\n" for name, number, home in _USERS)
    (etc / "passwd").write_text(
        (shared / "passwd.master").read_text() + users + "tester:*:1000:1000::/home/tester:/bin/sh\n"
    )
    (etc / "group").write_text((shared / "group.master").read_text() + "tester:*:1000:\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (etc / "hostname").write_text("localhost\n")
    (etc / "resolv.conf").write_text("")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\nservices: files\n")
    for name in (
        "proc",
        "sys",
        "dev",
        "run",
        "tmp",
        "mnt",
        "root",
        "home/tester",
        "var/lib/unbound",
        "var/log",
        "etc/ssh",
    ):
        (tree / name).mkdir(parents=True, exist_ok=True)
    if not (tree / "var/run").exists():
        (tree / "var/run").symlink_to("/run")
    # Alternatives (update-alternatives(1)).
    chosen = {
        f"usr/sbin/{name}": f"{name}-nft" for name in ("iptables", "ip6tables", "iptables-save", "ip6tables-save")
    }
    for name, target in {"usr/bin/awk": "mawk", **chosen}.items():
        (tree / name).symlink_to(target)
    # For tests of hosts that are reached as a user who may become root.
    (etc / "pam.d").mkdir(exist_ok=True)
    for name in ("other", "sudo", "sudo-i"):
        (etc / "pam.d" / name).write_text(
            "".join(f"{kind} required pam_permit.so\n" for kind in ("auth", "account", "session", "password"))
        )
    (etc / "sudoers.d").mkdir(exist_ok=True)
    (etc / "sudoers.d/tester").write_text("tester ALL=(ALL) NOPASSWD: ALL\n")
    (etc / "sudoers.d/tester").chmod(0o440)
    for path in GUEST.iterdir():
        if path.is_file():
            target = tree / ("init" if path.name == "init" else f"usr/lib/netcompose-vm/{path.name}")
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o755)


def _run_inside(tree: Path, program: str, *argv: str, env: dict[str, str] | None = None) -> None:
    """Run a program of the tree with the tree's own libraries; no chroot(2), which would need root."""
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    loader = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
    done = subprocess.run(
        [*loader, "--argv0", argv[0], str(tree / program), *argv[1:]],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})},
        timeout=_TIMEOUT,
    )
    if done.returncode != 0:
        raise NoImage(f"{program} failed: {(done.stdout + done.stderr).strip()[-500:]}")


def _compile_python(tree: Path) -> None:
    """The byte code that installing Python's packages would have made: compiling is slow where the CPU is emulated."""
    (library,) = (path for path in (tree / "usr/lib").glob("python3.*") if (path / "os.py").exists())
    folders = [library, tree / "usr/lib/python3/dist-packages"]
    # Dates in the machine are not to be relied on.
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(tree), "-p", "/"]
    home = {"PYTHONHOME": str(tree / "usr")}
    # A worker of -j is the interpreter by its path, which would be the loader's: one process, then.
    options[options.index("-j") + 1] = "1"
    _run_inside(
        tree, f"usr/bin/{library.name}", "python3", "-S", "-m", "compileall", *options, *map(str, folders), env=home
    )


def _write_cpio(tree: Path, file: IO[bytes]) -> None:
    """The tree in cpio's "newc" format, everything root's; /dev/console for the first process's words."""
    number = 0

    def entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        nonlocal number
        number += 1
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        file.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    for folder, folders, files in os.walk(tree):
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                data = os.readlink(path).encode()
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as source:
                    data = source.read()
            else:
                data = b""
            entry(os.path.relpath(path, tree), status.st_mode, data)
    entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    entry("TRAILER!!!", 0)
