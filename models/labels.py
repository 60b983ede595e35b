"""The label vocabulary: instruments by English name, and what other collections call them.

Any English name can be a label; these are the ones that are known, with the codes and classes by which recordings,
scores and published taggers name them. AudioSet's plain Guitar stands for no label: taggers call most windows of
electric guitars that as well. The voice in music is singing, not speech; an electric piano is no piano.

Sources: IRMAS (Bosch et al., ISMIR 2012); OpenMIC-2018 (Humphrey et al., ISMIR 2018); AudioSet (Gemmeke et al., ICASSP
2017); General MIDI System Level 1 (MMA, 1991).
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final, NamedTuple

from whoplays.models.errors import DataError


class KnownLabel(NamedTuple):
    """One instrument, and its counterparts elsewhere."""

    name: str
    audioset: tuple[str, ...]
    """Classes of AudioSet; a label's score by a tagger of these is that of its most probable one."""
    openmic: tuple[str, ...]
    """Classes of OpenMIC-2018; an instrument of any of them is of the label."""
    programs: tuple[int, ...] = ()
    """General MIDI programs from 0; drums have a channel of their own."""
    irmas: str | None = None
    """The code of IRMAS."""


KNOWN: Final = (
    KnownLabel("cello", ("Cello",), ("cello",), (42,), "cel"),
    KnownLabel("clarinet", ("Clarinet",), ("clarinet",), (71,), "cla"),
    KnownLabel("flute", ("Flute",), ("flute",), (73,), "flu"),
    KnownLabel("acoustic guitar", ("Acoustic guitar",), ("guitar",), (24, 25), "gac"),
    KnownLabel("electric guitar", ("Electric guitar",), ("guitar",), (26, 27, 28, 29, 30), "gel"),
    KnownLabel("organ", ("Organ", "Electronic organ", "Hammond organ"), ("organ",), (16, 17, 18, 19, 20), "org"),
    KnownLabel("piano", ("Piano",), ("piano",), (0, 1), "pia"),
    KnownLabel("saxophone", ("Saxophone",), ("saxophone",), (64, 65, 66, 67), "sax"),
    KnownLabel("trumpet", ("Trumpet",), ("trumpet",), (56, 59), "tru"),
    KnownLabel("violin", ("Violin, fiddle",), ("violin",), (40,), "vio"),
    KnownLabel(
        "voice",
        ("Singing", "Choir", "Chant", "Child singing", "Vocal music", "A capella"),
        ("voice",),
        (52, 53),
        "voi",
    ),
    KnownLabel("accordion", ("Accordion",), ("accordion",), (21, 23)),
    KnownLabel("banjo", ("Banjo",), ("banjo",), (105,)),
    KnownLabel("bass", ("Bass guitar", "Double bass"), ("bass",), (32, 33, 34, 35, 36, 37, 38, 39, 43)),
    KnownLabel("drums", ("Drum kit", "Drum", "Snare drum", "Bass drum", "Cymbal", "Hi-hat"), ("drums", "cymbals")),
    KnownLabel(
        "mallet percussion",
        ("Mallet percussion", "Marimba, xylophone", "Glockenspiel", "Vibraphone"),
        ("mallet_percussion",),
        (9, 11, 12, 13),
    ),
    KnownLabel("mandolin", ("Mandolin",), ("mandolin",)),
    KnownLabel("synthesizer", ("Synthesizer",), ("synthesizer",), (50, 51, 62, 63, *range(80, 96))),
    KnownLabel("trombone", ("Trombone",), ("trombone",), (57,)),
    KnownLabel("ukulele", ("Ukulele",), ("ukulele",)),
)
NAMES: Final = tuple(known.name for known in KNOWN)
IRMAS: Final = MappingProxyType({known.irmas: known.name for known in KNOWN if known.irmas})
"""The labels of IRMAS by code, in its order."""
CORE: Final = ("acoustic guitar", "piano", "trumpet", "violin")
"""The four of the original project."""


def known_label(name: str) -> KnownLabel | None:
    """What is known of a label; None of one that is not in the vocabulary."""
    return next((known for known in KNOWN if known.name == name), None)


def to_name(label: str) -> str:
    """A label's English name as it is kept, from a name in any case or a code of IRMAS (`"vio"` -> `"violin"`).

    Raises:
        DataError: it is empty, or holds what would not stay on one line or be parted from others.
    """
    word = " ".join(label.lower().split())
    if not word or not word.isprintable() or any(mark in word for mark in ';,"'):
        raise DataError(f"a label must be an English name on one line without ; , and quotes, got {label!r}")
    return IRMAS.get(word, word)


def to_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels' English names, in their order."""
    return tuple(map(to_name, labels))
