"""The log of a command's output: whole and partial lines, rotation, tail, follow."""

import os
import re
import threading
import time

import pytest

from netcompose.agent.runtimes import output


@pytest.fixture
def log(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield tmp_path, lambda limit=output.LIMIT: output.Writer(fd, limit)
    os.close(fd)


def text(directory, **options):
    return b"".join(output.read(str(directory), **options))


def test_output_comes_back_byte_by_byte(log):
    directory, writer = log
    out = writer()
    pieces = [b"one\ntwo", b" goes on\n", b"\n\n", b"\x00\xff\r", b"end"]
    for number, piece in enumerate(pieces):
        out.write(piece, 1000.0 + number)
    assert text(directory) == b"".join(pieces)


def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert text(tmp_path / "nothing") == b""


def test_each_line_has_the_time_of_its_first_piece(log):
    directory, writer = log
    out = writer()
    out.write(b"a\nb", 0.25)
    out.write(b"c\n", 1.5)
    assert text(directory, timestamps=True) == (b"1970-01-01T00:00:00.250000Z a\n1970-01-01T00:00:00.250000Z bc\n")


@pytest.mark.parametrize(
    ("count", "expected"), [(0, b""), (1, b"open"), (2, b"three\nopen"), (3, b"two\nthree\nopen"), (9, None)]
)
def test_tail_counts_lines_of_output_not_pieces(log, count, expected):
    directory, writer = log
    out = writer()
    for piece in (b"one\ntw", b"o\nthr", b"e", b"e\nop", b"en"):
        out.write(piece, 1.0)
    assert text(directory, tail=count) == (b"one\ntwo\nthree\nopen" if expected is None else expected)


def test_since(log):
    directory, writer = log
    out = writer()
    out.write(b"early\n", 100.0)
    out.write(b"late\n", 200.5)
    assert text(directory, since=200.5) == b"late\n"
    assert text(directory, since=200.6) == b""


def test_rotation_bounds_the_disk_and_keeps_the_newest(log):
    directory, writer = log
    out = writer(limit=4000)
    for number in range(1000):
        out.write(b"line %d\n" % number, 1.0)
    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    assert set(sizes) == {"log", "log.1"} and all(0 < size <= 4000 for size in sizes.values())
    numbers = [int(number) for number in re.findall(rb"line (\d+)\n", text(directory))]
    assert numbers == list(range(numbers[0], 1000)) and len(numbers) > 100
    assert text(directory, tail=150) == b"".join(b"line %d\n" % n for n in range(850, 1000))


def test_a_new_writer_goes_on_where_the_last_one_stopped(log):
    directory, writer = log
    writer(4000).write(b"x" * 3960 + b"\n", 1.0)
    writer(4000).write(b"next\n", 1.0)
    assert (directory / "log.1").exists()
    assert text(directory).endswith(b"\nnext\n")


def test_following_reads_through_rotations_to_the_end(log):
    directory, writer = log
    out = writer(limit=20_000)
    running = threading.Event()
    running.set()
    got = []
    reader = threading.Thread(target=lambda: got.extend(output.read(str(directory), follow=running.is_set)))
    reader.start()
    sent = []
    for number in range(40):
        sent.append(b"%03d " % number * 200 + b"\n")
        out.write(sent[-1], 1.0)
        time.sleep(0.01)
    running.clear()
    reader.join(5)
    assert b"".join(got) == b"".join(sent)


def test_a_note_stands_on_its_own_line(log):
    directory, writer = log
    out = writer()
    out.write(b"half", 1.0)
    out.note("gone", 2.0)
    assert text(directory) == b"half\nnetcompose: gone\n"


def test_a_full_disk_stops_nothing(monkeypatch, log):
    directory, writer = log
    out = writer()
    out.write(b"kept\n", 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        out.write(b"lost\n", 2.0)
    out.write(b"again\n", 3.0)
    assert text(directory) == b"kept\nagain\n"
