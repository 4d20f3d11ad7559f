"""How native containers' processes end, start again, and change while they run. Oracles: ip netns, nsenter, ps."""

import pytest


def test_how_it_ended_is_remembered_and_is_no_drift(any_host):
    states = any_host.python("""
        found = []
        for script in ("exit 3", "kill -9 $$", "exit 0"):
            process = web("sh", "-c", script)
            before = time.time()
            runtime.start("t", process)
            until(lambda: runtime.state("t", "web").status == "exited")
            state = runtime.state("t", "web")
            assert before - 1 < state.started <= state.finished <= time.time() and state.pid == 0
            found.append([state.exit_code, runtime.live("t", "web") == process])
        print(json.dumps(found))
    """)
    assert states == [[3, True], [-9, True], [0, True]]
    assert any_host("ps", "-eo", "comm=").count("nc-web") == 0


def test_one_that_vanished_is_dead_and_has_to_be_made_again(any_host):
    found = any_host.python("""
        runtime.start("t", web("sleep", "1000"))
        assert runtime.live("t", "web") == web("sleep", "1000")
        os.kill(runtime.state("t", "web").pid, 9)
        until(lambda: runtime.state("t", "web").status != "running")
        print(json.dumps([runtime.state("t", "web").status, runtime.live("t", "web"), runtime.containers("t")]))
    """)
    assert found == ["dead", None, ["web"]]
    assert any_host.python("""
        runtime.sweep("t")
        print(json.dumps([runtime.containers("t"), runtime.state("t", "web").status, runtime.state("t", "x").status]))
    """) == [[], "wired", "absent"]


def test_a_recycled_process_id_is_never_touched(any_host):
    any_host.python("""
        import subprocess
        runtime.start("t", web("sleep", "1000"))
        path = "/run/netcompose/t/containers/web/process.json"
        record = json.load(open(path))
        other = subprocess.Popen(["sleep", "2000"])
        for change in ({"pid": other.pid}, {"boot": "another"}):
            json.dump({**record, **change}, open(path, "w"))
            assert runtime.live("t", "web") is None
        json.dump({**record, "pid": other.pid}, open(path, "w"))
        runtime.stop_many("t", ["web"])
        assert other.poll() is None
        other.kill()
    """)
    assert "nc-web" in any_host("ps", "-eo", "comm=")


def test_the_stop_signal_is_the_containers_and_the_last_word_is_sigkill(any_host):
    took = any_host.python("""
        ready = "trap 'echo got >/run/got; exit 5' USR1; echo ready; while :; do sleep 0.01; done"
        runtime.start("t", web("sh", "-c", ready, stop_signal="SIGUSR1"))
        until(lambda: "ready" in text())
        runtime.stop_many("t", ["web"])
        assert open("/run/got").read() == "got\\n"
        assert runtime.containers("t") == [] and not os.path.exists("/run/netcompose/t/containers/web")
        deaf = "trap '' TERM; echo ready; while :; do sleep 100; done"
        runtime.start_many("t", [P(f"deaf{n}", "sh", "-c", deaf, stop_grace_period=0.4) for n in range(4)])
        until(lambda: all("ready" in text(f"deaf{n}") for n in range(4)))
        start = time.monotonic()
        runtime.stop_many("t", [f"deaf{n}" for n in range(4)] + ["never-was"])
        print(time.monotonic() - start)
    """)
    assert 0.4 <= took < 1.2  # side by side
    assert "sleep" not in any_host("ps", "-eo", "comm=")


def test_stopping_takes_no_longer_than_the_process_does(any_host):
    took = any_host.python("""
        runtime.start_many("t", [P(f"c{n}", "sleep", "1000", stop_grace_period=30.0) for n in range(10)])
        start = time.monotonic()
        runtime.stop_many("t", runtime.containers("t"))
        print(time.monotonic() - start)
    """)
    assert took < 1.0
    assert any_host("ps", "-eo", "comm=").count("nc-") == 0


