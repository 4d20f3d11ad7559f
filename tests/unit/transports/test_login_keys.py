"""Keys for logging in: read once for all hosts, and again when the file is another one."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from netcompose.transports.ssh.login import Identities
from netcompose.transports.ssh.settings import Hop

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


def make(path: Path, *options: str) -> None:
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", *options, "-f", path], check=True)


def offered(*paths: Path) -> list[Any]:
    hop = Hop("lab1", "lab1", 22, "root", identity_files=tuple(map(str, paths)))
    return [key for _, key in Identities(hop)]


def test_a_key_is_read_once_for_all_hosts(tmp_path, monkeypatch):
    import paramiko

    make(tmp_path / "id")
    reads: list[str] = []
    real = paramiko.PKey.from_path
    monkeypatch.setattr(paramiko.PKey, "from_path", lambda path: reads.append(path) or real(path))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.extend(offered(tmp_path / "id"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len({id(key) for key in found}) == 1 and reads == [str(tmp_path / "id")]


def test_another_key_of_that_name_is_read_again(tmp_path):
    make(tmp_path / "id")
    (before,) = offered(tmp_path / "id")
    (tmp_path / "id.pub").unlink()
    make(tmp_path / "id")
    (after,) = offered(tmp_path / "id")
    assert after.asbytes() != before.asbytes()
    (tmp_path / "id").unlink()
    assert offered(tmp_path / "id") == []


def test_what_cannot_be_used_is_said_for_every_host(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "id"], check=True)
    (tmp_path / "none").write_text("no key\n")
    for _ in range(2):
        identities = Identities(
            Hop("lab1", "lab1", 22, "root", identity_files=(str(tmp_path / "id"), str(tmp_path / "none")))
        )
        assert list(identities) == []
        assert [words.partition("needs")[0] or words for words in identities.unusable] == [
            f"{tmp_path / 'id'} ",
            f"{tmp_path / 'none'} is no private key that can be read",
        ]
