"""Inside a virtual machine: runs commands that come over a virtio-serial port, several at a time.

Both directions are frames: channel (4 bytes), type (1 byte), length (4 bytes), data. A channel is one command and is
numbered by the other side. Standard library only; started by ``init``, and part of the image.

``python -m PACKAGE`` of a package that was imported here (``IMPORT``) runs in a fork of this process: a Python that is
emulated takes a second to start and to import what is the same every time.
"""

import contextlib
import errno
import fcntl
import importlib
import importlib.util
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import time

PORT = "netcompose"
HEAD = struct.Struct("!IcI")
#: Frames to here: a command, its input, the end of its input, its end; a file whose content follows as input; a package
#: to import; the time and random bytes for a machine that goes on from a kept state.
START, INPUT, INPUT_END, KILL, PUT, IMPORT, WAKE = b"s", b"i", b"e", b"k", b"p", b"m", b"w"
#: Frames from here: this agent is there; output, errors, ends of both; exit status or why there is none.
HELLO, OUTPUT, ERROR, OUTPUT_END, ERROR_END, EXIT = b"h", b"o", b"r", b"O", b"R", b"x"
_CHUNK = 65536
#: From random.h: draw random numbers from what was written to /dev/urandom, at once.
_RNDRESEEDCRNG = 0x5207


def frames(received: bytearray):
    """Take the frames that are there whole out of what was received: channel, type, data of each."""
    while len(received) >= HEAD.size:
        channel, kind, length = HEAD.unpack_from(received)
        end = HEAD.size + length
        if len(received) < end:
            return
        content = bytes(received[HEAD.size : end])
        del received[:end]
        yield channel, kind, content


