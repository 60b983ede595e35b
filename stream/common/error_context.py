"""Where in a configuration something is wrong, said before what is wrong there."""

from collections.abc import Iterator
from contextlib import contextmanager

from whoplays.models.errors import WhoplaysError


@contextmanager
def naming(*places: str) -> Iterator[None]:
    """Let what goes wrong begin with where: a file, a stream, a key.

    Raises:
        WhoplaysError: of the same kind, with the places before its message.
    """
    try:
        yield
    except WhoplaysError as error:
        raise type(error)(": ".join((*places, str(error)))) from error