@pytest.mark.parametrize(
    ("policy", "script", "restarts", "code"),
    [("no", "exit 1", 0, 1), ("on-failure:2", "exit 1", 2, 1), ("on-failure", "exit 0", 0, 0)],
)
def test_restart_policies_that_end(any_host, policy, script, restarts, code):
    found = any_host.python(f"""
        process = web("sh", "-c", "echo run; {script}", restart={policy!r})
        runtime.start("t", process)
        runs = text(follow=True).count("run")
        state = runtime.state("t", "web")
        print(json.dumps([runs, state.restarts, state.exit_code, runtime.live("t", "web") == process]))
    """)
    assert found == [restarts + 1, restarts, code, True]


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
def test_restart_policies_that_go_on_wait_longer_each_time(any_host, policy):
    times = any_host.python(f"""
        from datetime import datetime
        runtime.start("t", web("sh", "-c", "echo run; sleep 50 & exit 1", restart={policy!r}))
        until(lambda: text().count("run") == 4)
        assert runtime.live("t", "web") is not None
        lines = text(timestamps=True).splitlines()
        times = [datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp() for line in lines]
        print(json.dumps([after - before for before, after in zip(times, times[1:])]))
    """)
    assert 0.1 <= times[0] < 0.2 <= times[1] < 0.4 <= times[2] < 0.8
    assert any_host("ps", "-eo", "comm=").split().count("sleep") <= 1  # nothing of an earlier run is left
    any_host.python('runtime.stop_many("t", ["web"])')
    assert "nc-web" not in any_host("ps", "-eo", "comm=")


def test_an_init_that_was_told_to_end_does_not_restart(any_host):
    live = any_host.python("""
        runtime.start("t", web("sleep", "1000", restart="unless-stopped"))
        os.kill(runtime.state("t", "web").pid, 15)
        until(lambda: runtime.state("t", "web").status == "exited")
        stays = runtime.live("t", "web") is not None
        runtime.start("t", web("sleep", "1000", restart="always"))
        os.kill(runtime.state("t", "web").pid, 15)
        until(lambda: runtime.state("t", "web").status == "exited")
        print(json.dumps([stays, runtime.live("t", "web")]))
    """)
    assert live == [True, None]


def test_a_hundred_start_and_stop(any_host):
    any_host.python("""
        runtime.start_many("t", [P(f"c{n}", "sleep", "1000") for n in range(100)])
        assert all(runtime.state("t", f"c{n}").status == "running" for n in range(100))
    """)
    assert any_host("ps", "-eo", "comm=").split().count("sleep") == 100
    any_host.python('runtime.stop_many("t", runtime.containers("t"))')
    assert any_host("ps", "-eo", "comm=").split().count("sleep") == 0


def test_a_namespace_made_anew_is_seen(any_host):
    found = any_host.python("""
        runtime.start("t", web("sleep", "1000"))
        os.system("ip netns del t-web; ip netns add other; ip netns add t-web")
        print(json.dumps([runtime.live("t", "web").namespace, runtime.GONE]))
    """)
    assert found[0] == found[1] == "(deleted)"
    any_host.python('runtime.start("t", web("sleep", "1000"))')
    assert any_host("ip", "netns", "identify", str(any_host.pid)) == "t-web\n"
    assert any_host("ps", "-eo", "comm=").split().count("sleep") == 1


def test_hostname_signal_and_grace_change_while_it_runs(host):
    same = host.python("""
        first = web("sh", "-c", "trap 'exit 0' HUP; echo ready; while :; do sleep 0.01; done")
        runtime.start("t", first)
        until(lambda: "ready" in text())
        pid = runtime.state("t", "web").pid
        second = web(*first.command, hostname="renamed", stop_signal="SIGHUP", stop_grace_period=60.0)
        runtime.update("t", first, second)
        assert runtime.live("t", "web") == second
        print(runtime.state("t", "web").pid == pid)
    """)
    assert same == "True\n"
    assert host.enter("hostname") == "renamed\n" and host("hostname") == "server4\n"
    assert host.python('start = time.monotonic(); runtime.stop_many("t", ["web"]); print(time.monotonic() - start)') < 5


def test_a_zombie_is_not_alive(any_host):
    """Where the host's first process does not reap, an ended init stays in the process table."""
    any_host.python("""
        import subprocess
        from netcompose.agent.runtimes import records
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        known = records.identity(child.pid)
        assert records.alive(known)
        child.stdin.close()
        until(lambda: open(f"/proc/{child.pid}/stat").read().split()[2] == "Z")
        assert not records.alive(known)
    """)
