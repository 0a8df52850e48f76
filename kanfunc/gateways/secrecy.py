"""What must never be told, whoever says it: what we show to the API server, and what looks like a secret."""

import logging
import re

_HIDDEN = "(hidden)"
_SHORTEST = 8
"""Characters: a shorter word would be found in half of what we say."""
_LIKELY = re.compile(
    r"eyJ[\w-]*\.[\w-]+\.?[\w-]*"  # a JSON web token
    r"|\b(?:Bearer|Basic|Negotiate)\s+\S+"
    r"|\b(?:(?:set-)?cookie|(?:proxy-)?authorization)\b[\"']?\s*[:=].*"
    r"|(?<=//)[^/\s@]+@"
    r"|-----BEGIN.*",
    re.IGNORECASE | re.DOTALL,
)
_PART = 12
"""Characters: so many of a secret in a row are one, too."""
_kept: set[str] = set()
_parts: set[str] = set()


def keep_secret(*values: str | None) -> None:
    """Leave these out of whatever is said from now on."""
    new = {value for value in values if value and len(value) >= _SHORTEST} - _kept
    _kept.update(new)
    _parts.update(value[at : at + _PART] for value in new for at in range(len(value) - _PART + 1))


def without_kept(text: str) -> str:
    """The text without what we keep secret ourselves."""
    for secret in sorted(_kept, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def without_parts(text: str) -> str:
    """The words of somebody who was shown a secret: without it, and without its parts where it is cut.

    >>> keep_secret("sesame-open-yourself")
    >>> without_parts("you said sesame-open-yours, and sesame")
    'you said (hidden), and sesame'
    """
    text = without_kept(text)
    found = [at for at in range(len(text) - _PART + 1) if text[at : at + _PART] in _parts]
    told, end = list[str](), 0
    for at in found:
        told += [text[end:at], _HIDDEN] if at > end or not told else []
        end = at + _PART
    return "".join(told) + text[end:]


def without_secrets(text: str) -> str:
    """The words of somebody else, without what looks like a secret, either.

    >>> without_secrets("no: Authorization: Bearer abc")
    'no: (hidden)'
    >>> without_secrets("http://me:word@proxy refused the authorization of system:anonymous")
    'http://(hidden)proxy refused the authorization of system:anonymous'
    """
    return _LIKELY.sub(_HIDDEN, without_parts(text))


def silence_libraries() -> None:
    """Libraries tell nobody what they think: retries with their URLs, what a plugin wrote.

    A handler at the root keeps both Python's last resort and `logging.error` from writing to standard error;
    warnings go the same way.
    """
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    if not any(isinstance(each, logging.NullHandler) for each in root.handlers):
        root.addHandler(logging.NullHandler())
