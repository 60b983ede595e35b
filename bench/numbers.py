"""Lists of numbers as people write them."""

from whoplays.models.errors import OptionError


def parse_numbers(text: str, option: str, largest: int) -> tuple[int, ...]:
    """Whole numbers from 1, separated by commas; sorted, each once.

    Raises:
        OptionError: the text is something else, or a number is larger than `largest`.

    >>> parse_numbers("4,1,2", "--batches", 1024)
    (1, 2, 4)
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= largest for word in words):
        raise OptionError(f"{option} {text!r} makes no sense; give numbers from 1 to {largest}, such as 1,2,4")
    return tuple(sorted({int(word) for word in words}))
