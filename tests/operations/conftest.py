"""Signals as `process.run` turns them into failures, in the thread of the test."""

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from kanfunc.domain.errors import Terminated


def _raise_once(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated("ended by SIGTERM")


@pytest.fixture
def signals() -> Iterator[None]:
    """The first SIGTERM is raised, later ones are ignored."""
    before = signal.signal(signal.SIGTERM, _raise_once)
    yield
    signal.signal(signal.SIGTERM, before)


def interrupt() -> None:
    """Send it to the main thread, from any other."""
    main = threading.main_thread().ident
    assert main
    signal.pthread_kill(main, signal.SIGTERM)
