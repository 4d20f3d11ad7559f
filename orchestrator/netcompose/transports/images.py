"""Images seen from the controller: files beside the topology, and engines on hosts that may lack them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netcompose.agent.runtimes import images
from netcompose.agent.runtimes.images import Finding, ImageSource, Progress

if TYPE_CHECKING:
    from netcompose.transports.base import Connection

__all__ = ["Finding", "HostEngine", "ImageSource", "bring", "find", "judge", "name", "source", "usable"]


class HostEngine:
    """A host's engine over its connection, as :mod:`netcompose.agent.runtimes.images` wants one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def image_id(self, ref: str) -> str | None:
        """The id of an image, None if the engine has none."""
        return self._connection.images([ref])[ref] or None

    def tag_image(self, id: str, name: str) -> None:
        """Give an image one more name."""
        self._connection.tag_image(id, name)

    def load(self, stream: Iterator[bytes]) -> str:
        """Load an archive, sent to the host if it is another one."""
        return self._connection.load_image(stream)

    def pull(self, ref: str, progress: Progress | None) -> str:
        """Pull an image; its id."""
        return self._connection.pull_image(ref, progress)


def source(ref: str, folder: str, machine: str) -> ImageSource:
    """What ``image:`` means in a topology that lies in ``folder``, for a host by its machine's name (uname(2))."""
    if not images.is_file(ref):
        return ImageSource(ref)
    from netcompose.agent.runtimes.imagefile import platform_of

    return images.source(ref, folder, platform_of(machine))


def name(wanted: ImageSource, topology: str) -> str:
    """What engines call the image of a file."""
    return images.tag(topology, wanted.id)


def judge(ref: str, have: str, policy: str) -> Finding:
    """What is to be done about an image by name, of which an engine has ``have``."""
    return images.judge(ref, have, policy)


def find(connection: Connection, wanted: ImageSource, topology: str, policy: str) -> Finding:
    """What a host's engine has of an image, and what is to be done."""
    return images.find(HostEngine(connection), wanted, topology, policy)


def usable(wanted: ImageSource, machine: str, *, zstd: bool) -> None:
    """Verify the whole of a file. Raises ImageUnusable."""
    from netcompose.agent.runtimes.imagefile import platform_of

    images.usable(wanted, platform_of(machine), zstd=zstd)


def bring(
    connection: Connection,
    wanted: ImageSource,
    topology: str,
    *,
    policy: str,
    machine: str,
    zstd: bool,
    progress: Progress | None,
) -> str:
    """Have a host's engine load or pull an image, if it has to; its id there. Raises ImageUnusable."""
    from netcompose.agent.runtimes.imagefile import platform_of

    engine, platform = HostEngine(connection), platform_of(machine)
    return images.bring(engine, wanted, topology, policy, platform=platform, zstd=zstd, progress=progress)
