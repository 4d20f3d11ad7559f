"""One ``ssh -G`` answers for all hosts where the configuration says the same of each, and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netcompose.transports.ssh import alike

HOSTS = ("10.0.0.7", "web1", "db-2.example.org", "192.0.2.200")
SAME = {
    "nothing": "",
    "for all": "Host *\n  User me\n  HashKnownHosts yes\nCompression yes\n",
    "in quotes": 'Host "*"\n  IdentityFile "~/.ssh/my key"\n',
    "a jump host": "ProxyJump bastion\nUserKnownHostsFile ~/.ssh/other\n",
    "another file": "Include {folder}/more-*\n",
}
DIFFERENT = {
    "a host": "Host web1\n  User other\n",
    "a pattern": "Host web* db*\n  User other\n",
    "all but one": "Host * !web1\n  User other\n",
    "a condition": "Match host web1\n  User other\n",
    "a command": "Match exec true\n  User other\n",
    "another name": "Hostname 10.9.9.9\n",
    "a token": "IdentityFile ~/.ssh/%h\n",
    "a variable": "IdentityFile ${{HOME}}/x\n",
    "a canonical name": "CanonicalizeHostname yes\n",
    "a file that asks": "Include {folder}/asks\n",
    "what is no option": "=\n",
}


def written(folder: Path, text: str) -> str:
    (folder / "more-1").write_text("Host *\n  Port 2222\n")
    (folder / "asks").write_text("Host web1\n  Port 2222\n")
    path = folder / "config"
    path.write_text(text.format(folder=folder))
    return str(path)


def told(config: str, host: str) -> list[str]:
    done = subprocess.run(["ssh", "-G", "-F", config, host], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.split()[0] not in ("host", "hostname")]


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh")
@pytest.mark.parametrize("what", SAME)
def test_what_is_taken_for_the_same_is_the_same(tmp_path: Path, what: str) -> None:
    config = written(tmp_path, SAME[what])
    assert alike.configuration([config]) is not None
    assert all(told(config, host) == told(config, HOSTS[0]) for host in HOSTS)


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_asks_for_the_host_is_not(tmp_path: Path, what: str) -> None:
    assert alike.configuration([written(tmp_path, DIFFERENT[what])]) is None


def test_a_change_of_any_file_is_seen(tmp_path: Path) -> None:
    config = written(tmp_path, SAME["another file"])
    before = alike.configuration([config])
    (tmp_path / "more-2").write_text("User somebody\n")
    after = alike.configuration([config])
    assert before is not None and after is not None and before != after


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that ssh was asked about; the configuration is the same for all."""
    monkeypatch.setattr(alike, "_answers", {})
    monkeypatch.setattr(alike, "configuration", lambda: "user me")
    return []


def ask(asked: list[str], host: str, *options: tuple[str, str], hostname: str = "") -> alike.Answer:
    def really() -> alike.Answer:
        asked.append(host)
        return {"host": [host], "hostname": [hostname or host], "user": ["me"]}

    return alike.ask(host, options, really, alike.Configuration())


def test_all_hosts_at_once_are_one_question_for_each_set_of_options(asked: list[str]) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda host: ask(asked, host), HOSTS * 5))
    assert len(asked) == 1
    assert answers == [{"host": [host], "hostname": [host], "user": ["me"]} for host in HOSTS * 5]
    ask(asked, "web1", ("User", "root"))
    ask(asked, "web2", ("User", "root"))
    assert len(asked) == 2


@pytest.mark.parametrize(
    "host", ["Web1", "10.1", "0x7f000001", "010.0.0.1", "10.0.0.256", "fe80::1", "1.2.3.4.5", "a_b", "web1."]
)
def test_a_name_that_ssh_reads_in_its_own_way_is_always_asked_for(asked: list[str], host: str) -> None:
    assert [ask(asked, name)["hostname"] for name in ("web1", host, host)] == [["web1"], [host], [host]]
    assert asked == ["web1", host, host]


def test_an_answer_with_another_name_is_nobody_else_s(asked: list[str]) -> None:
    for _ in range(2):
        assert ask(asked, "web1", hostname="other")["hostname"] == ["other"]
    assert asked == ["web1", "web1"]
