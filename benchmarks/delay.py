"""A TCP relay that holds every byte back: ``python -m benchmarks.delay PORT HOST PORT SECONDS``.

By how much longer a program takes through it, in units of what a byte is held back there and back, is how often it
waits for the other side. It says ``listening`` when it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            writer.write(data)

    task = asyncio.create_task(send())
    data = b"x"
    while data:
        try:
            data = await reader.read(1 << 16)
        except OSError:
            data = b""
        waiting.put_nowait((loop.time() + seconds, data))
    await task


async def main(port: int, host: str, to: int, seconds: float) -> None:
    """Relay until killed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, to)
        for item in (writer, far_writer):
            item.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_relay(reader, far_writer, seconds), _relay(far_reader, writer, seconds))
        writer.close()
        far_writer.close()

    server = await asyncio.start_server(serve, port=port)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
