"""What options may be."""

from whoplays.models.errors import OptionError


def refuse_less(option: str, value: float, least: int) -> None:
    """Refuse a number that makes no sense.

    Raises:
        OptionError: it is less than the least.
    """
    if value < least:
        raise OptionError(f"--{option} must be {least} or more, not {value}")
