"""An image in a file as the archive that an engine's load call takes, made while it is read: no copy is made of it.

The archive has Docker's form (``manifest.json``), which every Docker Engine and Podman load; a Docker Engine before 25
loads no OCI layout. Layers stay compressed as they are, which all of these read.
"""

from __future__ import annotations

import json
import tarfile
from typing import Iterator, Sequence

from netcompose.agent.runtimes import imagefile
from netcompose.agent.runtimes.imagefile import Blob, ImageFile

_BLOCK = 512


def stream(image: ImageFile, tags: Sequence[str] = ()) -> Iterator[bytes]:
    """The archive in pieces, with these tags alone: those in the file may be somebody else's in the engine.

    Every part is verified while it goes; ImageUnusable ends the archive early, and so the engine takes nothing of it.
    """
    names = {blob.name: "{}/layer.tar".format(blob.diff_id.partition(":")[2]) for blob in image.layers}
    config = image.id.partition(":")[2] + ".json"
    manifest = [{"Config": config, "RepoTags": list(tags), "Layers": [names[blob.name] for blob in image.layers]}]
    data = json.dumps(manifest, sort_keys=True).encode()
    yield from _member("manifest.json", len(data), iter((data,)))
    yield from _part(image, image.config, config)
    for blob in imagefile.in_order(image):
        yield from _part(image, blob, names[blob.name])
    yield bytes(2 * _BLOCK)


def length(image: ImageFile) -> int:
    """About how many bytes :func:`stream` gives, for progress."""
    return image.size + 4096 * (len(image.layers) + 2)


def _part(image: ImageFile, blob: Blob, name: str) -> Iterator[bytes]:
    return _member(name, blob.size, imagefile.verified(image.store, blob))


def _member(name: str, size: int, data: Iterator[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o644
    yield header.tobuf(tarfile.GNU_FORMAT)
    yield from data
    if size % _BLOCK:
        yield bytes(_BLOCK - size % _BLOCK)
