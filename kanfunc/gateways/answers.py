"""Reading an API server's answer: within a time, and of a size that we can hold."""

from time import monotonic
from typing import Any

ANSWER_SECONDS = 300
"""Until an answer has come."""
LONGEST_ANSWER = 64 << 20
"""Bytes. What is made of it takes many times that."""
_PIECE = 1 << 16


def whole(response: Any) -> bytes:
    """All of it; raises ValueError."""
    end, found, size = monotonic() + ANSWER_SECONDS, [], 0
    try:
        while piece := response.read1(_PIECE, decode_content=True):
            found.append(piece)
            size += len(piece)
            if size > LONGEST_ANSWER or monotonic() > end:
                response.close()
                raise ValueError("an answer without end")
    finally:
        response.release_conn()
    return b"".join(found)
