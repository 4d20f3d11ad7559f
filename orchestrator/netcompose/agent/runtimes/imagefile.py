"""Images that lie in files: a folder or archive in OCI layout, or what ``docker save`` writes. Pure reading.

Sources: the OCI image specification (image-layout.md, image-index.md, manifest.md, config.md) and the Docker image
specification 1.2 (``manifest.json``). An image's id is the SHA-256 of its configuration, as an engine has it.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from netcompose.agent.runtimes import imagestore
from netcompose.agent.runtimes.imagestore import Store
from netcompose.errors import ImageUnusable

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
#: Indexes within indexes that are followed.
_DEEPEST = 4

#: What the kernel calls a machine (uname(2)) -> what images call it: architecture and variant.
_MACHINES: Mapping[str, tuple[str, str]] = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "arm64": ("arm64", "v8"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
}


@dataclass(frozen=True)
class Platform:
    """What an image runs on, in the words of the OCI image index."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(word for word in (self.os, self.architecture, self.variant) if word)

    def runs(self, other: Platform) -> int:
        """How well an image for ``other`` fits this machine: 0 not at all, more is better."""
        if (other.os, other.architecture) != (self.os, self.architecture):
            return 0
        if other.variant == self.variant or self.architecture != "arm":
            return 100
        # A machine of ARM's version 7 runs programs for version 6; without a version it is taken to be any.
        have, wanted = self.variant[1:], other.variant[1:]
        if not wanted:
            return 1
        return 1 + int(wanted) if have.isdigit() and wanted.isdigit() and int(wanted) < int(have) else 0


@dataclass(frozen=True)
class Blob:
    """A part of an image: its name where it is stored, and its size in bytes. ``digest`` is of what is stored, empty
    where only ``diff_id``, that of the uncompressed layer, is known. ``compression``: empty, gzip, zstd, bzip2, xz."""

    name: str
    size: int
    digest: str = ""
    diff_id: str = ""
    compression: str = ""


@dataclass(frozen=True)
class ImageFile:
    """An image in a file. ``id`` is the engine's id for it (``sha256:...``), ``size`` the bytes of all its parts,
    ``names`` those that it has in the file."""

    path: str
    id: str
    platform: Platform
    config: Blob
    layers: tuple[Blob, ...]
    names: tuple[str, ...]
    store: Store

    @property
    def size(self) -> int:
        """Bytes that are sent to load it."""
        return self.config.size + sum(blob.size for blob in {blob.name: blob for blob in self.layers}.values())

    @property
    def zstd(self) -> bool:
        """Whether a layer is compressed with zstd, which Docker Engines before 23.0 cannot read."""
        return any(blob.compression == "zstd" for blob in self.layers)


def platform_of(machine: str) -> Platform:
    """The platform of a host by its machine's name (uname(2)), ``x86_64`` for example."""
    architecture, variant = _MACHINES.get(machine, (machine, ""))
    return Platform("linux", architecture, variant)


def read(path: str, platform: Platform) -> ImageFile:
    """The image at ``path`` for a platform; ``path:NAME`` chooses one of several in it.

    Descriptions are verified by their digests, layers are looked for and not read (see :func:`check`). Raises
    ImageUnusable with what is wrong: no image, a part missing or damaged, none for this platform, several of them.
    """
    path, wanted = _split(path)
    store = imagestore.open_store(path)
    # An engine of today writes both descriptions, of the same image.
    if store.size("manifest.json") is not None:
        return _read_saved(store, platform, wanted)
    if store.size("index.json") is not None:
        return _read_layout(store, platform, wanted)
    raise ImageUnusable(
        "{}: this is no image: it has neither index.json nor manifest.json".format(path),
        hint="an image is a folder in OCI layout, or what `docker save` writes; `docker export` writes no image, "
        "`docker import` makes one of that",
    )


def check(image: ImageFile) -> None:
    """Read every layer and compare it with what the image promises. Raises ImageUnusable."""
    for blob in in_order(image):
        if blob.digest or not blob.compression:
            for _ in verified(image.store, blob):
                pass
        elif blob.compression in _UNPACK:
            _check_packed(image.store, blob)


def in_order(image: ImageFile) -> list[Blob]:
    """The layers as they are best read, each once: the same layer may be in an image several times."""
    return sorted({blob.name: blob for blob in image.layers}.values(), key=lambda blob: image.store.place(blob.name))


