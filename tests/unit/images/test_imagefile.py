"""Images in files: what is read of an OCI layout or a saved archive, and what is refused."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from imagebuilder import INDEX, Layout, config, digest, layer, pack, save, saved

from netcompose.agent.runtimes import imagefile
from netcompose.agent.runtimes.imagefile import Platform, platform_of
from netcompose.errors import ImageUnusable

AMD = platform_of("x86_64")
BASE = layer({"etc/": "", "etc/motd": b"hello\n"})
TOP = layer({"bin/": "", "bin/run": b"#!/bin/sh\n"})


def refused(path: str | Path, platform: Platform = AMD, *, whole: bool = False) -> str:
    """The message and the hint with which an image is refused."""
    with pytest.raises(ImageUnusable) as raised:
        image = imagefile.read(str(path), platform)
        if whole:
            imagefile.check(image)
    assert str(path).partition(":")[0] in raised.value.message
    return f"{raised.value.message} | {raised.value.hint}"


@pytest.mark.parametrize("packed", [True, False])
def test_a_layout_is_known_by_its_configuration(tmp_path: Path, packed: bool) -> None:
    layout = Layout(tmp_path / "web")
    layout.image([BASE, TOP], packed=packed)
    image = imagefile.read(str(layout.finish()), AMD)

    assert image.id == digest(config([BASE, TOP]))
    assert [blob.diff_id for blob in image.layers] == [digest(BASE), digest(TOP)]
    assert [blob.compression for blob in image.layers] == (["gzip", "gzip"] if packed else ["", ""])
    assert image.size == sum(blob.size for blob in (image.config, *image.layers))
    imagefile.check(image)


def test_a_layout_in_an_archive_is_the_same_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "web")
    layout.image([BASE])
    folder = imagefile.read(str(layout.finish()), AMD)
    for name, mode in (("web.tar", "w"), ("web.tgz", "w:gz")):
        image = imagefile.read(str(pack(layout.path, tmp_path / name, mode)), AMD)
        assert (image.id, image.size) == (folder.id, folder.size)
        imagefile.check(image)


def test_a_saved_archive_is_known_by_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "web.tar"
    identity = saved(path, [BASE, TOP], "web:1.0", Cmd=["/bin/run"])
    image = imagefile.read(str(path), AMD)
    assert (image.id, image.names) == (identity, ("web:1.0",))
    imagefile.check(image)


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_saved_archive_may_be_compressed(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "web.tar.packed"
    identity = save(path, [(config([BASE, TOP]), [BASE, TOP], [])], mode)
    image = imagefile.read(str(path), AMD)
    assert image.id == identity
    imagefile.check(image)


def test_a_saved_archive_that_was_unpacked_is_an_image_as_well(tmp_path: Path) -> None:
    identity = saved(tmp_path / "web.tar", [BASE])
    with tarfile.open(tmp_path / "web.tar") as tar:
        tar.extractall(tmp_path / "web", filter="data")
    assert imagefile.read(str(tmp_path / "web"), AMD).id == identity


def test_layers_that_are_links_to_others_are_followed(tmp_path: Path) -> None:
    # As engines before 25 saved a layer that is there twice.
    settings = config([BASE, BASE])
    manifest = [{"Config": digest(settings)[7:] + ".json", "Layers": ["one/layer.tar", "two/layer.tar"]}]
    folder = tmp_path / "parts"
    (folder / "one").mkdir(parents=True)
    (folder / "two").mkdir()
    (folder / "one" / "layer.tar").write_bytes(BASE)
    (folder / "two" / "layer.tar").symlink_to("../one/layer.tar")
    (folder / manifest[0]["Config"]).write_bytes(settings)  # type: ignore[operator]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    image = imagefile.read(str(pack(folder, tmp_path / "web.tar")), AMD)
    assert [blob.size for blob in image.layers] == [len(BASE)] * 2
    imagefile.check(image)


def test_the_hosts_platform_is_chosen(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "web")
    for architecture in ("arm64", "amd64", "s390x"):
        layout.image([layer({"name": architecture.encode()})], architecture)
    path = str(layout.finish())
    for machine, architecture in (("x86_64", "amd64"), ("aarch64", "arm64"), ("s390x", "s390x")):
        wanted = layer({"name": architecture.encode()})
        assert [b.diff_id for b in imagefile.read(path, platform_of(machine)).layers] == [digest(wanted)]
    said = refused(path, platform_of("riscv64"))
    assert "the image is for linux/amd64, linux/arm64, linux/s390x, and the host is linux/riscv64" in said
    assert "--platform linux/riscv64" in said


def test_the_platform_of_the_configuration_counts_where_the_index_has_none(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "web")
    del layout.image([BASE], "arm64")["platform"]
    path = layout.finish()
    assert imagefile.read(str(path), platform_of("aarch64")).platform.architecture == "arm64"
    assert "for linux/arm64" in refused(path)
    saved(tmp_path / "web.tar", [BASE], architecture="arm64")
    assert "for linux/arm64" in refused(tmp_path / "web.tar")


@pytest.mark.parametrize(
    "machine, variants, chosen",
    [
        ("armv7l", ["v5", "v6", "v7"], "v7"),
        ("armv7l", ["v5", "v6"], "v6"),
        ("armv6l", ["v5", "v7"], "v5"),
        ("armv6l", ["v7"], None),
        ("armv7l", [""], ""),
    ],
)
def test_arm_has_versions(tmp_path: Path, machine: str, variants: list[str], chosen: str | None) -> None:
    layout = Layout(tmp_path / "web")
    for variant in variants:
        layout.image([layer({"name": variant.encode()})], "arm")["platform"]["variant"] = variant
    path = str(layout.finish())
    if chosen is None:
        assert "the host is linux/arm/v6" in refused(path, platform_of(machine))
    else:
        assert imagefile.read(path, platform_of(machine)).platform.variant == chosen


def test_indexes_within_indexes_and_attestations(tmp_path: Path) -> None:
    # As buildx writes it: an index per name, with an attestation beside each image.
    layout = Layout(tmp_path / "web")
    image = layout.image([BASE])
    attestation = layout.image([TOP])
    attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
    attestation["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    inner = layout.blob(json.dumps({"schemaVersion": 2, "manifests": [image, attestation]}).encode(), INDEX)
    path = layout.finish([inner])
    assert [b.diff_id for b in imagefile.read(str(path), AMD).layers] == [digest(BASE)]
    # It is no platform either that one could have.
    assert "the image is for linux/amd64, and" in refused(path, platform_of("s390x"))


def test_several_images_are_told_apart_by_name(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "web")
    layout.image([BASE], name="1.0")
    layout.image([TOP], name="2.0")
    path = layout.finish()
    said = refused(path)
    assert "there are 2 images in it" in said and f"{path}:NAME; it has: 1.0, 2.0" in said
    assert [b.diff_id for b in imagefile.read(f"{path}:2.0", AMD).layers] == [digest(TOP)]
    assert "it has no image 3.0" in refused(f"{path}:3.0")

    images = [(config([data]), [data], [f"web:{n}", f"lab/web:{n}"]) for n, data in (("1.0", BASE), ("2.0", TOP))]
    save(tmp_path / "web.tar", images)
    assert "there are 2 images in it" in refused(tmp_path / "web.tar")
    assert imagefile.read(f"{tmp_path}/web.tar:2.0", AMD).id == digest(config([TOP]))


def _remove(layout: Layout, entry: dict[str, object]) -> None:
    layout.file(_part(layout, entry, "layers")).unlink()


def _part(layout: Layout, entry: dict[str, object], what: str) -> str:
    manifest = json.loads(layout.file(str(entry["digest"])).read_bytes())
    return str((manifest["layers"][0] if what == "layers" else manifest["config"])["digest"])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage, said",
    [
        (_remove, "is missing | the image is incomplete"),
        (lambda layout, entry: layout.file(_part(layout, entry, "config")).unlink(), "is missing"),
        (lambda layout, entry: layout.file(str(entry["digest"])).unlink(), "is missing"),
        (lambda layout, entry: _flip(layout.file(_part(layout, entry, "layers"))), "is not what the image says"),
        (lambda layout, entry: _flip(layout.file(_part(layout, entry, "config"))), "is not what the image says"),
        (lambda layout, entry: _flip(layout.file(str(entry["digest"]))), "is not what the image says"),
        (lambda layout, entry: layout.file(_part(layout, entry, "layers")).write_bytes(b"x"), "has 1 bytes, and"),
        (lambda layout, entry: entry.update(digest="sha256:../../../etc/passwd"), "is no digest"),
        (lambda layout, entry: entry.update(digest=7), "is no digest"),
    ],
)
def test_a_damaged_layout_is_refused(
    tmp_path: Path, damage: Callable[[Layout, dict[str, object]], None], said: str
) -> None:
    layout = Layout(tmp_path / "web")
    entry = layout.image([BASE])
    damage(layout, entry)
    assert said in refused(layout.finish(), whole=True)


def test_a_damaged_saved_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.tar"
    settings, other = config([BASE]), config([TOP])
    save(path, [(settings, [TOP], [])])
    assert "is not what the image says" in refused(path, whole=True)
    save(path, [(settings, [gzip.compress(TOP)], [])])
    assert "is not what the image says" in refused(path, whole=True)
    save(path, [(settings, [BASE, TOP], [])])
    assert "does not name its 2 layers" in refused(path)
    save(path, [(settings, [BASE], [])])
    whole = path.read_bytes()
    path.write_bytes(whole.replace(settings, other))
    assert "is not what the image says" in refused(path)
    path.write_bytes(gzip.compress(whole)[:-200])
    assert "this is no image archive" in refused(path)
    path.write_bytes(b"nothing of the sort")
    assert "this is no image archive" in refused(path)


def test_a_saved_archive_with_compressed_layers(tmp_path: Path) -> None:
    path = tmp_path / "web.tar"
    save(path, [(config([BASE]), [gzip.compress(BASE)], [])])
    imagefile.check(imagefile.read(str(path), AMD))


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../secret"])
def test_names_do_not_lead_out_of_the_image(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"{}")
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps([{"Config": name, "Layers": []}]))
    assert "lies outside of the image" in refused(folder)


@pytest.mark.parametrize(
    "content, said",
    [
        ("[]", "lists no image"),
        ("{", "is not JSON"),
        ("[3]", "lists no image"),
        ('[{"Config": 1}]', "without Config or Layers"),
        (" " * (5 << 20), "is larger than 4 MiB"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert said in refused(tmp_path)


@pytest.mark.parametrize(
    "content, said",
    [("[]", "lists no manifests"), ('{"manifests": []}', "lists no image"), ('{"manifests": [3]}', "an entry")],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "index.json").write_text(content)
    assert said in refused(tmp_path)


def test_what_is_no_image_is_refused_with_the_way_to_one(tmp_path: Path) -> None:
    assert "there is no such image | a path is relative to the topology's file" in refused(tmp_path / "web.tar")
    (tmp_path / "tree").mkdir()
    assert "neither index.json nor manifest.json" in refused(tmp_path / "tree")
    (tmp_path / "exported.tar").write_bytes(BASE)
    assert "`docker import` makes one" in refused(tmp_path / "exported.tar")


def test_something_else_than_an_image_in_a_layout_is_refused(tmp_path: Path) -> None:
    # A chart, a module: things that registries hold beside images.
    layout = Layout(tmp_path / "web")
    entry = layout.image([BASE])
    manifest = json.loads(layout.file(entry["digest"]).read_bytes())
    manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    other = layout.blob(json.dumps(manifest).encode(), entry["mediaType"])
    other["platform"] = entry["platform"]
    assert "holds no container image, but application/vnd.cncf.helm.config.v1+json" in refused(layout.finish([other]))
