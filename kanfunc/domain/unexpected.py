"""What nobody foresaw: a fault of ours, told without its message.

The message of an exception that we did not make may quote anything, a header or a token included. What it is
and where it happened cannot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from kanfunc.domain.errors import KanfuncError, PlatformFailed

_OURS = "kanfunc."
_SHOWN = 3
"""Places of ours that are told; the whole way is in the log of a run that ends so."""


class Unexpected(PlatformFailed):
    """A fault of kanfunc, or something of a shape that nobody foresaw."""


def way_of(error: BaseException) -> list[str]:
    """Where it was raised, the outermost call first: module, line and function of each frame.

    >>> way_of(ValueError("secret"))
    []
    """
    frames = walk_tb(error.__traceback__)
    return [f"{f.f_globals.get('__name__')}:{line} {f.f_code.co_name}" for f, line in frames]


def what_of(error: BaseException) -> str:
    """Its kind, and the innermost places of ours that it came through.

    >>> what_of(ValueError("secret"))
    'ValueError'
    """
    ours = [place for place in way_of(error) if place.startswith(_OURS)][-_SHOWN:]
    return f"{type(error).__name__} at {' > '.join(ours)}" if ours else type(error).__name__


def unexpected(error: BaseException, doing: str) -> Unexpected:
    """The failure that it becomes."""
    return Unexpected(
        f"{doing} failed unexpectedly: {what_of(error)}",
        remedy="look for odd values in the Cluster and its objects (kubectl get -o yaml); if there are none, "
        "this is a bug of kanfunc: report it with this line",
    )


@contextmanager
def contained(what: object) -> Iterator[None]:
    """Whatever goes wrong with this one cluster is its failure: what nobody foresaw becomes an Unexpected.

    A signal is no failure of a cluster, and passes.
    """
    try:
        yield
    except KanfuncError:
        raise
    except Exception as error:
        raise unexpected(error, f"work on Cluster {what}") from error


def said(error: BaseException) -> str:
    """What may be shown of an exception of whatever origin: our own text, else its kind and place."""
    return str(error) if isinstance(error, KanfuncError) else what_of(error)
