"""known_hosts, beside what ssh-keygen says of the same files."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading

import pytest

from netcompose.transports.ssh import knownhosts
from netcompose.transports.ssh.knownhosts import Known, Verdict, judge, known_types, read, remember

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Public keys by name: ``(type, base64)``."""
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for name, kind in (("a", "ed25519"), ("b", "ed25519"), ("e", "ecdsa")):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", folder / name], check=True)
        found[name] = folder.joinpath(name + ".pub").read_text().split()[:2]
    return found


def blob(key):
    return base64.b64decode(key[1])


def finds(path, name):
    """True if OpenSSH finds the name in the file."""
    return subprocess.run(["ssh-keygen", "-F", name, "-f", path], capture_output=True).returncode == 0


def test_a_fingerprint_is_the_one_that_openssh_shows(keys, tmp_path):
    file = tmp_path / "key.pub"
    file.write_text(" ".join(keys["e"]))
    shown = subprocess.run(["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True).stdout
    assert shown.split()[1] == knownhosts.fingerprint(blob(keys["e"]))


@pytest.mark.parametrize(
    ("patterns", "hits", "misses"),
    [
        ("lab1", ["lab1"], ["lab10", "lab", "xlab1"]),
        ("lab1,10.0.0.4", ["lab1", "10.0.0.4"], ["10.0.0.40"]),
        ("*.lab,!bad.lab", ["a.lab", "a.b.lab"], ["bad.lab", "lab"]),
        ("!bad.lab,*.lab", ["a.lab"], ["bad.lab"]),
        ("10.0.?.4", ["10.0.1.4"], ["10.0.10.4"]),
        ("[lab1]:2222", ["[lab1]:2222"], ["lab1", "l", "[lab1]:222"]),
        ("[*.lab]:2222", ["[a.lab]:2222"], ["[a.lab]:22", "a.lab"]),
        ("LAB1", ["lab1"], []),
        ("fd00::4", ["fd00::4"], ["fd00::40"]),
    ],
)
def test_names_and_patterns(keys, tmp_path, patterns, hits, misses):
    file = tmp_path / "known_hosts"
    file.write_text(f"{patterns} {' '.join(keys['a'])}\n")
    known = read([str(file)])
    for name in hits:
        assert known.lines_for(name) == [*known.entries] and finds(file, name), name
    for name in misses:
        assert known.lines_for(name) == [] and not finds(file, name), name


def test_lines_stay_in_their_order_and_a_file_that_changes_is_read_again(keys, tmp_path):
    file = tmp_path / "known_hosts"
    text = "".join(
        f"{names} {' '.join(keys['a'])}\n" for names in ("lab1,lab1", "lab*,!lab2", "lab2,lab1", "x", "lab1")
    )
    file.write_text(text)
    assert [entry.line for entry in read([str(file)]).lines_for("lab1")] == [1, 2, 3, 5]
    assert read([str(file)]) is read([str(file)])
    remember(str(file), "lab9", blob(keys["e"]))
    assert [entry.line for entry in read([str(file)]).lines_for("lab9")] == [2, 6]
    file.write_text(text.replace("x ", "y "))
    assert [entry.line for entry in read([str(file)]).lines_for("y")] == [4]


def test_hashed_names_of_openssh_are_found_and_ours_by_openssh(keys, tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"lab1 {' '.join(keys['a'])}\n[lab2]:2222 {' '.join(keys['e'])}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    remember(str(file), "lab3", blob(keys["b"]), hashed=True)
    assert "lab" not in file.read_text()
    entries = read([str(file)])
    for name, key in (("lab1", "a"), ("[lab2]:2222", "e"), ("lab3", "b")):
        assert finds(file, name)
        assert judge(entries, name, blob(keys[key])).verdict is Verdict.KNOWN
        assert judge(entries, name + "x", blob(keys[key])).verdict is Verdict.UNKNOWN


def test_verdicts(keys, tmp_path):
    file = tmp_path / "known_hosts"
    a, b, e = (" ".join(keys[name]) for name in "abe")
    file.write_text(
        f"# a comment\n\n@cert-authority *.lab {b}\nlab1 {a} and a comment\nlab2\t{e}\n@revoked * {b}\nlab3 {b}\n"
        f"not a line\nlab4 ssh-ed25519 !!!\n@unheard-of lab5 {a}\nlab6 ssh-ed25519 AAAA\n"
    )
    entries = read([str(tmp_path / "nothing"), str(file), str(tmp_path)])
    assert [entry.line for entry in entries.entries] == [3, 4, 5, 6, 7]
    known = judge(entries, "lab1", blob(keys["a"]))
    assert known.verdict is Verdict.KNOWN and known.entries[0].place == f"{file}:4"
    changed = judge(entries, "lab1", blob(keys["e"]))
    assert changed.verdict is Verdict.CHANGED and [entry.line for entry in changed.entries] == [4]
    assert judge(entries, "lab3", blob(keys["b"])).verdict is Verdict.REVOKED
    certified = judge(entries, "x.lab", blob(keys["a"]))
    assert certified.verdict is Verdict.UNKNOWN and [entry.line for entry in certified.authority] == [3]
    # A line that trusts an authority is not a key that the host may show itself.
    assert judge(Known(entries.entries[:1]), "x.lab", blob(keys["b"])).verdict is Verdict.UNKNOWN
    assert known_types(entries, "lab2") == ["ecdsa-sha2-nistp256"]
    assert known_types(entries, "x.lab") == []


def test_a_file_is_written_whole_private_and_keeps_what_was_there(keys, tmp_path):
    real = tmp_path / "real"
    link = tmp_path / "ssh" / "known_hosts"
    link.parent.mkdir()
    link.symlink_to(real)
    remember(str(link), "lab1", blob(keys["a"]))
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    real.chmod(0o644)
    real.write_text(real.read_text() + "# no newline at the end")
    remember(str(link), "lab2", blob(keys["b"]))
    remember(str(link), "lab2", blob(keys["b"]))
    assert real.read_text().splitlines() == [
        f"lab1 {' '.join(keys['a'])}",
        "# no newline at the end",
        f"lab2 {' '.join(keys['b'])}",
    ]
    assert real.stat().st_mode & 0o777 == 0o644
    assert sorted(os.listdir(tmp_path)) == ["real", "ssh"] and os.listdir(link.parent) == ["known_hosts"]
    new = tmp_path / "home" / ".ssh" / "known_hosts"
    remember(str(new), "lab1", blob(keys["a"]))
    assert new.parent.stat().st_mode & 0o777 == 0o700
    remember("/dev/null", "lab1", blob(keys["a"]))
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_many_writers_lose_nothing(keys, tmp_path):
    file = tmp_path / "known_hosts"
    names = [f"lab{number}" for number in range(40)]
    threads = [threading.Thread(target=remember, args=(str(file), name, blob(keys["a"]))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.split()[0] for line in file.read_text().splitlines()) == sorted(names)
