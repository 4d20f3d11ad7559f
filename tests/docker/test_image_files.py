"""Images from files in a real Docker Engine, which loads no OCI layout by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import SOCKET, Engine
from imagebuilder import Layout, layer, saved

from netcompose.agent.runtimes import images
from netcompose.agent.runtimes.imagefile import platform_of
from netcompose.errors import ImageUnusable

BUSYBOX = Path("/bin/busybox")


class CommandLine:
    """What images are loaded through: the engine's own command line."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.loads = 0

    def image_id(self, ref: str) -> str | None:
        done = self._engine.docker("image", "inspect", "--format", "{{.Id}}", ref, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def load(self, stream: Iterator[bytes]) -> str:
        self.loads += 1
        argv = ["docker", "--host", SOCKET, "load", "--quiet"]
        process = self._engine.host.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdin is not None
        try:
            for piece in stream:
                process.stdin.write(piece)
        except BaseException:
            process.kill()
            raise
        finally:
            said = process.communicate(timeout=60)[0].decode()
        if process.returncode:
            raise ImageUnusable(said)
        return said.strip()

    def pull(self, ref: str, progress: images.Progress | None) -> str:
        done = self._engine.docker("pull", "--quiet", ref, check=False)
        if done.returncode:
            raise ImageUnusable(done.stderr.strip())
        return done.stdout.strip()


def machine(engine: Engine) -> images.Platform:
    return platform_of(engine.host.run(["uname", "-m"], check=True).stdout.strip())


@pytest.fixture
def programs(engine: Engine) -> list[bytes]:
    """Two layers that run."""
    if not BUSYBOX.exists() or b"/ld-linux" in BUSYBOX.read_bytes()[:4096]:
        pytest.skip("/bin/busybox is not the static one (package busybox-static)")
    base = layer({"bin/": "", "bin/busybox": BUSYBOX.read_bytes(), "bin/sh": "busybox", "bin/cat": "busybox"})
    return [base, layer({"etc/": "", "etc/motd": b"from a file\n"}, mode=0o644)]


def ids(engine: Engine) -> list[str]:
    return engine.docker("image", "ls", "--no-trunc", "--quiet").stdout.split()


@pytest.mark.parametrize("form", ["layout", "layout-plain", "saved"])
def test_an_image_of_a_file_runs(engine: Engine, programs: list[bytes], tmp_path: Path, form: str) -> None:
    platform = machine(engine)
    cmd = ["/bin/cat", "/etc/motd"]
    if form == "saved":
        saved(tmp_path / "web", programs, "web:1", architecture=platform.architecture, Cmd=cmd)
    else:
        made = Layout(tmp_path / "web")
        made.image(programs, platform.architecture, packed=form == "layout", Cmd=cmd)
        made.finish()
    wanted = images.source("./web", str(tmp_path), platform)
    client = CommandLine(engine)

    assert images.find(client, wanted, "lab").action == "load"
    found = images.bring(client, wanted, "lab", platform=platform)
    assert found == wanted.id
    assert ids(engine) == [wanted.id]
    assert engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").stdout.split() == [
        images.tag("lab", wanted.id)
    ]
    assert engine.docker("run", "--rm", "--network", "none", found).stdout == "from a file\n"
    # It is there now, whatever it is called.
    engine.docker("tag", found, "theirs:1")
    engine.docker("rmi", images.tag("lab", wanted.id))
    assert images.bring(client, wanted, "lab", platform=platform) == found
    assert client.loads == 1


def test_a_damaged_image_leaves_nothing_in_the_engine(engine: Engine, programs: list[bytes], tmp_path: Path) -> None:
    platform = machine(engine)
    made = Layout(tmp_path / "web")
    made.image(programs, platform.architecture)
    wanted = images.source("./web", str(made.finish().parent), platform)
    image = images.usable(wanted, platform)
    # Damaged while it is sent: every part has been verified before.
    part = made.file(image.layers[-1].digest)
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    client = CommandLine(engine)
    with pytest.raises(ImageUnusable, match="is not what the image says"):
        client.load(images.imagestream.stream(image, ["lab:1"]))
    assert ids(engine) == []


def test_a_registry_that_is_out_of_reach_is_told_with_its_words(engine: Engine) -> None:
    client = CommandLine(engine)
    for policy in ("", "always"):
        with pytest.raises(ImageUnusable, match="cannot be pulled") as raised:
            images.bring(client, images.ImageSource("localhost:1/web:1"), "lab", policy, platform=machine(engine))
        assert "refused" in raised.value.message and "docker save" in raised.value.hint
