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
    """The first line of what it says, or what it is called.

    Of an unpickling error the first sentence: torch goes on with the advice to load the file unsafely.
    """
    if not str(error):
        return type(error).__name__
    line = str(error).splitlines()[0]
    return line.partition(". ")[0] if isinstance(error, UnpicklingError) else line
