"""Ctrl-C that is put off comes later, and comes once; looking for garbage goes on."""

from __future__ import annotations

import gc
import signal
import threading

import pytest

from grader.importing import undisturbed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_put_off_is_heard_at_the_end(number: signal.Signals) -> None:
    heard: list[int] = []
    before = signal.signal(number, lambda number, frame: heard.append(number))
    try:
        with undisturbed():
            signal.raise_signal(number)
            assert heard == []
        assert heard == [number]
        signal.raise_signal(number)
        assert heard == [number, number]
    finally:
        signal.signal(number, before)


def test_an_error_meanwhile_is_what_is_told() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ImportError), undisturbed():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_goes_on_as_it_is() -> None:
    passed = []

    def work() -> None:
        with undisturbed():
            passed.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert passed


def test_garbage_is_looked_for_again_afterwards_if_it_was_before() -> None:
    assert gc.isenabled()
    with undisturbed():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
