"""Images from files in a real Docker Engine, which loads no OCI layout by itself, and from a real registry."""

from __future__ import annotations

import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine import SOCKET, Engine
from image_support import Images, engine_objects
from imagebuilder import Layout, config, layer, save, saved
from support import assert_same, snapshot

from netcompose.agent.runtimes.imagefile import Platform, platform_of
from netcompose.errors import ImageUnusable
from netcompose.transports import images
from netcompose.transports.base import Connection

BUSYBOX = Path("/bin/busybox")
REGISTRY = "localhost:5000"

TOPOLOGY = """
name: lab
networks:
  lan: {{subnets: [10.5.0.0/24]}}
containers:
  web:
    image: {image}
    networks: {{lan: {{ipv4_address: 10.5.0.10}}}}
    stop_grace_period: 0
  nat:
    networks: {{lan: {{ipv4_address: 10.5.0.20}}}}
"""


@pytest.fixture
def here(image_engine: Engine) -> Platform:
    return platform_of(image_engine.host.run(["uname", "-m"], check=True).stdout.strip())


@pytest.fixture
def agent(image_engine: Engine) -> Iterator[Connection]:
    """An agent in the engine's host, at the other end of a stream, as a remote host's is."""
    connection = image_engine.host.connect()
    yield connection
    connection.close()


def programs(motd: str = "from a file") -> list[bytes]:
    """Two layers that run: a static busybox, and what it shows."""
    if not BUSYBOX.exists() or b"/ld-linux" in BUSYBOX.read_bytes()[:4096]:
        pytest.skip("/bin/busybox is not the static one (package busybox-static)")
    links = {f"bin/{name}": "busybox" for name in ("sh", "cat", "sleep", "ping", "ip", "grep")}
    base = layer({"bin/": "", "bin/busybox": BUSYBOX.read_bytes(), **links})
    return [base, layer({"etc/": "", "etc/motd": f"{motd}\n".encode()}, mode=0o644)]


RUN = ["/bin/sh", "-c", "cat /etc/motd; exec sleep 100000"]


def make(path: Path, form: str, platform: Platform, layers: list[bytes]) -> None:
    if form == "saved":
        saved(path, layers, "web:1", architecture=platform.architecture, Cmd=RUN)
    else:
        made = Layout(path)
        made.image(layers, platform.architecture, packed=form == "layout", Cmd=RUN)
        made.finish()


def tags(engine: Engine) -> list[str]:
    listed = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    return sorted(tag for tag in listed if tag.startswith("netcompose/"))


def everything(engine: Engine) -> list[str]:
    return sorted(engine.docker("image", "ls", "--all", "--quiet").stdout.split())


def bring(agent: Connection, engine: Engine, folder: Path) -> str:
    machine = engine.host.run(["uname", "-m"], check=True).stdout.strip()
    wanted = images.source("./web", str(folder), machine)
    return images.bring(agent, wanted, "lab", policy="", machine=machine, zstd=False, progress=None)


@pytest.mark.parametrize("form", ["layout", "layout-plain", "saved"])
def test_an_image_of_a_file_is_sent_to_a_host_that_lacks_it(
    image_engine: Engine, agent: Connection, here: Platform, tmp_path: Path, form: str
) -> None:
    make(tmp_path / "web", form, here, programs())
    found = bring(agent, image_engine, tmp_path)
    assert tags(image_engine) == [f"netcompose/lab:{found[7:]}"]
    argv = ["run", "--rm", "--network", "none", found, "cat", "/etc/motd"]
    assert image_engine.docker(*argv).stdout == "from a file\n"

    # It is there now, whatever it is called: the file itself is not read again.
    image_engine.docker("tag", found, "theirs:1")
    image_engine.docker("rmi", f"netcompose/lab:{found[7:]}")
    part = next((tmp_path / "web").rglob("blobs/sha256/*"), tmp_path / "web")
    before = part.read_bytes()
    sent: list[bytes] = []
    agent.load_image = sent.extend  # type: ignore[method-assign,assignment]
    assert bring(agent, image_engine, tmp_path) == found
    assert sent == [] and part.read_bytes() == before
    assert tags(image_engine) == [f"netcompose/lab:{found[7:]}"]


