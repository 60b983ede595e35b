"""Soundfonts, played by FluidSynth: many performances as one long MIDI file, rendered at once and cut again."""

import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from whoplays.models.errors import DataError, OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.render.performance import STEP_S, Performance

# Every clip has a slot of 10 s; FluidSynth works in blocks of 64 samples.
_SLOT_SAMPLES: Final = 64 * 6_891
_SLOT_S: Final = _SLOT_SAMPLES / SAMPLE_RATE_HZ
_LEAD_S: Final = 0.2
_TICKS_A_SECOND: Final = 1_000
_BEND_RANGE_CENTS: Final = 200
_CHANNEL: Final = 0
_DRUM_CHANNEL: Final = 9
_GAIN: Final = "0.4"
_HEADER_BYTES: Final = 38
_NAME_BYTES: Final = 20


class RenderJob(NamedTuple):
    """One clip to be played."""

    performance: Performance
    program: int | None
    """The General MIDI program from 0; none for drums."""
    kit: int = 0
    """The drum kit's program."""
    bank: int = 0
    """The program's bank."""


def check(soundfont: Path) -> None:
    """See that a file is there, and begins as soundfonts do, before anything is played.

    Raises:
        DataError: it does not.
    """
    if not soundfont.is_file():
        raise DataError(f"soundfont {soundfont} not found")
    with soundfont.open("rb") as file:
        head = file.read(12)
    if (head[:4], head[8:]) != (b"RIFF", b"sfbk"):
        raise DataError(f"{soundfont} is not a soundfont; give an .sf2 or .sf3 file")


@cache
def presets(soundfont: Path) -> frozenset[tuple[int, int]]:
    """The presets of a soundfont as (bank, program), from its preset headers.

    Source: "SoundFont Technical Specification 2.04", section 7.2.

    Raises:
        DataError: they cannot be read.
    """
    try:
        content = soundfont.read_bytes()
        start = content.rindex(b"phdr")
        (size,) = struct.unpack_from("<I", content, start + 4)
        headers = range(start + 8, start + 8 + size, _HEADER_BYTES)
        pairs = [struct.unpack_from("<HH", content, header + _NAME_BYTES) for header in headers]
    except (OSError, ValueError, struct.error) as error:
        raise DataError(f"{soundfont} has no list of presets; is it a whole soundfont? ({error})") from error
    return frozenset((bank, program) for program, bank in pairs)


