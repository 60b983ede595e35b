"""What can go wrong, as one tree; the command line prints any of it as one line.

WhoplaysError
├── ModelError        a model that is unknown, damaged, or disagrees with its card
├── ProviderError     an inference provider that is not installed or cannot run
├── SourceError       audio that is missing, empty, damaged, or of no known kind
├── EndpointError     an address that cannot be bound or connected to
├── DataError         a corpus, a split or a run that cannot be used
└── OptionError       an option's value that is out of range or of no known kind
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WhoplaysError(Exception):
    """The root: its message is one line that says what was wrong and what to do."""


class ModelError(WhoplaysError):
    """A model that is unknown, damaged, or disagrees with its card."""


class ProviderError(WhoplaysError):
    """An inference provider that is not installed or cannot run."""


class SourceError(WhoplaysError):
    """Audio that is missing, empty, damaged, or of no known kind."""


class EndpointError(WhoplaysError):
    """An address that cannot be bound or connected to."""


class DataError(WhoplaysError):
    """A corpus, a split or a run that cannot be used."""


class OptionError(WhoplaysError):
    """An option's value that is out of range or of no known kind."""


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


def require_between(
    what: str, value: float, lowest: float, highest: float, unit: str = "", error: type[WhoplaysError] = OptionError
) -> None:
    """Refuse a number outside of its range.

    >>> require_between("hop", 5, 0.000023, 3, "s")
    Traceback (most recent call last):
    ...
    whoplays.models.errors.OptionError: hop must be between 0.000023 and 3 s, got 5

    Raises:
        error: OptionError unless given: the value is less than `lowest` or more than `highest`, or NaN.
    """
    if not lowest <= value <= highest:
        unit = f" {unit}" if unit else ""
        raise error(f"{what} must be between {plain(lowest)} and {plain(highest)}{unit}, got {plain(value)}")


def plain(value: float) -> str:
    """A number as people write it, without an exponent or needless digits."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"


def install_hint(extras: str) -> str:
    """The command that installs extras, such as `cpu` or `cpu,train`: from this checkout, or by the package's name."""
    if (Path(__file__).resolve().parents[1] / "constraints.txt").is_file():
        return f"pip install -c constraints.txt '.[{extras}]'"
    return f"pip install 'whoplays[{extras}]'"