def test_an_image_that_is_damaged_on_its_way_leaves_nothing_in_the_engine(
    image_engine: Engine, agent: Connection, here: Platform, tmp_path: Path
) -> None:
    before = everything(image_engine)

    def broken() -> Iterator[bytes]:
        member = tarfile.TarInfo("layer.tar")
        member.size = 50_000_000
        yield member.tobuf()
        yield bytes(5_000_000)
        raise ImageUnusable("it is not what the image says")

    with pytest.raises(ImageUnusable, match="not what the image says"):
        agent.load_image(broken())
    # The same connection is of use for the next.
    assert everything(image_engine) == before
    make(tmp_path / "web", "layout", here, programs())
    assert bring(agent, image_engine, tmp_path)


def test_what_the_engine_refuses_is_told_in_its_words(image_engine: Engine, agent: Connection) -> None:
    with pytest.raises(Exception, match=r"(?i)archive|tar|EOF") as raised:
        agent.load_image(iter([b"no archive" * 1000]))
    assert type(raised.value).__name__ in ("EngineRefused", "ImageUnusable")


def test_a_host_that_is_lost_meanwhile_takes_nothing(image_engine: Engine, agent: Connection) -> None:
    before = everything(image_engine)

    def cut() -> Iterator[bytes]:
        yield bytes(1 << 20)
        agent.close()
        yield bytes(1 << 20)

    with pytest.raises(Exception, match=r"closed|lost"):
        agent.load_image(cut())
    assert everything(image_engine) == before


@pytest.mark.parametrize("form", ["layout", "saved"])
def test_up_from_a_file_and_again_with_another_content(
    image_engine: Engine, here: Platform, tmp_path: Path, form: str
) -> None:
    make(tmp_path / "web", form, here, programs())
    lab = Images(image_engine, tmp_path, TOPOLOGY.format(image="./web"))
    before = snapshot(lab.host)
    said = lab.nc("plan")
    assert "container/web" in said and tags(image_engine) == []
    lab.up()
    lab.await_running("web")
    assert lab.nc("logs", "web") == "from a file\n" and lab.pings("web", "nat")
    (first,) = tags(image_engine)
    assert lab.inspect("web")["Image"].removeprefix("sha256:") == first.rpartition(":")[2]

    # The same content under the file's name is no difference, another one is a new container.
    again = tmp_path / "again"
    make(again, form, here, programs("another content"))
    (tmp_path / "web").rename(tmp_path / "old")
    again.rename(tmp_path / "web")
    assert lab.actions()["container/web"] == "delete+create"
    lab.up()
    lab.await_running("web")
    assert lab.nc("logs", "web") == "another content\n" and lab.pings("web", "nat")
    lab.nc("down")
    assert engine_objects(image_engine) == []
    assert_same(lab.host, before)
    # Images stay.
    assert len(tags(image_engine)) == 2


def test_a_file_that_cannot_be_used_is_told_with_its_line_before_any_change(
    image_engine: Engine, here: Platform, tmp_path: Path
) -> None:
    lab = Images(image_engine, tmp_path, TOPOLOGY.format(image="./web"))
    before = snapshot(lab.host)
    other = "arm64" if here.architecture == "amd64" else "amd64"
    good = programs()
    for damage, words in (
        (lambda: None, "there is no such image"),
        (lambda: (tmp_path / "web").write_bytes(b"nothing"), "this is no image archive"),
        (lambda: saved(tmp_path / "web", good, architecture=other), f"the image is for linux/{other}"),
        (
            lambda: save(tmp_path / "web", [(config(good, here.architecture), [good[0], good[0]], [])]),
            "is not what the image says",
        ),
    ):
        damage()
        for command in ("plan", "up"):
            said = lab.refused(command, status=3)
            assert "topology.yaml:7:" in said and words in said, said
    assert tags(image_engine) == []
    assert_same(lab.host, before)


def test_a_saved_plan_needs_its_image(image_engine: Engine, here: Platform, tmp_path: Path) -> None:
    make(tmp_path / "web", "layout", here, programs())
    lab = Images(image_engine, tmp_path, TOPOLOGY.format(image="./web"))
    lab.nc("plan", "--out", str(tmp_path / "plan.json"))
    before = snapshot(lab.host)
    said = lab.refused("apply", str(tmp_path / "plan.json"), status=1)
    assert "has no image netcompose/lab:" in said and "netcompose up brings it" in said
    assert_same(lab.host, before)
    lab.up()


