"""Deadlines and signs of life of any number of connections: in time, in order, cancelled, in one thread."""

from __future__ import annotations

import threading
import time

from netcompose.transports.ssh import clock


def test_what_is_due_first_comes_first_and_what_is_cancelled_never():
    seen: list[str] = []
    done = threading.Event()
    clock.after(0.2, lambda: (seen.append("late"), done.set()))  # type: ignore[func-returns-value]
    clock.after(0.05, lambda: seen.append("early"))
    clock.after(0.1, lambda: seen.append("never")).cancel()
    assert done.wait(10) and seen == ["early", "late"]


def test_one_that_takes_its_time_keeps_no_other():
    blocked, done = threading.Event(), threading.Event()
    clock.after(0.01, lambda: print(blocked.wait(10)))
    clock.after(0.02, done.set)
    assert done.wait(5)
    blocked.set()


def test_any_number_of_them_is_one_thread():
    before = threading.active_count()
    alarms = [clock.after(60, lambda: None) for _ in range(200)]
    assert threading.active_count() <= before + 1
    for alarm in alarms:
        alarm.cancel()


def test_it_comes_when_it_is_due_and_once():
    seen: list[float] = []
    start = time.monotonic()
    alarm = clock.after(0.1, lambda: seen.append(time.monotonic() - start))
    time.sleep(0.05)
    assert not seen
    time.sleep(0.4)
    alarm.due()
    time.sleep(0.05)
    assert len(seen) == 1 and seen[0] >= 0.1
