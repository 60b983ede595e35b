"""Instruments: what each can play, and which General MIDI programs sound like it.

Ranges are those in which players mostly play, not the extremes. Programs are counted from 0.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from whoplays.training.render import styles
from whoplays.training.render.scores import KeyRange
from whoplays.training.render.styles import Style

Weighted = tuple[tuple[Style, float], ...]


class Program(NamedTuple):
    """A General MIDI program that sounds like an instrument."""

    number: int
    weight: float = 1.0
    """How often it is taken, beside the instrument's other programs."""
    span: KeyRange | None = None
    """Where it differs from the instrument's range."""
    styles: Weighted = ()
    """Where they differ from the instrument's."""
    bank: int = 0
    """Banks other than 0 hold variations, which a soundfont may lack."""


class Instrument(NamedTuple):
    """An instrument, of the vocabulary or another."""

    name: str
    label: str
    """The label's English name; empty for other instruments."""
    span: KeyRange
    styles: Weighted
    """What it plays, and how often."""
    programs: tuple[Program, ...] = ()
    release_s: float = 0.12
    """How long a tone dies away once let go."""
    bends: bool = False
    """Whether its tones can be bent: vibrato, swells."""
    amplified: bool = False
    """Whether it plays through an amplifier, whatever its programs and samples hold of one already."""

    @property
    def kind(self) -> str:
        """The kind that an index calls its clips."""
        return "phrase" if self.label else "other-instrument"


_LINE: Final = ((styles.line, 1.0),)
_BASS: Final = ((styles.bass, 0.7), (styles.line, 0.3))
_MALLETS: Final = ((styles.line, 0.6), (styles.arpeggio, 0.4))
_PLUCKED: Final = ((styles.line, 0.5), (styles.pick, 0.5))
_REEDS: Final = ((styles.line, 0.5), (styles.sustained_chords, 0.2), (styles.melody_over_chords, 0.3))
_PIANO: Final = (
    (styles.accompaniment, 0.3),
    (styles.melody_and_accompaniment, 0.3),
    (styles.block_chords, 0.12),
    (styles.arpeggio, 0.13),
    (styles.line, 0.15),
)
_GUITAR: Final = ((styles.strum, 0.4), (styles.pick, 0.35), (styles.line, 0.25))
_ELECTRIC: Final = ((styles.strum, 0.3), (styles.pick, 0.25), (styles.line, 0.45))
_DISTORTED: Final = ((styles.power_chords, 0.5), (styles.line, 0.5))
_ORGAN: Final = (
    (styles.sustained_chords, 0.35),
    (styles.melody_over_chords, 0.35),
    (styles.line, 0.2),
    (styles.block_chords, 0.1),
)
_KEYS: Final = ((styles.accompaniment, 0.4), (styles.block_chords, 0.25), (styles.line, 0.35))
_ENSEMBLE: Final = ((styles.sustained_chords, 0.4), (styles.melody_over_chords, 0.3), (styles.line, 0.3))
_CHOIR: Final = ((styles.line, 0.75), (styles.sustained_chords, 0.25))
_PADS: Final = ((styles.sustained_chords, 0.7), (styles.line, 0.3))


def _programs(first: int, last: int) -> tuple[Program, ...]:
    return tuple(Program(number) for number in range(first, last + 1))


def _other(
    name: str, low: int, high: int, weighted: Weighted, programs: tuple[int, ...], *, bends: bool = False
) -> Instrument:
    return Instrument(name, "", KeyRange(low, high), weighted, tuple(Program(n) for n in programs), bends=bends)