def test_apply_brings_the_image_as_well(image_engine: Engine, here: Platform, tmp_path: Path) -> None:
    make(tmp_path / "web", "layout", here, programs())
    lab = Images(image_engine, tmp_path, TOPOLOGY.format(image="./web"))
    lab.nc("apply", "--yes")
    lab.await_running("web")
    assert lab.actions() == {}


@pytest.fixture
def registry(image_engine: Engine, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A registry in the engine's host, with ``lab/web:1``; called, it ends."""
    if subprocess.run(["which", "docker-registry"], capture_output=True).returncode:
        pytest.skip("not installed: docker-registry")
    settings = tmp_path / "registry.yml"
    settings.write_text(
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: /mnt/registry}}\n"
        f"http: {{addr: '{REGISTRY}'}}\n"
    )
    null = subprocess.DEVNULL
    process = image_engine.host.popen(["docker-registry", "serve", str(settings)], stdout=null, stderr=null)
    push(image_engine, "small")

    def end() -> None:
        pid = image_engine.host.run(["sh", "-c", "ss -Htlnp 'sport = :5000' | grep -o 'pid=[0-9]*'"]).stdout.strip()
        image_engine.host.run(["kill", pid.removeprefix("pid=")], check=True)
        process.wait(20)

    yield end


def push(engine: Engine, image: str) -> None:
    engine.docker("tag", image, f"{REGISTRY}/lab/web:1")
    end = time.monotonic() + 20
    while engine.docker("push", "--quiet", f"{REGISTRY}/lab/web:1", check=False).returncode:
        assert time.monotonic() < end, "the registry does not answer"
        time.sleep(0.1)
    engine.docker("rmi", f"{REGISTRY}/lab/web:1")


def test_an_image_is_pulled_as_its_policy_says(
    image_engine: Engine, registry: Callable[[], None], tmp_path: Path
) -> None:
    text = TOPOLOGY.format(image=f"{REGISTRY}/lab/web:1\n    pull_policy: never")
    lab = Images(image_engine, tmp_path, text)
    said = lab.refused("up", status=3)
    assert "topology.yaml:7:" in said and "pull_policy is never" in said and "docker pull" in said

    lab.edit("pull_policy: never", "pull_policy: missing")
    assert (
        "container/web" in lab.actions() and not image_engine.docker("image", "ls", "-q", f"{REGISTRY}/lab/web").stdout
    )
    lab.up()
    first = lab.inspect("web")["Image"]

    # The registry has another one under this name: "missing" keeps what is there, "always" takes it.
    image_engine.docker("tag", f"{REGISTRY}/lab/web:1", "kept:1")
    image_engine.docker("create", "--name", "made", "small")
    image_engine.docker("commit", "--change", "ENV NEWER=1", "made", "newer")
    image_engine.docker("rm", "made")
    push(image_engine, "newer")
    image_engine.docker("tag", "kept:1", f"{REGISTRY}/lab/web:1")
    assert lab.actions() == {}
    lab.edit("pull_policy: missing", "pull_policy: always")
    lab.nc("up")
    assert lab.inspect("web")["Image"] != first
    assert lab.actions() == {}

    # Never a silent fallback to what is there.
    registry()
    said = lab.refused("up", status=3)
    assert "topology.yaml:7:" in said and "cannot be pulled" in said and "docker save" in said
    lab.edit("pull_policy: always", "pull_policy: missing")
    assert lab.actions() == {}


def test_a_registry_that_has_no_such_image_is_a_problem_of_the_plan(
    image_engine: Engine, registry: Callable[[], None], tmp_path: Path
) -> None:
    lab = Images(image_engine, tmp_path, TOPOLOGY.format(image=f"{REGISTRY}/lab/other:1"))
    said = lab.refused("plan", status=3)
    assert "topology.yaml:7:" in said and "manifest unknown" in said
    assert SOCKET and engine_objects(image_engine) == []
