"""What is done about an image by policy, and the archive that an engine gets of one in a file."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuilder import Layout, config, digest, layer, pack, save, saved

from netcompose.agent.runtimes import imagefile, images, imagestream
from netcompose.agent.runtimes.imagefile import platform_of
from netcompose.agent.runtimes.images import Finding, ImageSource
from netcompose.errors import ImageUnusable, NetcomposeError

AMD = platform_of("x86_64")
BASE = layer({"etc/": "", "etc/motd": b"hello\n"})
TOP = layer({"bin/": "", "bin/run": b"#!/bin/sh\n" + b"#" * 3_000_000})


class Shelf:
    """An engine that keeps images and nothing else. It reads archives as strictly as a Docker Engine does; the real one
    is in tests/docker."""

    def __init__(self, *known: str, registry: tuple[str, ...] = ()) -> None:
        self.names = {name: "sha256:" + name.encode().hex().ljust(64, "0") for name in known}
        self.registry = registry
        self.loads = 0

    def image_id(self, ref: str) -> str | None:
        return self.names.get(ref) or (ref if ref in self.names.values() else None)

    def load(self, stream: Iterator[bytes]) -> str:
        self.loads += 1
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            (entry,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
            settings = tar.extractfile(entry["Config"]).read()  # type: ignore[union-attr]
            layers = [tar.extractfile(name).read() for name in entry["Layers"]]  # type: ignore[union-attr]
        wanted = json.loads(settings)["rootfs"]["diff_ids"]
        assert wanted == [digest(images_uncompressed(data)) for data in layers]
        for name in entry["RepoTags"]:
            self.names[name] = digest(settings)
        return digest(settings)

    def pull(self, ref: str, progress: images.Progress | None) -> str:
        if ref not in self.registry:
            raise NetcomposeError("dial tcp: lookup registry.example: no such host")
        self.names[ref] = "sha256:" + "9" * 64
        return self.names[ref]


def images_uncompressed(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    made = Layout(tmp_path / "web")
    made.image([BASE, TOP, BASE])
    return made.finish()


def bring(engine: Shelf, wanted: ImageSource, policy: str = "") -> str:
    return images.bring(engine, wanted, "lab", policy, platform=AMD)


def test_a_path_is_told_from_a_name() -> None:
    for ref in ("./web.tar", "../web", "/srv/web.tar", "./web:1.0"):
        assert images.is_file(ref)
    for ref in ("web", "web.tar", "registry.example/web:1.0", "web@sha256:00", "localhost:5000/web"):
        assert not images.is_file(ref)
        assert images.source(ref, "/nowhere", AMD) == ImageSource(ref)


def test_a_file_is_found_beside_the_topology(layout: Path) -> None:
    found = images.source("./web", str(layout.parent), AMD)
    assert found == ImageSource("./web", digest(config([BASE, TOP, BASE])), str(layout))
    with pytest.raises(ImageUnusable, match="there is no such image"):
        images.source("./web", "/nowhere", AMD)


def test_an_image_of_a_file_is_loaded_once_by_its_content(layout: Path, tmp_path: Path) -> None:
    engine = Shelf()
    wanted = images.source("./web", str(layout.parent), AMD)
    assert images.find(engine, wanted, "lab") == Finding(action="load")
    assert bring(engine, wanted) == wanted.id
    assert images.find(engine, wanted, "lab") == Finding(wanted.id)
    assert list(engine.names) == ["netcompose/lab:" + wanted.id[7:]]
    # Under another name, in another form: the same content.
    again = images.source("./other.tgz", str(pack(layout, tmp_path / "other.tgz", "w:gz").parent), AMD)
    assert bring(engine, again) == wanted.id
    assert engine.loads == 1


def test_tags_in_a_file_do_not_reach_the_engine(tmp_path: Path) -> None:
    engine = Shelf("web:1.0")
    theirs = dict(engine.names)
    saved(tmp_path / "web.tar", [BASE], "web:1.0")
    ours = bring(engine, images.source("./web.tar", str(tmp_path), AMD))
    assert engine.names == {**theirs, "netcompose/lab:" + ours[7:]: ours}


def test_a_store_with_other_ids_is_asked_for_the_tag(layout: Path) -> None:
    wanted = images.source("./web", str(layout.parent), AMD)
    engine = Shelf("netcompose/lab:" + wanted.id[7:])
    assert images.find(engine, wanted, "lab") == Finding(engine.image_id("netcompose/lab:" + wanted.id[7:]) or "")


def test_a_topologys_name_may_end_in_what_a_repositorys_may_not() -> None:
    assert images.tag("lab-", "sha256:00") == "netcompose/lab:00"


def test_the_archive_is_made_while_it_is_read(tmp_path: Path) -> None:
    saved(tmp_path / "web.tar", [BASE, TOP, BASE])
    image = imagefile.read(str(tmp_path / "web.tar"), AMD)
    pieces = [len(piece) for piece in imagestream.stream(image, ["a:b"])]
    assert max(pieces) <= 1 << 20
    assert sum(pieces) == pytest.approx(imagestream.length(image), rel=0.01)
    # The layer that is there twice goes once.
    assert sum(pieces) < len(TOP) + len(BASE) + 8192


def test_progress_counts_bytes(layout: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    wanted = images.source("./web", str(layout.parent), AMD)
    images.bring(Shelf(), wanted, "lab", platform=AMD, progress=lambda *step: seen.append(step))
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert {(total, text) for _, total, text in seen} == {(seen[0][1], "load ./web")}
    assert seen[-1][0] <= seen[-1][1]


def test_what_changed_since_it_was_read_is_not_loaded(layout: Path, tmp_path: Path) -> None:
    saved(tmp_path / "web.tar", [BASE])
    wanted = images.source("./web.tar", str(tmp_path), AMD)
    saved(tmp_path / "web.tar", [TOP])
    engine = Shelf()
    with pytest.raises(ImageUnusable, match="has changed since"):
        bring(engine, wanted)
    assert engine.loads == 0


def test_damage_is_seen_before_the_engine_is_asked_and_again_on_the_way(tmp_path: Path) -> None:
    save(tmp_path / "web.tar", [(config([BASE]), [TOP], [])])
    wanted = images.source("./web.tar", str(tmp_path), AMD)
    engine = Shelf()
    with pytest.raises(ImageUnusable, match="is not what the image says"):
        bring(engine, wanted)
    assert engine.loads == 0
    image = imagefile.read(wanted.path, AMD)
    with pytest.raises(ImageUnusable, match="is not what the image says"):
        list(imagestream.stream(image))


def test_a_file_that_grows_meanwhile_ends_the_archive(tmp_path: Path) -> None:
    # Its size is written before it: what follows would be taken for something else.
    packed = gzip.compress(BASE)
    save(tmp_path / "web.tar", [(config([BASE]), [packed], [])])
    with tarfile.open(tmp_path / "web.tar") as tar:
        tar.extractall(tmp_path / "web", filter="data")
    image = imagefile.read(str(tmp_path / "web"), AMD)
    with open(tmp_path / "web" / image.layers[0].name, "ab") as file:
        file.write(b"more")
    with pytest.raises(ImageUnusable, match=f"has {len(packed) + 4} bytes, and the image says {len(packed)}"):
        list(imagestream.stream(image))


def test_zstd_is_for_engines_that_read_it(tmp_path: Path) -> None:
    # A frame's magic is enough here: who unpacks it is the engine.
    packed = b"\x28\xb5\x2f\xfd" + b"\0" * 20
    save(tmp_path / "web.tar", [(config([packed]), [packed], [])])
    wanted = images.source("./web.tar", str(tmp_path), AMD)
    with pytest.raises(ImageUnusable, match="compressed with zstd") as raised:
        images.usable(wanted, AMD)
    assert "skopeo" in raised.value.hint
    assert images.usable(wanted, AMD, zstd=True).zstd


@pytest.mark.parametrize(
    "policy, known, reachable, expected",
    [
        ("", True, False, "there"),
        ("missing", True, False, "there"),
        ("if_not_present", True, False, "there"),
        ("never", True, False, "there"),
        ("", False, True, "pulled"),
        ("missing", False, True, "pulled"),
        ("always", True, True, "pulled"),
        ("always", False, True, "pulled"),
        # Never a silent fallback to what happens to be there.
        ("always", True, False, "cannot be pulled"),
        ("missing", False, False, "cannot be pulled"),
        ("never", False, True, "pull_policy is never"),
    ],
)
def test_the_policy_decides(policy: str, known: bool, reachable: bool, expected: str) -> None:
    engine = Shelf(*(["web:1"] if known else []), registry=("web:1",) if reachable else ())
    before = engine.image_id("web:1")
    wanted = ImageSource("web:1")
    if expected in ("there", "pulled"):
        found = bring(engine, wanted, policy)
        assert found == (before if expected == "there" else "sha256:" + "9" * 64)
        return
    with pytest.raises(ImageUnusable, match=expected) as raised:
        bring(engine, wanted, policy)
    assert "./image.tar" in raised.value.hint
    if expected == "cannot be pulled":
        assert "no such host" in raised.value.message


def test_finding_an_image_changes_nothing_and_says_what_is_to_come() -> None:
    engine = Shelf("web:1")
    assert images.find(engine, ImageSource("web:1"), "lab", "always") == Finding(engine.image_id("web:1") or "", "pull")
    assert images.find(engine, ImageSource("web:2"), "lab") == Finding(action="pull")
    assert images.find(engine, ImageSource("web:2"), "lab", "never").hint
    with pytest.raises(ImageUnusable, match="pull_policy build"):
        images.find(engine, ImageSource("web:2"), "lab", "build")
