"""What the controller asks of a host's engine about images: which it has, and to take, pull and name some.

An image that comes from the controller is sent in pieces, each a request of its own, and handed to the engine as a
stream: nothing of it is kept on the host but by the engine.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Callable, Iterator, Mapping, Optional, Sequence, TypeVar

from netcompose.agent import library
from netcompose.agent.runtimes import engine as engines
from netcompose.agent.runtimes.engine import Engine, Progress
from netcompose.errors import HostLacks, ImageUnusable, NetcomposeError

#: Pieces of an image that wait for the engine.
_WAITING = 4
_Answer = TypeVar("_Answer")


def ask(call: Callable[[Engine], _Answer]) -> _Answer:
    """Call with this host's engine. Raises HostLacks if there is none."""
    engine = engines.at_hand()
    if engine is None:
        raise HostLacks(engines.lacking(), hint="install docker.io there")
    with contextlib.closing(engine):
        return call(engine)


def known(names: Sequence[str]) -> Mapping[str, str]:
    """The ids of images by name, empty for those that the engine does not have."""
    return ask(lambda engine: {name: engine.image_id(name) or "" for name in names})


def unreachable(names: Sequence[str]) -> Mapping[str, str]:
    """Why images cannot be pulled, by name; empty for those that can."""
    return ask(lambda engine: {name: engine.unreachable(name) for name in names})


def pull(name: str, progress: Optional[Progress]) -> str:
    """Pull an image; its id."""
    return ask(lambda engine: engine.pull(name, progress))


def tag(id: str, name: str) -> None:
    """Give an image one more name."""
    ask(lambda engine: engine.tag_image(id, name))


def load(stream: Iterator[bytes]) -> str:
    """Load an archive; what the engine says that it loaded."""
    return ask(lambda engine: engine.load(stream))


class Arrival:
    """An archive that arrives in pieces, while a thread hands them to the engine."""

    def __init__(self) -> None:
        # The controller can be asked for the SDK now; the thread could not while the controller waits for an answer.
        library.need()
        self._pieces: queue.Queue[Optional[bytes]] = queue.Queue(_WAITING)
        self._said = ""
        self._error: Optional[BaseException] = None
        self._aborted = False
        self._thread = threading.Thread(target=self._load, name="image", daemon=True)
        self._thread.start()

    def piece(self, data: bytes) -> None:
        """The next piece. Raises what the engine has raised meanwhile."""
        self._put(data)

    def end(self) -> str:
        """All of it is there; what the engine says."""
        self._put(None)
        self._thread.join()
        self._refuse()
        return self._said

    def abort(self) -> None:
        """No more comes: the engine takes nothing of it."""
        self._aborted = True
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._pieces.put(None, timeout=0.1)
            self._thread.join(0.1)

    def _put(self, data: Optional[bytes]) -> None:
        while True:
            self._refuse()
            if not self._thread.is_alive():
                raise ImageUnusable("the engine has ended the load before the image's end")
            with contextlib.suppress(queue.Full):
                self._pieces.put(data, timeout=0.5)
                return

    def _refuse(self) -> None:
        if self._error is not None:
            raise self._error

    def _load(self) -> None:
        try:
            self._said = load(self._stream())
        except NetcomposeError as error:
            self._error = error
        except Exception as error:
            self._error = ImageUnusable("the image cannot be loaded: {}".format(error))

    def _stream(self) -> Iterator[bytes]:
        while True:
            data = self._pieces.get()
            if self._aborted:
                raise ImageUnusable("the image did not arrive whole")
            if data is None:
                return
            yield data
