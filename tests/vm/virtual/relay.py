"""A program that stands for a command in a virtual machine: its input, output, exit status and end are the command's.

Started by ``Machine.popen`` with the number of a socket that speaks the frames of guest/agent.py.
"""

import contextlib
import os
import selectors
import socket
import struct
import sys

HEAD = struct.Struct("!IcI")
_ENDS = {b"O": 1, b"R": 2}
_STREAMS = {b"o": 1, b"r": 2}


def main(sock: socket.socket) -> int:
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    try:
        selector.register(0, selectors.EVENT_READ)
    except PermissionError:
        # A file, always readable, cannot be waited for: it is read in whole.
        while data := os.read(0, 65536):
            sock.sendall(HEAD.pack(0, b"i", len(data)) + data)
        sock.sendall(HEAD.pack(0, b"e", 0))
    received = bytearray()
    status, ended = None, set()
    while status is None or len(ended) < 2:
        for key, _ in selector.select():
            if key.fd == 0:
                data = os.read(0, 65536)
                sock.sendall(HEAD.pack(0, b"i" if data else b"e", len(data)) + data)
                if not data:
                    selector.unregister(0)
                continue
            data = sock.recv(65536)
            if not data:
                # The machine is gone.
                return 255
            received += data
            while len(received) >= HEAD.size:
                _, kind, length = HEAD.unpack_from(received)
                end = HEAD.size + length
                if len(received) < end:
                    break
                content = bytes(received[HEAD.size : end])
                del received[:end]
                if kind in _STREAMS:
                    while content:
                        content = content[os.write(_STREAMS[kind], content) :]
                elif kind in _ENDS:
                    ended.add(kind)
                    with contextlib.suppress(OSError):
                        os.close(_ENDS[kind])
                else:
                    status = int(content)
    return status


if __name__ == "__main__":
    os._exit(main(socket.socket(fileno=int(sys.argv[1]))))
