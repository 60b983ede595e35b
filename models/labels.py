"""The label vocabulary: the eleven instruments of IRMAS, by code and by English name.

Source: Bosch et al., "A Comparison of Sound Segregation Techniques for Predominant Instrument Recognition"
(ISMIR 2012).
"""

from types import MappingProxyType
from typing import Final

from whoplays.models.errors import DataError

NAMES: Final = MappingProxyType(
    {
        "cel": "cello",
        "cla": "clarinet",
        "flu": "flute",
        "gac": "acoustic guitar",
        "gel": "electric guitar",
        "org": "organ",
        "pia": "piano",
        "sax": "saxophone",
        "tru": "trumpet",
        "vio": "violin",
        "voi": "voice",
    }
)
CODES: Final = MappingProxyType({name: code for code, name in NAMES.items()})
CORE: Final = ("gac", "pia", "tru", "vio")


def to_code(label: str) -> str:
    """The code of a label given as code or English name (`"violin"` -> `"vio"`).

    Raises:
        DataError: the label is neither.
    """
    word = label.strip().lower()
    if word in NAMES:
        return word
    if word in CODES:
        return CODES[word]
    raise DataError(f"unknown label {label!r}; known are: {', '.join(CODES)}")