def verified(store: Store, blob: Blob) -> Iterator[bytes]:
    """The bytes of a part as stored; ImageUnusable at its end if they are not what was promised. Of a compressed
    layer whose uncompressed hash alone is known nothing is compared here, the engine does it."""
    digest = blob.digest or ("" if blob.compression else blob.diff_id)
    found = imagestore.hash_of(digest) if digest else None
    size = 0
    for data in imagestore.pieces(store, blob.name):
        size += len(data)
        if found is not None:
            found.update(data)
        yield data
    if size != blob.size:
        raise ImageUnusable(
            "{}: {} has {} bytes, and the image says {}".format(store.path, blob.name, size, blob.size),
            hint="the image is damaged: export or copy it again",
        )
    if found is not None:
        imagestore.compare(store, blob.name, digest, found.hexdigest())


def _check_packed(store: Store, blob: Blob) -> None:
    found = imagestore.hash_of(blob.diff_id)
    try:
        with store.open(blob.name) as packed, _UNPACK[blob.compression](packed) as file:
            for data in iter(lambda: file.read(imagestore.PIECE), b""):
                found.update(data)
    except imagestore.DAMAGE as error:
        raise imagestore.unreadable(store, blob.name, error) from error
    imagestore.compare(store, blob.name, blob.diff_id, found.hexdigest())


