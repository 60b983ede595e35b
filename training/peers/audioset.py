"""Which classes of AudioSet (Gemmeke et al., ICASSP 2017) stand for which of our labels.

A label's score is that of its most probable class. Where AudioSet has a class and kinds of it (Organ: Electronic organ,
Hammond organ), all of them stand for the label. Its plain Guitar stands for none: of a hundred windows of electric
guitars taggers call most that as well, and YAMNet does best without it. The voice in music is singing, not speech.
"""

from types import MappingProxyType
from typing import Final

CLASSES: Final = MappingProxyType(
    {
        "cel": ("Cello",),
        "cla": ("Clarinet",),
        "flu": ("Flute",),
        "gac": ("Acoustic guitar",),
        "gel": ("Electric guitar",),
        "org": ("Organ", "Electronic organ", "Hammond organ"),
        "pia": ("Piano",),
        "sax": ("Saxophone",),
        "tru": ("Trumpet",),
        "vio": ("Violin, fiddle",),
        "voi": ("Singing", "Choir", "Chant", "Child singing", "Vocal music", "A capella"),
    }
)
"""By our codes, in the order of `models.labels.NAMES`."""