LABELLED: Final = (
    Instrument("piano", "piano", KeyRange(28, 98), _PIANO, (Program(0), Program(1)), release_s=0.3),
    Instrument("acoustic guitar", "acoustic guitar", KeyRange(40, 81), _GUITAR, _programs(24, 25), release_s=0.3),
    Instrument(
        "electric guitar",
        "electric guitar",
        KeyRange(40, 86),
        _ELECTRIC,
        (
            Program(26),
            Program(27),
            Program(28, 0.5),
            Program(29, styles=_DISTORTED),
            Program(30, styles=_DISTORTED),
        ),
        release_s=0.2,
        amplified=True,
    ),
    Instrument("organ", "organ", KeyRange(36, 91), _ORGAN, _programs(16, 20), release_s=0.08),
    Instrument("violin", "violin", KeyRange(55, 93), _LINE, (Program(40), Program(44, 0.12)), bends=True),
    Instrument("cello", "cello", KeyRange(36, 74), _LINE, (Program(42),), release_s=0.15, bends=True),
    Instrument("trumpet", "trumpet", KeyRange(54, 84), _LINE, (Program(56), Program(59, 0.15)), bends=True),
    Instrument(
        "saxophone",
        "saxophone",
        KeyRange(49, 82),
        _LINE,
        (
            Program(64, 0.6, KeyRange(56, 87)),
            Program(65, 1.0, KeyRange(49, 80)),
            Program(66, 1.0, KeyRange(44, 75)),
            Program(67, 0.6, KeyRange(37, 68)),
        ),
        bends=True,
    ),
    Instrument("clarinet", "clarinet", KeyRange(50, 89), _LINE, (Program(71),), bends=True),
    Instrument("flute", "flute", KeyRange(60, 93), _LINE, (Program(73),), bends=True),
    Instrument("voice", "voice", KeyRange(43, 81), _CHOIR, (Program(52), Program(53)), release_s=0.2, bends=True),
    Instrument("accordion", "accordion", KeyRange(53, 89), _REEDS, (Program(21), Program(23)), release_s=0.08),
    Instrument("banjo", "banjo", KeyRange(48, 81), _PLUCKED, (Program(105),)),
    Instrument(
        "bass",
        "bass",
        KeyRange(28, 58),
        _BASS,
        (
            Program(32, 2.0),
            *_programs(33, 37),
            Program(38, 0.5),
            Program(39, 0.5),
            Program(43, 1.5, KeyRange(28, 60), _LINE),
        ),
    ),
    Instrument(
        "mallet percussion",
        "mallet percussion",
        KeyRange(53, 96),
        _MALLETS,
        (
            Program(9, 1.0, KeyRange(72, 103)),
            Program(11, 1.0, KeyRange(53, 89)),
            Program(12, 1.0, KeyRange(45, 93)),
            Program(13, 1.0, KeyRange(65, 103)),
        ),
        release_s=0.3,
    ),
    Instrument("mandolin", "mandolin", KeyRange(55, 88), _PLUCKED, (Program(25, bank=16),), release_s=0.2),
    Instrument(
        "synthesizer",
        "synthesizer",
        KeyRange(45, 88),
        _LINE,
        (
            *_programs(80, 87),
            *(Program(number, styles=_PADS) for number in (50, 51, 62, 63, *range(88, 96))),
        ),
        bends=True,
    ),
    Instrument("trombone", "trombone", KeyRange(40, 72), _LINE, (Program(57),), bends=True),
    Instrument("ukulele", "ukulele", KeyRange(60, 84), _GUITAR, (Program(24, bank=8),), release_s=0.2),
)

OTHERS: Final = (
    _other("harp", 36, 96, ((styles.arpeggio, 0.7), (styles.line, 0.3)), (46,)),
    _other("timpani", 36, 57, ((styles.bass, 1.0),), (47,)),
    _other("tuba", 29, 58, ((styles.line, 0.6), (styles.bass, 0.4)), (58,), bends=True),
    _other("french horn", 41, 77, _LINE, (60,), bends=True),
    _other("oboe", 58, 88, _LINE, (68,), bends=True),
    _other("bassoon", 35, 70, _LINE, (70,), bends=True),
    _other("recorder", 62, 93, _LINE, (74,), bends=True),
    _other("pan flute", 60, 93, _LINE, (75,), bends=True),
    _other("english horn", 52, 81, _LINE, (69,), bends=True),
    _other("shanai", 58, 82, _LINE, (111,), bends=True),
    _other("ocarina", 60, 91, _LINE, (79,), bends=True),
    _other("viola", 48, 84, _LINE, (41,), bends=True),
    _other("string ensemble", 36, 91, _ENSEMBLE, (48, 49)),
    _other("pizzicato strings", 36, 86, _MALLETS, (45,)),
    _other("brass section", 41, 79, _ENSEMBLE, (61,)),
    _other("electric piano", 36, 96, _PIANO, (4, 5)),
    _other("harpsichord", 36, 88, _PIANO, (6,)),
    _other("clavinet", 36, 84, _KEYS, (7,)),
    _other("celesta", 60, 103, _MALLETS, (8,)),
    _other("music box", 60, 96, _MALLETS, (10,)),
    _other("tubular bells", 60, 79, _LINE, (14,)),
    _other("harmonica", 60, 89, _LINE, (22,), bends=True),
    _other("harmonium", 41, 84, _REEDS, ()),
    _other("sitar", 48, 77, _PLUCKED, (104,), bends=True),
    _other("shamisen", 50, 80, _PLUCKED, (106,)),
    _other("koto", 48, 84, _PLUCKED, (107,)),
    _other("dulcimer", 50, 86, _MALLETS, (15,)),
    _other("kalimba", 55, 88, _MALLETS, (108,)),
    _other("bagpipe", 55, 79, _LINE, (109,)),
    _other("steel drums", 55, 88, _MALLETS, (114,)),
)

DRUMS: Final = Instrument("drums", "drums", KeyRange(35, 81), ())
"""Patterns of their own on channel 10."""

BY_NAME: Final = MappingProxyType({instrument.name: instrument for instrument in (*LABELLED, *OTHERS)})
"""What sampled notes can be of: all but drums."""
