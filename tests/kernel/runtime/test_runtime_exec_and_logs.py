"""Commands in native containers, their output, and all of it out of a bundle. Oracles: ip netns, nsenter, ps."""

import sys
import time
import zipfile
from pathlib import Path

import pytest
from runtime_host import PACKAGE, PRELUDE

TARGET = 'ExecTarget("web", "t-web", "webhost", {"A": "b"}, "/tmp")'


@pytest.mark.parametrize("running", [True, False], ids=["beside-a-process", "in-a-bare-namespace"])
def test_a_command_runs_inside_the_container(host, running):
    said = host.python(f"""
        if {running}: runtime.start("t", web("sleep", "1000"))
        script = '''
            hostname; getent hosts nine; echo $A $HOSTNAME; pwd
            ip -br link | wc -l; ls /sys/class/net | wc -l; ps -e | wc -l; echo err >&2; exit 6
        '''
        status, out, err = runtime.run_captured("t", {TARGET}, ["sh", "-c", script], timeout=20)
        print(json.dumps([status, out.decode().split(), err.decode()]))
    """)
    assert said[0] == 6 and said[2] == "err\n"
    words = said[1]
    assert words[:8] == ["webhost", "192.0.2.9", "nine", "b", "webhost", "/tmp", "2", "2"]
    assert (int(words[8]) < 8) == running or not running
    assert host("hostname") == "server4\n" and "nc-" not in host("hostname")


def test_a_command_for_the_hosts_network(any_host):
    any_host("ip", "link", "add", "here", "type", "bridge")
    said = any_host.python('print(runtime.run_captured("t", ExecTarget("h"), ["ip", "-br", "link"])[1].decode())')
    assert "here" in said


def test_a_command_that_cannot_run_and_one_that_never_ends(any_host):
    said = any_host.python(f"""
        runtime.start("t", web("sleep", "1000"))
        for argv in (["nope"], ["sh", "-c", "sleep 777 & sleep 777"]):
            start = time.monotonic()
            print(failure(runtime.run_captured, "t", {TARGET}, argv, 0.3), time.monotonic() - start < 2)
    """)
    assert "HostLacks: container web: command not found: nope" in said
    assert "sh did not end within 0.3 s" in said and "False" not in said
    deadline = time.monotonic() + 5
    while any_host("ps", "-eo", "comm=").split().count("sleep") > 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_command_leaves_in_the_background_is_not_waited_for(any_host):
    took = any_host.python(f"""
        start = time.monotonic()
        status, out, _ = runtime.run_captured("t", {TARGET}, ["sh", "-c", "sleep 555 & echo done"], timeout=30)
        assert (status, out) == (0, b"done\\n")
        print(time.monotonic() - start)
    """)
    assert took < 2
    assert "sleep" in any_host("ps", "-eo", "comm=")


def test_output_of_any_size_is_read_and_bounded(any_host):
    sizes = any_host.python(f"""
        script = "head -c 30000000 /dev/zero; head -c 1000000 /dev/zero >&2"
        status, out, err = runtime.run_captured("t", {TARGET}, ["sh", "-c", script], timeout=60)
        print(json.dumps([status, len(out), len(err), out[-60:].decode()]))
    """)
    assert sizes[0] == 0 and sizes[2] == 1_000_000
    assert (16 << 20) < sizes[1] < (16 << 20) + 100 and "cut here" in sizes[3]


def test_an_attached_command_has_the_callers_streams(any_host):
    done = any_host.sandbox.run(
        [
            sys.executable,
            "-c",
            PRELUDE + f"sys.exit(runtime.attach('t', {TARGET}, ['sh', '-c', 'cat; kill -TERM $$']))",
        ],
        input="typed\n",
        env={"PYTHONPATH": str(PACKAGE)},
    )
    assert (done.returncode, done.stdout) == (143, "typed\n")


def test_logs_follow_until_the_end(any_host):
    any_host.python(
        'runtime.start("t", web("sh", "-c", "for n in 1 2 3; do echo line $n; sleep 0.1; done; printf end"))'
    )
    assert any_host.python("print(text(follow=True))") == "line 1\nline 2\nline 3\nend\n"
    assert any_host.python("print(text(tail=2))") == "line 3\nend\n"


def test_noisy_commands_are_bounded_on_disk(any_host):
    any_host.python("""
        runtime.start("t", web("sh", "-c", "yes | head -c 40000000; echo last"))
        until(lambda: runtime.state("t", "web").status == "exited", 60)
        assert text(tail=1) == "last\\n"
    """)
    sizes = any_host("find", "/run/netcompose", "-name", "log*", "-printf", "%s\n").split()
    assert len(sizes) == 2 and all(int(size) <= 8 << 20 for size in sizes)


def interpreters():
    found = [Path("/usr/bin/python3"), *Path.home().glob(".pyenv/versions/3.*/bin/python3")]
    return [pytest.param(str(path), id=str(path)) for path in found if path.exists() and _new_enough(path)]


def _new_enough(path):
    import subprocess

    return subprocess.run([path, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).returncode == 0


@pytest.mark.parametrize("interpreter", interpreters())
def test_it_works_out_of_a_zip_bundle_with_every_python(any_host, tmp_path, interpreter):
    bundle = tmp_path / "agent.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for part in ("__init__.py", "errors.py", "agent", "planner", "resources"):
            root = PACKAGE / "netcompose" / part
            for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
                archive.write(path, path.relative_to(PACKAGE))
    said = any_host.python(
        f"""
        assert runtime.__file__.startswith({str(bundle)!r})
        runtime.start("t", web("sh", "-c", "hostname; sleep 1000"))
        until(lambda: text() == "webhost\\n")
        assert runtime.live("t", "web") is not None
        assert runtime.run_captured("t", {TARGET}, ["hostname"])[1] == b"webhost\\n"
        runtime.update("t", web(), web(hostname="other"))
        assert runtime.run_captured("t", {TARGET}, ["hostname"])[1] == b"other\\n"
        runtime.stop_many("t", ["web"])
        print("well")
        """,
        path=bundle,
        interpreter=interpreter,
    )
    assert said == "well\n"
