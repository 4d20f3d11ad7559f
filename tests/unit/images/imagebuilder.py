"""Images as files, made from nothing: layers, OCI layouts, archives in Docker's form."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files: Mapping[str, bytes | str], mode: int = 0o755) -> bytes:
    """A layer's archive: ``bytes`` are files, ``str`` targets of links; a name with '/' at its end is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = mode
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def config(layers: list[bytes], architecture: str = "amd64", **settings: Any) -> bytes:
    """An image's configuration."""
    root = {"type": "layers", "diff_ids": [digest(data) for data in layers]}
    return json.dumps({"os": "linux", "architecture": architecture, "config": settings, "rootfs": root}).encode()


class Layout:
    """A folder in OCI layout; :meth:`image` adds images, :meth:`finish` writes the index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        name = digest(data)
        (self.path / "blobs" / "sha256" / name[7:]).write_bytes(data)
        return {"mediaType": kind, "digest": name, "size": len(data)}

    def manifest(
        self, layers: list[bytes], architecture: str = "amd64", *, packed: bool = True, **settings: Any
    ) -> dict[str, Any]:
        stored = [gzip.compress(data, mtime=0) if packed else data for data in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(config(layers, architecture, **settings), CONFIG),
            "layers": [self.blob(data, LAYER + ("+gzip" if packed else "")) for data in stored],
        }
        return self.blob(json.dumps(manifest).encode(), MANIFEST)

    def image(self, layers: list[bytes], architecture: str = "amd64", name: str = "", **options: Any) -> dict[str, Any]:
        entry = self.manifest(layers, architecture, **options)
        entry["platform"] = {"os": "linux", "architecture": architecture}
        if name:
            entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        self.entries.append(entry)
        return entry

    def finish(self, entries: list[dict[str, Any]] | None = None) -> Path:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries if entries is None else entries}
        (self.path / "index.json").write_text(json.dumps(index))
        return self.path

    def file(self, digest_: str) -> Path:
        return self.path / "blobs" / "sha256" / digest_[7:]


def saved(path: Path, layers: list[bytes], *tags: str, architecture: str = "amd64", **settings: Any) -> str:
    """An archive as ``docker save`` writes it; the image's id."""
    return save(path, [(config(layers, architecture, **settings), layers, list(tags))])


def save(path: Path, images: list[tuple[bytes, list[bytes], list[str]]], mode: str = "w") -> str:
    """The same for several images, and for layers that are compressed."""
    members: dict[str, bytes] = {}
    manifest = []
    for settings, layers, tags in images:
        name = digest(settings)[7:] + ".json"
        members[name] = settings
        names = [f"{digest(data)[7:]}/layer.tar" for data in layers]
        members.update(zip(names, layers, strict=True))
        manifest.append({"Config": name, "RepoTags": tags or None, "Layers": names})
    members["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return digest(images[0][0])


def pack(folder: Path, path: Path, mode: str = "w") -> Path:
    """A folder as an archive."""
    with tarfile.open(path, mode) as tar:
        for item in sorted(folder.rglob("*")):
            tar.add(item, str(item.relative_to(folder)), recursive=False)
    return path