_UNPACK: Mapping[str, Callable[[Any], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


def _split(path: str) -> tuple[str, str]:
    """``folder:NAME`` as its two halves, where there is no file of the whole name."""
    folder, colon, name = path.rpartition(":")
    if colon and name and "/" not in name and not os.path.lexists(path):
        return folder, name
    return path, ""


def _read_saved(store: Store, platform: Platform, wanted: str) -> ImageFile:
    """Docker's form: ``manifest.json`` lists images with the names of their parts."""
    entries, _ = imagestore.json_of(store, "manifest.json")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries) or not entries:
        raise ImageUnusable("{}: manifest.json lists no image".format(store.path))
    images = []
    for entry in entries:
        names = tuple(str(name) for name in entry.get("RepoTags") or ())
        if not wanted or any(_is_named(name, wanted) for name in names):
            images.append((names, entry))
    chosen = _one_of(store, images, wanted, [name for entry in entries for name in entry.get("RepoTags") or ()])
    names, entry = chosen
    config, layers = entry.get("Config"), entry.get("Layers")
    if not isinstance(config, str) or not isinstance(layers, list):
        raise ImageUnusable("{}: manifest.json has an image without Config or Layers".format(store.path))
    settings, data = imagestore.json_of(store, config)
    identity = "sha256:" + hashlib.sha256(data).hexdigest()
    # The file is named by its digest, in each of the forms that programs write.
    named = os.path.basename(config)[: -len(".json")] if config.endswith(".json") else os.path.basename(config)
    if len(named.rpartition(":")[2]) == 64:
        imagestore.compare(store, config, "sha256:" + named.rpartition(":")[2], identity[7:])
    found = _platform(store, settings)
    _demand(store, platform, found)
    ids = _diff_ids(store, settings, len(layers))
    blobs = tuple(_blob(store, str(name), diff_id=diff_id) for name, diff_id in zip(layers, ids))
    return ImageFile(store.path, identity, found, Blob(config, len(data), identity), blobs, names, store)


def _read_layout(store: Store, platform: Platform, wanted: str) -> ImageFile:
    """OCI's form: ``index.json`` leads to manifests by digest."""
    index, _ = imagestore.json_of(store, "index.json")
    listed = [(name, at) for name, at in _manifests(store, index, "", _DEEPEST)]
    names = [name for name, _ in listed if name]
    images = [(name, at) for name, at in listed if not wanted or _is_named(name, wanted)]
    if not images:
        _one_of(store, [], wanted, names)
    fitting: list[tuple[int, str, Any, Platform]] = []
    others: list[Platform] = []
    for name, at in images:
        manifest = _by_digest(store, at)
        found = _platform(store, at.get("platform") or _by_digest(store, manifest.get("config") or {}))
        rank = platform.runs(found)
        if rank:
            fitting.append((rank, name, at, found))
        else:
            others.append(found)
    if not fitting:
        _demand(store, platform, *others)
    best = max(rank for rank, *_ in fitting)
    distinct = {at["digest"]: (name, at, found) for rank, name, at, found in reversed(fitting) if rank == best}
    if len({name for name, _, _ in distinct.values()}) > 1:
        _one_of(store, [(name, at) for name, at, _ in distinct.values()], wanted, names)
    # Several without a name of their own: the first is meant (image-index.md).
    name, at, found = list(distinct.values())[-1]
    return _from_manifest(store, name, _by_digest(store, at), found)


def _from_manifest(store: Store, name: str, manifest: Mapping[str, Any], platform: Platform) -> ImageFile:
    config, layers = manifest.get("config"), manifest.get("layers")
    if not isinstance(config, dict) or not isinstance(layers, list):
        raise ImageUnusable("{}: a manifest has no config or no layers".format(store.path))
    if config.get("mediaType") not in _CONFIGS:
        raise ImageUnusable(
            "{}: this holds no container image, but {}".format(store.path, config.get("mediaType") or "something else")
        )
    settings = _by_digest(store, config)
    ids = _diff_ids(store, settings, len(layers))
    blobs = []
    for layer, diff_id in zip(layers, ids):
        stored = _name(store, layer)
        blobs.append(_blob(store, stored, digest=str(layer["digest"]), diff_id=diff_id, size=layer.get("size")))
    stored, digest = _name(store, config), str(config["digest"])
    _, data = imagestore.json_of(store, stored, digest)
    identity = "sha256:" + hashlib.sha256(data).hexdigest()
    names = (name,) if name else ()
    return ImageFile(store.path, identity, platform, Blob(stored, len(data), digest), tuple(blobs), names, store)


def _manifests(store: Store, index: Any, name: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, descriptor) of every image below an index; what is no image (attestations, artefacts) is left out."""
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list):
        raise ImageUnusable("{}: an index lists no manifests".format(store.path))
    for entry in entries:
        if not isinstance(entry, dict):
            raise ImageUnusable("{}: an index has an entry that is none".format(store.path))
        notes = entry.get("annotations") or {}
        own = next((str(notes[key]) for key in _NAMES if notes.get(key)), name)
        if entry.get("mediaType") in _INDEXES and depth:
            yield from _manifests(store, _by_digest(store, entry), own, depth - 1)
        elif entry.get("mediaType", _MANIFESTS[0]) in _MANIFESTS:
            platform = entry.get("platform") or {}
            if "vnd.docker.reference.type" not in notes and platform.get("os") != "unknown":
                yield own, entry


def _by_digest(store: Store, descriptor: Mapping[str, Any]) -> Any:
    data, _ = imagestore.json_of(store, _name(store, descriptor), str(descriptor.get("digest")))
    if not isinstance(data, dict):
        raise ImageUnusable("{}: {} describes nothing".format(store.path, descriptor.get("digest")))
    return data


def _name(store: Store, descriptor: Mapping[str, Any]) -> str:
    algorithm, value = imagestore.split_digest(descriptor.get("digest"), store)
    return "blobs/{}/{}".format(algorithm, value)


def _blob(store: Store, name: str, *, digest: str = "", diff_id: str = "", size: Any = None) -> Blob:
    have = store.size(name)
    if have is None:
        raise ImageUnusable(
            "{}: {} is missing".format(store.path, name), hint="the image is incomplete: export or copy it again"
        )
    if size is not None and size != have:
        raise ImageUnusable(
            "{}: {} has {} bytes, and the image says {}".format(store.path, name, have, size),
            hint="the image is damaged: export or copy it again",
        )
    return Blob(name, have, digest, diff_id, imagestore.compression(store, name))


def _diff_ids(store: Store, settings: Any, layers: int) -> Sequence[str]:
    root = settings.get("rootfs") if isinstance(settings, dict) else None
    ids = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(ids, list) or len(ids) != layers:
        raise ImageUnusable(
            "{}: the image's configuration does not name its {} layers".format(store.path, layers),
            hint="export the image again with a current program",
        )
    for item in ids:
        imagestore.split_digest(item, store)
    return ids


def _platform(store: Store, settings: Any) -> Platform:
    if not isinstance(settings, dict):
        raise ImageUnusable("{}: the image's configuration is none".format(store.path))
    words = [settings.get(key) or "" for key in ("os", "architecture", "variant")]
    return Platform(*(str(word) for word in words))


def _demand(store: Store, platform: Platform, *found: Platform) -> None:
    if not any(platform.runs(item) for item in found):
        there = ", ".join(sorted({str(item) or "nothing" for item in found}))
        raise ImageUnusable(
            "{}: the image is for {}, and the host is {}".format(store.path, there, platform),
            hint="export it for this platform (docker pull --platform {})".format(platform),
        )


def _is_named(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith((":" + wanted, "/" + wanted))


def _one_of(store: Store, images: Sequence[Any], wanted: str, names: Sequence[Optional[str]]) -> Any:
    if len(images) == 1:
        return images[0]
    listed = ", ".join(str(name) for name in dict.fromkeys(names) if name)
    if not images:
        what = "it has no image {}".format(wanted) if wanted else "it lists no image"
        raise ImageUnusable("{}: {}".format(store.path, what), hint="it has: " + listed if listed else "")
    raise ImageUnusable(
        "{}: there are {} images in it".format(store.path, len(images)),
        hint="name one behind a colon: {}:NAME; it has: {}".format(store.path, listed),
    )
