"""Counters that wrap, made whole."""


def extend(value: int, near: int, bits: int) -> int:
    """The whole number that a counter of so many bits means: the one nearest to where it is expected.

    >>> extend(2, 65_535, 16)
    65538
    >>> extend(65_535, 65_538, 16)
    65535
    """
    half = 1 << (bits - 1)
    return near + (value - near + half) % (2 * half) - half
