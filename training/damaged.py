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
    """The first line of what it says, or what it is called."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
