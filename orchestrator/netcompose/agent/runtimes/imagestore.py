"""Where the parts of an image lie: a folder, or a tar archive, compressed or not. Reading only.

Both look the same from outside: names with '/' below one root, each with a size and its bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import zlib
from lzma import LZMAError
from typing import Any, BinaryIO, Iterator, Optional, Protocol

from netcompose.errors import ImageUnusable

#: Bytes that are read at a time.
PIECE = 1 << 20
#: The longest description (index, manifest, configuration) that is read, in bytes; registries take 4 MiB.
_LONGEST = 4 << 20
_DIGEST = re.compile("(sha256):([0-9a-f]{64})|(sha384):([0-9a-f]{96})|(sha512):([0-9a-f]{128})")
#: What the compressions that layers have begin with.
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
#: What reading a damaged archive raises.
DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, LZMAError)


class Store(Protocol):
    """Named parts. ``path`` is what the user wrote, for messages."""

    path: str

    def size(self, name: str) -> Optional[int]:
        """The part's size in bytes, None if there is no such part."""

    def place(self, name: str) -> int:
        """Where it begins: reading in this order never goes back."""

    def open(self, name: str) -> BinaryIO:
        """The part's bytes. Raises KeyError if there is no such part, OSError and the like if it cannot be read."""


class Folder:
    """Files below a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def size(self, name: str) -> Optional[int]:
        """The file's size."""
        try:
            return os.path.getsize(self._file(name))
        except OSError:
            return None

    def place(self, name: str) -> int:
        """Files have no order."""
        return 0

    def open(self, name: str) -> BinaryIO:
        """The file."""
        try:
            return open(self._file(name), "rb")
        except FileNotFoundError:
            raise KeyError(name) from None

    def _file(self, name: str) -> str:
        return os.path.join(self.path, _inside(name, self.path))


class Archive:
    """Members of a tar archive. The list of members is read once; the archive stays open."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, "r:*")  # noqa: SIM115 (open as long as the object)
            self._members = {os.path.normpath(member.name): member for member in self._tar}
        except DAMAGE as error:
            raise ImageUnusable(
                "{}: this is no image archive: {}".format(path, _reason(error)),
                hint="an image is a folder in OCI layout, or what `docker save` writes",
            ) from error

    def size(self, name: str) -> Optional[int]:
        """The size of a member, or of the one that it links to."""
        member = self._member(name)
        return member.size if member is not None else None

    def place(self, name: str) -> int:
        """Its offset."""
        member = self._member(name)
        return member.offset_data if member is not None else 0

    def open(self, name: str) -> BinaryIO:
        """A member's bytes."""
        member = self._member(name)
        file = self._tar.extractfile(member) if member is not None else None
        if file is None:
            raise KeyError(name)
        return file  # type: ignore[return-value]

    def _member(self, name: str) -> Optional[tarfile.TarInfo]:
        member = self._members.get(os.path.normpath(_inside(name, self.path)))
        # Old engines saved a layer that is there twice as a link to the first.
        for _ in range(8):
            if member is None or member.isreg():
                return member
            if not (member.issym() or member.islnk()):
                return None
            base = os.path.dirname(member.name) if member.issym() else ""
            member = self._members.get(os.path.normpath(os.path.join(base, member.linkname)))
        return None


def open_store(path: str) -> Store:
    """What lies at a path. Raises ImageUnusable if nothing does, or nothing that can be read."""
    if os.path.isdir(path):
        return Folder(path)
    if not os.path.lexists(path):
        raise ImageUnusable(
            "{}: there is no such image".format(path),
            hint="a path is relative to the topology's file; without './' it is an image of a registry",
        )
    return Archive(path)


def _inside(name: str, path: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise ImageUnusable("{}: the part {!r} lies outside of the image".format(path, name))
    return name


def json_of(store: Store, name: str, digest: str = "") -> tuple[Any, bytes]:
    """A description, parsed and as it is; with ``digest``, verified."""
    try:
        with store.open(name) as file:
            data = file.read(_LONGEST + 1)
    except KeyError:
        raise ImageUnusable(
            "{}: {} is missing".format(store.path, name), hint="the image is incomplete: export or copy it again"
        ) from None
    except DAMAGE as error:
        raise unreadable(store, name, error) from error
    if len(data) > _LONGEST:
        raise ImageUnusable("{}: {} is larger than {} MiB".format(store.path, name, _LONGEST >> 20))
    if digest:
        found = hash_of(digest)
        found.update(data)
        compare(store, name, digest, found.hexdigest())
    try:
        return json.loads(data), data
    except ValueError as error:
        raise ImageUnusable("{}: {} is not JSON: {}".format(store.path, name, error)) from None


def pieces(store: Store, name: str) -> Iterator[bytes]:
    """The bytes of a part, a MiB at a time."""
    try:
        with store.open(name) as file:
            while True:
                data = file.read(PIECE)
                if not data:
                    return
                yield data
    except KeyError:
        raise ImageUnusable(
            "{}: {} is missing".format(store.path, name), hint="the image is incomplete: export or copy it again"
        ) from None
    except DAMAGE as error:
        raise unreadable(store, name, error) from error


def compression(store: Store, name: str) -> str:
    """How a part is compressed, by its first bytes: empty, gzip, zstd, bzip2 or xz."""
    try:
        with store.open(name) as file:
            start = file.read(8)
    except KeyError:
        return ""
    except DAMAGE as error:
        raise unreadable(store, name, error) from error
    return next((word for magic, word in _MAGIC if start.startswith(magic)), "")


def split_digest(text: Any, store: Store) -> tuple[str, str]:
    """``sha256:<hex>`` as ``("sha256", hex)``. Raises ImageUnusable for anything else, so that it is a safe name."""
    match = _DIGEST.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ImageUnusable("{}: {!r} is no digest".format(store.path, text))
    algorithm, _, value = str(text).partition(":")
    return algorithm, value


def hash_of(digest: str) -> Any:
    """An empty hash of the sort that a digest is."""
    return hashlib.new(digest.partition(":")[0])


def compare(store: Store, name: str, digest: str, found: str) -> None:
    """Raise ImageUnusable if the hash of a part is not the one that the image promises."""
    algorithm, _, wanted = digest.partition(":")
    if found != wanted:
        raise ImageUnusable(
            "{}: {} is not what the image says: its {} is {}..., not {}...".format(
                store.path, name, algorithm, found[:12], wanted[:12]
            ),
            hint="the image is damaged: export or copy it again",
        )


def unreadable(store: Store, name: str, error: BaseException) -> ImageUnusable:
    """The error for a part that is there and cannot be read."""
    return ImageUnusable("{}: {} cannot be read: {}".format(store.path, name, _reason(error)))


def _reason(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