class Forked:
    """A Python module that runs in a fork of this process; the part of ``subprocess.Popen`` that is used here."""

    def __init__(self, asked: dict) -> None:
        pipes = [os.pipe() for _ in range(3)]
        (given, stdin), (stdout, told), (stderr, complained) = pipes
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                nothing = os.open(os.devnull, os.O_RDONLY)
                for number, fd in enumerate(
                    (given if asked["input"] else nothing, told, told if asked["together"] else complained)
                ):
                    os.dup2(fd, number)
                os.closerange(3, 1 << 16)
                run_module(asked)
            finally:
                os._exit(70)
        for fd in (given, told, complained):
            os.close(fd)
        self.stdin = open(stdin, "wb", buffering=0) if asked["input"] else os.close(stdin)
        self.stdout = open(stdout, "rb", buffering=0)
        self.stderr = os.close(stderr) if asked["together"] else open(stderr, "rb", buffering=0)
        self.status = None

    def poll(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status


def run_module(asked: dict) -> None:
    """What ``python -m MODULE ...`` does, in a process that was this one; it does not come back."""
    import atexit
    import runpy
    import threading
    import traceback

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.update(asked["env"])
    sys.executable, _, module, *arguments = asked["argv"]
    sys.argv = [module, *arguments]
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    status = 0
    try:
        os.chdir(asked["cwd"])
        sys.path[0] = asked["cwd"]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


def import_all(asked: dict) -> None:
    """Every module of the package in ``path``, and the others named, for ``Forked``."""
    import gc
    import pkgutil

    sys.path[1:1] = [path for path in asked["path"] if path not in sys.path]
    package = importlib.import_module(asked["package"])
    names = [item.name for item in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    for name in [*names, *asked["also"]]:
        if not name.endswith(".__main__"):
            # What needs a library that is not here is not needed, or says so when it is.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    gc.freeze()


def wake(asked: dict) -> None:
    """What this machine may not have in common with others that go on from the same state."""
    time.clock_settime(time.CLOCK_REALTIME, asked["time"])
    with open("/dev/urandom", "wb") as file:
        file.write(bytes.fromhex(asked["random"]))
        file.flush()
        fcntl.ioctl(file, _RNDRESEEDCRNG)


class Command:
    """One running command, and what is still to be written to it."""

    def __init__(self, process: "subprocess.Popen | Forked") -> None:
        self.process = process
        self.input = bytearray()
        self.ends = False


class Agent:
    def __init__(self, port: int) -> None:
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.commands: dict[int, Command] = {}
        self.files: dict[int, tuple] = {}
        self.received = bytearray()

    def send(self, channel: int, kind: bytes, data: bytes = b"") -> None:
        frame = HEAD.pack(channel, kind, len(data)) + data
        while frame:
            frame = frame[os.write(self.port, frame) :]

    def serve(self) -> None:
        wake, wakeup = os.pipe()
        for fd in (wake, wakeup):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.port, selectors.EVENT_READ, self.receive)
        self.selector.register(wake, selectors.EVENT_READ, lambda: self.reap(wake))
        about = {"release": os.uname().release, "magic": importlib.util.MAGIC_NUMBER.hex()}
        self.send(0, HELLO, json.dumps(about).encode())
        while True:
            for key, _ in self.selector.select():
                # Not if an earlier one of this round has closed it.
                if self.selector.get_map().get(key.fd) is key:
                    key.data()

    def receive(self) -> None:
        data = os.read(self.port, _CHUNK)
        if not data:
            raise SystemExit(0)
        self.received += data
        for channel, kind, content in frames(self.received):
            self.handle(channel, kind, content)

    def handle(self, channel: int, kind: bytes, data: bytes) -> None:
        if kind == START:
            self.start(channel, json.loads(data))
        elif kind in (IMPORT, WAKE):
            self.call(channel, import_all if kind == IMPORT else wake, json.loads(data))
        elif kind == PUT:
            self.files[channel] = (json.loads(data), bytearray())
        elif channel in self.files:
            if kind == INPUT:
                self.files[channel][1].extend(data)
            else:
                self.put(channel, *self.files.pop(channel))
        elif command := self.commands.get(channel):
            if kind == INPUT:
                command.input += data
                self.feed(channel)
            elif kind == INPUT_END:
                command.ends = True
                self.feed(channel)
            elif kind == KILL:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(command.process.pid, signal.SIGKILL)

    def call(self, channel: int, function, asked: dict) -> None:
        """Something that this process does itself."""
        try:
            function(asked)
        except Exception as error:
            self.send(channel, ERROR, f"{type(error).__name__}: {error}\n".encode())
            self.finish(channel, 1)
        else:
            self.finish(channel, 0)

    def start(self, channel: int, asked: dict) -> None:
        try:
            process = Forked(asked) if asked.get("fork") else _started(asked)
        except OSError as error:
            # What env(1) answers: 127 for a program that is not there, 126 for one that cannot be run.
            status = 127 if error.errno == errno.ENOENT else 126
            self.send(channel, ERROR, f"{asked['argv'][0]}: {error.strerror}\n".encode())
            self.finish(channel, status)
            return
        self.commands[channel] = Command(process)
        for stream, kind, end in ((process.stdout, OUTPUT, OUTPUT_END), (process.stderr, ERROR, ERROR_END)):
            if stream is None:
                self.send(channel, end)
            else:
                self.selector.register(
                    stream, selectors.EVENT_READ, lambda s=stream, k=kind, e=end: self.forward(channel, s, k, e)
                )
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)

    def finish(self, channel: int, status: int) -> None:
        for kind in (OUTPUT_END, ERROR_END):
            self.send(channel, kind)
        self.send(channel, EXIT, str(status).encode())

    def forward(self, channel: int, stream, kind: bytes, end: bytes) -> None:
        data = os.read(stream.fileno(), _CHUNK)
        if data:
            self.send(channel, kind, data)
        else:
            self.selector.unregister(stream)
            stream.close()
            self.send(channel, end)

    def feed(self, channel: int) -> None:
        """Write as much of the input as the command takes now."""
        command = self.commands[channel]
        stdin = command.process.stdin
        if stdin is None or stdin.closed:
            return
        waiting = stdin.fileno() in self.selector.get_map()
        try:
            while command.input:
                del command.input[: os.write(stdin.fileno(), command.input[:_CHUNK])]
        except BlockingIOError:
            if not waiting:
                self.selector.register(stdin, selectors.EVENT_WRITE, lambda: self.feed(channel))
            return
        except BrokenPipeError:
            command.input.clear()
            command.ends = True
        if waiting:
            self.selector.unregister(stdin)
        if command.ends:
            stdin.close()

    def reap(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        for channel, command in list(self.commands.items()):
            status = command.process.poll()
            if status is not None:
                del self.commands[channel]
                if command.process.stdin is not None and not command.process.stdin.closed:
                    if command.process.stdin.fileno() in self.selector.get_map():
                        self.selector.unregister(command.process.stdin)
                    command.process.stdin.close()
                self.send(channel, EXIT, str(status if status >= 0 else 128 - status).encode())

    def put(self, channel: int, asked: dict, content: bytes) -> None:
        """Write a file, or unpack an archive into a new folder in the place of the old one."""
        path = asked["path"]
        try:
            os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
            if asked["archive"]:
                import io
                import tarfile

                os.makedirs(path, exist_ok=True)
                with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                    archive.extractall(path)
            else:
                with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
                    file.write(content)
                    os.fchmod(file.fileno(), asked["mode"])
                os.rename(file.name, path)
        except OSError as error:
            self.send(channel, ERROR, f"{path}: {error.strerror}\n".encode())
            self.finish(channel, 1)
        else:
            self.finish(channel, 0)


def _started(asked: dict) -> subprocess.Popen:
    return subprocess.Popen(
        asked["argv"],
        stdin=subprocess.PIPE if asked["input"] else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if asked["together"] else subprocess.PIPE,
        cwd=asked["cwd"],
        env={**os.environ, **asked["env"]},
        start_new_session=True,
    )


def port() -> int:
    """The port of this name (there is no udev to link it)."""
    base = "/sys/class/virtio-ports"
    for device in os.listdir(base):
        with open(f"{base}/{device}/name") as file:
            if file.read().strip() == PORT:
                return os.open(f"/dev/{device}", os.O_RDWR)
    raise SystemExit(f"there is no virtio-serial port {PORT}")


if __name__ == "__main__":
    Agent(port()).serve()
