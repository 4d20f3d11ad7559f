"""The thread that sends while the next is prepared: order, failures, and that nothing is sent after the end."""

from __future__ import annotations

import threading

import pytest

from netcompose.agent.ahead import Ahead


def test_batches_are_sent_in_their_order_while_the_caller_goes_on() -> None:
    sent: list[int] = []
    prepared = threading.Event()

    def send(batch: int) -> None:
        assert prepared.wait(5)
        sent.append(batch)

    with Ahead(send) as ahead:
        assert not ahead.at_work
        for batch in range(20):
            ahead.give(batch)
        assert ahead.at_work and not sent
        prepared.set()
    assert sent == list(range(20))


def test_a_refusal_is_raised_at_the_end_and_nothing_is_sent_behind_it() -> None:
    sent: list[int] = []

    def send(batch: int) -> None:
        if batch == 3:
            raise OSError("refused")
        sent.append(batch)

    with pytest.raises(OSError, match="refused"), Ahead(send) as ahead:
        for batch in range(6):
            ahead.give(batch)
    assert sent == [0, 1, 2]


def test_after_a_failure_of_the_caller_only_what_is_under_way_ends() -> None:
    sent: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def send(batch: int) -> None:
        begun.set()
        assert go_on.wait(5)
        sent.append(batch)

    with pytest.raises(KeyboardInterrupt), Ahead(send) as ahead:
        ahead.give(1)
        ahead.give(2)
        assert begun.wait(5)
        threading.Timer(0.1, go_on.set).start()
        raise KeyboardInterrupt
    assert sent == [1]


def test_without_a_batch_there_is_no_thread() -> None:
    before = threading.active_count()
    with Ahead(lambda batch: None):
        assert threading.active_count() == before
