"""How large the image is, and how much of it is ours.

    python -m benchmarks.image

MB of 2^20 bytes, uncompressed. `make image-size` names the components. Needs a container engine.
"""

import sys

from benchmarks.measure import Figure
from tests.image.__main__ import measured
from tests.image.engine import NoEngine


def figures(quick: bool) -> list[Figure]:  # noqa: ARG001, FBT001 - sizes are quick; as every benchmark
    """Nothing where there is no engine, which is said."""
    try:
        sizes = measured()
    except NoEngine as reason:
        print(f"the image was not measured: {reason}", file=sys.stderr)
        return []
    return [
        Figure("what we add to the image's base", sizes.ours, "MB", 100),
        Figure("the image's base: Python and its Debian", sizes.whole - sizes.ours, "MB", None),
    ]


if __name__ == "__main__":
    for figure in figures(quick=True):
        print(figure)
