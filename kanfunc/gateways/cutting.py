"""An end for what knows none: a connection is cut while somebody waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer


@contextmanager
def cut_after(seconds: float, cut: Callable[[], None]) -> Iterator[None]:
    """Call `cut` from another thread if the body takes longer; one that is gone by then is no failure."""

    def late() -> None:
        with suppress(OSError, AttributeError):
            cut()

    timer = Timer(seconds, late)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
