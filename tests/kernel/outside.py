"""A world outside of the throw-away host: a neighbour on its own cable, which knows the way to everything behind it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from subprocess import DEVNULL, PIPE, Popen

from support import run, settle, until

from netcompose.transports.sandbox import Sandbox

#: The host's address on the cable and the neighbour's, by family.
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
OUTSIDE = {4: "192.0.2.2", 6: "2001:db8::2"}
OUT = ["ip", "netns", "exec", "outside"]

#: Answers every request with the address that it came from.
_WHO = """
import http.server, socket, sys
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.client_address[0].removeprefix("::ffff:").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_): pass
Server(("::", int(sys.argv[1])), Handler).serve_forever()
"""
_ASK_UDP = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(2)
sock.connect((address, port))
sock.send(b"hello")
print(sock.recv(100).decode())
"""

#: Without duplicate detection, which would take a second and a half for each new interface, also for the bridges that come
#: later (it is on in tests/kernel/test_scenarios_*.py). The ends have different indexes: the kernel takes an
#: end whose peer has its own for one without a peer, and reports its carrier a second late (linkwatch_urgent_event()).
_CABLE = f"""
ip netns add outside
ip link add up0 index 20 type veth peer name eth0 netns outside
sysctl -q -w net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.up0.accept_dad=0
ip netns exec outside sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
ip addr add {HOST[4]}/24 dev up0
ip addr add {HOST[6]}/64 dev up0
ip link set up0 up
ip -n outside addr add {OUTSIDE[4]}/24 dev eth0
ip -n outside addr add {OUTSIDE[6]}/64 dev eth0
ip -n outside link set lo up
ip -n outside link set eth0 up
ip -n outside route add 10.0.0.0/8 via {HOST[4]}
ip -n outside route add fd00::/8 via {HOST[6]}
"""


def attach(host: Sandbox) -> None:
    """Lay the cable and wait until both ends are in use."""
    run(host, "sh", "-ec", _CABLE)
    for end in (["dev", "up0"], []):
        enter = [] if end else ["-n", "outside"]
        until(lambda enter=enter, end=end: "fe80" in run(host, "ip", *enter, "-6", "addr", "show", *end))
    settle(host)
    for family in (4, 6):
        until(lambda family=family: host.run([*OUT, "ping", "-c1", "-W1", HOST[family]]).returncode == 0)


@contextlib.contextmanager
def running(host: Sandbox, *argv: str) -> Iterator[Popen[str]]:
    """A program on the host while the block runs."""
    process = host.popen(argv, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, text=True, start_new_session=True)
    try:
        yield process
    finally:
        # nsenter(1) leads the process group that the program is in.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def capture(
    host: Sandbox, interface: str, expression: str, where: Sequence[str] = (), options: Sequence[str] = ()
) -> Iterator[Callable[[int], list[str]]]:
    """Frames on an interface, as tcpdump's lines: the function yielded waits for so many of them, at most 10 s."""
    tcpdump = ["tcpdump", "-l", "-n", "--immediate-mode", *options, "-i", interface, expression]
    # Only its own word says that it listens; a packet socket is there before it is bound to the interface.
    with running(host, *where, "sh", "-c", 'exec "$0" "$@" 2>&1', *tcpdump) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        text = ""

        def wait(enough: Callable[[list[str]], bool]) -> list[str]:
            nonlocal text
            end = time.monotonic() + 10
            while not enough(text.splitlines()) or not text.endswith("\n"):
                left = end - time.monotonic()
                assert left > 0, f"tcpdump printed only:\n{text}"
                if select.select([process.stdout], [], [], left)[0]:
                    text += os.read(process.stdout.fileno(), 65536).decode()  # type: ignore[union-attr]
            return text.splitlines()

        wait(lambda lines: any(line.startswith("listening on") for line in lines))
        text = ""
        yield lambda count: wait(lambda lines: len(lines) >= count)[:count]


@contextlib.contextmanager
def server(host: Sandbox, port: int, where: Sequence[str] = OUT) -> Iterator[None]:
    """A web server that answers with the address it was asked from."""
    with running(host, *where, sys.executable, "-c", _WHO, str(port)):
        until(lambda: f":{port} " in run(host, *where, "ss", "-tln"))
        yield


def url(address: str, port: int) -> str:
    """``http://[::1]:80/``."""
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def get(host: Sandbox, address: str, port: int, where: Sequence[str] = ()) -> str:
    """What a web server answers; empty if there is no answer."""
    done = host.run([*where, "curl", "-sS", "--max-time", "2", url(address, port)])
    return str(done.stdout)


def answers(host: Sandbox, address: str, port: int, where: Sequence[str] = ()) -> bool:
    """True if there is a web server that answers with 200."""
    show = ["-o", "/dev/null", "-w", "%{http_code}"]
    done = host.run([*where, "curl", "-sS", *show, "--max-time", "2", url(address, port)])
    return str(done.stdout) == "200"


def ask_udp(host: Sandbox, address: str, port: int, where: Sequence[str] = ()) -> str:
    """What a UDP server answers to ``hello``; empty if nothing comes."""
    return str(host.run([*where, sys.executable, "-c", _ASK_UDP, address, str(port)]).stdout).strip()
