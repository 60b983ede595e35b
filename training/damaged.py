"""What is raised for a file that torch did not write, or of which a part is missing."""

from pickle import UnpicklingError
from typing import Final

DAMAGED: Final = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    RuntimeError,
    UnpicklingError,
)


def reason(error: Exception) -> str:
    """The first sentence of what it says, or what it is called: torch goes on with guesses, and with unsafe advice."""
    if not str(error):
        return type(error).__name__
    return str(error).splitlines()[0].partition(". ")[0].rstrip(".")