def play(soundfont: Path, jobs: list[RenderJob], *, room: bool) -> list[NDArray[np.float32]]:
    """Render clips with a soundfont, `float32 [2, samples]` each, as long as asked for, at any level.

    Args:
        soundfont: An `.sf2` or `.sf3` file.
        jobs: What to play; a clip is not changed by those after it, and by those before it only within a millisecond.
        room: With FluidSynth's reverb and chorus.

    Raises:
        OptionError: FluidSynth is not installed.
        DataError: FluidSynth cannot play the soundfont, or it lacks a program.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise OptionError("fluidsynth is not installed; soundfonts need it: apt install fluidsynth")
    with tempfile.TemporaryDirectory(prefix="whoplays-") as name:
        score, sound = Path(name, "score.mid"), Path(name, "sound.wav")
        _midi(jobs, room=room).save(score)
        effects = "1" if room else "0"
        command = [program, "-n", "-i", "-q", "-R", effects, "-C", effects, "-g", _GAIN, "-r", str(SAMPLE_RATE_HZ)]
        command += ["-o", "synth.dynamic-sample-loading=1", "-T", "wav", "-O", "float", "-F", str(sound)]
        done = subprocess.run([*command, str(soundfont), str(score)], capture_output=True, text=True, check=False)  # noqa: S603
        _refuse_wrong(done, soundfont)
        return [_slot(sound, index, job.performance.seconds) for index, job in enumerate(jobs)]


def _refuse_wrong(done: subprocess.CompletedProcess[str], soundfont: Path) -> None:
    """FluidSynth exits with 0 whatever happens; what went wrong it only prints. Kits may be replaced, programs not."""
    printed = done.stderr.splitlines()
    wrong = [line for line in printed if ": error: " in line or f"not found on channel {_CHANNEL} " in line]
    if done.returncode or wrong:
        raise DataError(f"fluidsynth cannot play {soundfont}: {(wrong or printed or ['no reason is given'])[0]}")


def _slot(sound: Path, index: int, seconds: float) -> NDArray[np.float32]:
    start = index * _SLOT_SAMPLES + round(_LEAD_S * SAMPLE_RATE_HZ)
    audio, _ = soundfile.read(
        sound, round(seconds * SAMPLE_RATE_HZ), start, dtype="float32", always_2d=True, fill_value=0.0
    )
    return np.ascontiguousarray(audio.T)


def _midi(jobs: list[RenderJob], *, room: bool) -> mido.MidiFile:
    events: list[tuple[int, int, mido.Message]] = []
    for index, job in enumerate(jobs):
        events.extend(_clip(job, index * _SLOT_S, room=room))
    events.sort(key=lambda event: event[:2])
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    now = 0
    for tick, _, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    end = round(len(jobs) * _SLOT_S * _TICKS_A_SECOND)
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return mido.MidiFile(type=0, ticks_per_beat=_TICKS_A_SECOND, tracks=[track])


def _clip(job: RenderJob, slot_s: float, *, room: bool) -> list[tuple[int, int, mido.Message]]:
    """A clip's messages as (tick, rank, message): at one tick the lower rank comes first."""
    channel = _DRUM_CHANNEL if job.program is None else _CHANNEL
    voice = job.kit if job.program is None else job.program
    ready = round(slot_s * _TICKS_A_SECOND)
    zero = slot_s + _LEAD_S

    def control(number: int, value: int) -> mido.Message:
        return mido.Message("control_change", channel=channel, control=number, value=value)

    setup = [
        control(120, 0),
        control(121, 0),
        control(0, job.bank),
        mido.Message("program_change", channel=channel, program=voice),
    ]
    setup += [control(91, 60 if room else 0), control(93, 25 if room else 0)]
    events = [(ready, rank, message) for rank, message in enumerate(setup)]
    events.extend(_curves(job.performance, zero, channel))
    for note in job.performance.notes:
        if note.start_s >= job.performance.seconds:
            continue
        on = round((zero + note.start_s) * _TICKS_A_SECOND)
        off = round((zero + min(note.end_s, job.performance.seconds)) * _TICKS_A_SECOND)
        events.append((on, 21, mido.Message("note_on", channel=channel, note=note.key, velocity=note.velocity)))
        events.append((max(off, on + 1), 20, mido.Message("note_off", channel=channel, note=note.key)))
    return events


def _curves(performance: Performance, zero_s: float, channel: int) -> list[tuple[int, int, mido.Message]]:
    """Bends and swells; a value that stays is sent once."""
    bends = np.clip(np.round(performance.cents / _BEND_RANGE_CENTS * 8192), -8192, 8191).astype(int)
    # Expression attenuates by 40 log10(127 / value) dB.
    swells = np.clip(np.round(127 * np.sqrt(performance.loudness)), 1, 127).astype(int)
    ticks = np.round((zero_s - 0.01 + np.arange(len(bends)) * STEP_S) * _TICKS_A_SECOND).astype(int)
    messages = [
        (tick, 10, mido.Message("pitchwheel", channel=channel, pitch=value)) for tick, value in _changes(ticks, bends)
    ]
    return messages + [
        (tick, 11, mido.Message("control_change", channel=channel, control=11, value=value))
        for tick, value in _changes(ticks, swells)
    ]


def _changes(ticks: NDArray[np.int_], values: NDArray[np.int_]) -> list[tuple[int, int]]:
    kept = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    return [(int(ticks[index]), int(values[index])) for index in kept]
