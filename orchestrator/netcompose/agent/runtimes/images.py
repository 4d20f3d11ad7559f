"""The image of a container, from a file or through an engine: what it is, whether the engine has it, how it gets there.

``image: ./web.tar`` or ``image: ./busybox-oci/`` names a file beside the topology's (see imagefile.py); anything else
is an image that the engine has or pulls. A file's image is known by its content, so it is loaded once, whatever it is
called, and the tags of others in the engine stay as they are.

An engine is anything with :class:`Engine`'s methods; nothing here speaks to one in any other way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Iterator, Optional, Protocol

from netcompose.errors import ImageUnusable, NetcomposeError

if TYPE_CHECKING:
    # Files are read only where a topology names one: what reads archives takes its time to import.
    from netcompose.agent.runtimes.imagefile import ImageFile, Platform

#: Called with (bytes done, bytes in all or 0, what is being done).
Progress = Callable[[int, int, str], None]

#: Compose's pull policies, with the older name of one.
ALWAYS, MISSING, NEVER = "always", "missing", "never"
_POLICIES = {"": MISSING, "if_not_present": MISSING, ALWAYS: ALWAYS, MISSING: MISSING, NEVER: NEVER}


class Engine(Protocol):
    """What is needed of a container engine."""

    def image_id(self, ref: str) -> Optional[str]:
        """The id (``sha256:...``) of an image by name, tag or id; None if the engine has none."""

    def tag_image(self, id: str, name: str) -> None:
        """Give an image one more name."""

    def load(self, stream: Iterator[bytes]) -> str:
        """Load an archive in Docker's form; the id of its image. Raises ImageUnusable if the engine refuses it."""

    def pull(self, ref: str, progress: Optional[Progress]) -> str:
        """Pull an image; its id. Raises ImageUnusable with the registry's or the engine's own words."""


@dataclass(frozen=True)
class ImageSource:
    """Where a container's image comes from: ``ref`` as written; for one in a file its ``path`` and ``id``, both empty
    for one that the engine knows by name."""

    ref: str
    id: str = ""
    path: str = ""


@dataclass(frozen=True)
class Finding:
    """How an engine stands to an image. ``id`` is the one that it has, empty for none; ``action`` is what has to be
    done before a container can be made: empty, ``load``, ``tag`` or ``pull``; ``problem`` says why that cannot be."""

    id: str = ""
    action: str = ""
    problem: str = ""
    hint: str = ""


def is_file(ref: str) -> bool:
    """Whether ``image:`` names a file: a path begins with ``./``, ``../`` or ``/``, as no name in a registry does."""
    return ref.startswith(("./", "../", "/")) or ref in (".", "..")


def source(ref: str, folder: str, platform: Platform) -> ImageSource:
    """What ``image:`` means in a topology that lies in ``folder``, on a host of this platform. The file's descriptions
    are read, its layers are not. Raises ImageUnusable."""
    if not is_file(ref):
        return ImageSource(ref)
    import os

    from netcompose.agent.runtimes import imagefile

    path = os.path.normpath(os.path.join(folder, ref))
    return ImageSource(ref, imagefile.read(path, platform).id, path)


def tag(topology: str, identity: str) -> str:
    """The tag under which an image from a file is in the engine: ``netcompose/<topology>:<hash>``. A part of a
    repository's name may not end in '-', as a topology's may."""
    return "netcompose/{}:{}".format(topology.rstrip("-"), identity.partition(":")[2])


def find(engine: Engine, wanted: ImageSource, topology: str, policy: str = "") -> Finding:
    """What there is of an image and what is missing; changes nothing and asks no registry."""
    normal_policy(policy)
    if wanted.path:
        # Known by the tag, which has the content's hash: engines with containerd's store have ids of their own.
        have = engine.image_id(tag(topology, wanted.id))
        if have:
            return Finding(have)
        have = engine.image_id(wanted.id)
        return Finding(have, "tag") if have else Finding(action="load")
    return judge(wanted.ref, engine.image_id(wanted.ref) or "", policy)


def judge(ref: str, have: str, policy: str = "") -> Finding:
    """The same for an image by name, of which the engine has ``have``, an id or nothing."""
    policy = normal_policy(policy)
    if policy == ALWAYS:
        return Finding(have, "pull")
    if have:
        return Finding(have)
    if policy == NEVER:
        return Finding(
            problem="the engine has no image {}, and pull_policy is never".format(ref),
            hint="fetch it there (docker pull {}), or name a file: image: ./image.tar".format(ref),
        )
    return Finding(action="pull")


def bring(
    engine: Engine,
    wanted: ImageSource,
    topology: str,
    policy: str = "",
    *,
    platform: Platform,
    progress: Optional[Progress] = None,
    zstd: bool = False,
) -> str:
    """Make sure that the engine has an image; its id there. Nothing is done if it has it. Raises ImageUnusable.

    ``zstd`` says whether the engine reads layers that are compressed so (Docker 23.0, Podman 4).
    """
    finding = find(engine, wanted, topology, policy)
    if finding.problem:
        raise ImageUnusable(finding.problem, hint=finding.hint)
    if not finding.action:
        return finding.id
    if finding.action == "pull":
        return _pull(engine, wanted, progress)
    name = tag(topology, wanted.id)
    if finding.action == "tag":
        engine.tag_image(finding.id, name)
        return finding.id
    from netcompose.agent.runtimes import imagestream

    image = usable(wanted, platform, zstd=zstd)
    loaded = engine.load(_told(imagestream.stream(image, [name]), imagestream.length(image), wanted.ref, progress))
    have = engine.image_id(name)
    if not have:
        raise ImageUnusable(
            "{}: the engine took the image and does not have it (it says {})".format(wanted.ref, loaded or "nothing")
        )
    return have


def usable(wanted: ImageSource, platform: Platform, *, zstd: bool = False) -> ImageFile:
    """The image of a file, every part verified: what is to be known before the first change. Raises ImageUnusable."""
    from netcompose.agent.runtimes import imagefile

    image = imagefile.read(wanted.path, platform)
    if wanted.id and image.id != wanted.id:
        raise ImageUnusable("{}: the file has changed since the plan was made".format(wanted.ref), hint="plan again")
    if image.zstd and not zstd:
        raise ImageUnusable(
            "{}: its layers are compressed with zstd, which this engine does not read".format(wanted.ref),
            hint="copy it with gzip: skopeo copy --dest-compress-format gzip, or use Docker 23.0 or newer",
        )
    imagefile.check(image)
    return image


def normal_policy(policy: str) -> str:
    """A pull policy in its one form. Raises ImageUnusable for one that is not known here."""
    try:
        return _POLICIES[policy]
    except KeyError:
        raise ImageUnusable(
            "pull_policy {} is not known here".format(policy), hint="one of: always, missing, never"
        ) from None


def _pull(engine: Engine, wanted: ImageSource, progress: Optional[Progress]) -> str:
    try:
        return engine.pull(wanted.ref, progress)
    except NetcomposeError as error:
        hint = (
            "is the registry reachable from this host? An image can also come from a file: "
            "docker save {} -o image.tar, then image: ./image.tar".format(wanted.ref)
        )
        raise ImageUnusable(
            "the image {} cannot be pulled: {}".format(wanted.ref, error.message), hint=error.hint or hint
        ) from error


def _told(data: Iterator[bytes], size: int, ref: str, progress: Optional[Progress]) -> Iterator[bytes]:
    done = 0
    for piece in data:
        yield piece
        done += len(piece)
        if progress is not None:
            progress(min(done, size), size, "load {}".format(ref))
