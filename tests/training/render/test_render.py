import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

import whoplays
from tests.training.render.made import write_libraries, write_scores
from whoplays.training.data.labelled_folder import LabelledFolder
from whoplays.training.render import renderer
from whoplays.training.render.orchestration import ClipPlan


@pytest.fixture(scope="session")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scores(tmp_path_factory.mktemp("scores"))


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_libraries(tmp_path_factory.mktemp("samples"))


def render(out: Path, scores: Path, samples: Path, *more: str, clips: int = 8, seed: int = 3) -> None:
    words = ["render", str(out), "--scores", str(scores), "--samples", str(samples)]
    whoplays.main([*words, *more, "--clips", str(clips), "--seed", str(seed)])


def digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*.flac"))
    }


def test_a_rendered_folder_is_a_labelled_folder(tmp_path: Path, scores: Path, samples: Path) -> None:
    render(tmp_path / "out", scores, samples)
    clips = LabelledFolder(tmp_path / "out").clips()
    assert [sorted(clip.labels) for clip in clips] == [["piano"], ["violin"]] * 4
    assert {clip.source for clip in clips} == {"made-piano", "made-violin"}
    assert {clip.group for clip in clips} == {"out/made-piano", "out/made-violin"}
    assert {(clip.licence, clip.kind) for clip in clips} == {("CC0", "phrase")}
    for clip in clips:
        audio, rate_hz = soundfile.read(clip.path)
        assert rate_hz == 44_100
        assert 6 <= audio.size / rate_hz <= 8
        assert np.abs(audio).max() == pytest.approx(10 ** (-3 / 20), abs=1e-3)


def test_a_folder_is_gone_on_with_and_the_seed_says_what_is_in_it(tmp_path: Path, scores: Path, samples: Path) -> None:
    render(tmp_path / "whole", scores, samples)
    render(tmp_path / "parts", scores, samples, clips=4)
    first = digests(tmp_path / "parts")
    lost = tmp_path / "parts" / next(iter(first))
    lost.unlink()
    render(tmp_path / "parts", scores, samples)
    assert digests(tmp_path / "parts") == digests(tmp_path / "whole")
    for file in ("index.csv", "manifest.json"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_clip_that_is_there_is_not_rendered_again(tmp_path: Path, scores: Path, samples: Path) -> None:
    render(tmp_path / "out", scores, samples, clips=2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.flac")}
    render(tmp_path / "out", scores, samples, clips=2)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_is_there_stays_in_the_index_while_a_hole_before_it_is_filled(
    tmp_path: Path, scores: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent clip leaves such a hole for ever, and rendering may be cut off at any time."""
    monkeypatch.setattr(renderer, "_BLOCK", 2)
    render(tmp_path / "out", scores, samples, clips=6)
    clips = sorted((tmp_path / "out").rglob("*.flac"), key=lambda path: path.stem)
    for hole in (clips[0], clips[2]):
        hole.unlink()
    filled = renderer.Renderer._render

    def cut_off(self: renderer.Renderer, block: list[ClipPlan]) -> None:
        if block[0].number:
            raise KeyboardInterrupt
        filled(self, block)

    monkeypatch.setattr(renderer.Renderer, "_render", cut_off)
    with pytest.raises(SystemExit):
        render(tmp_path / "out", scores, samples, clips=6)
    listed = [clip.path for clip in LabelledFolder(tmp_path / "out").clips()]
    assert listed == [*clips[:2], *clips[3:]]


def test_a_clip_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, scores: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill_the_disk(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(soundfile, "write", fill_the_disk)
    with pytest.raises(SystemExit):
        render(tmp_path / "out", scores, samples, clips=1)
    assert "000000.flac cannot be written: No space left on device" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["manifest.json"]


def test_what_could_not_be_played_is_put_right_by_the_same_command(
    tmp_path: Path, scores: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF\x04\0\0\0sfbk")
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        whoplays.main(
            [
                "render",
                str(out),
                "--scores",
                str(scores),
                "--soundfont",
                f"{broken}=MIT",
                "--only",
                "viola",
                "--clips=1",
            ]
        )
    assert "whoplays: fluidsynth " in capsys.readouterr().err
    render(out, scores, samples, clips=1)
    assert len(LabelledFolder(out).clips()) == 1


def test_no_clip_is_left_out_of_the_index(
    tmp_path: Path, scores: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    render(tmp_path / "out", scores, samples, clips=4)
    with pytest.raises(SystemExit):
        render(tmp_path / "out", scores, samples, clips=3)
    assert "out holds 4 clips already; ask with --clips for as many or more" in capsys.readouterr().err
    assert len(LabelledFolder(tmp_path / "out").clips()) == 4


def test_only_one_instrument_is_rendered(tmp_path: Path, scores: Path, samples: Path) -> None:
    render(tmp_path / "out", scores, samples, "--only", "violin", clips=2)
    assert [sorted(clip.labels) for clip in LabelledFolder(tmp_path / "out").clips()] == [["violin"]] * 2


@pytest.mark.parametrize("more", [("--seed", "4"), ("--only", "violin")])
def test_a_folder_is_never_mixed(
    tmp_path: Path, scores: Path, samples: Path, more: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    render(tmp_path / "out", scores, samples, clips=1)
    with pytest.raises(SystemExit) as exit_info:
        whoplays.main(
            ["render", str(tmp_path / "out"), "--scores", str(scores), "--samples", str(samples), "--clips", "1", *more]
        )
    assert exit_info.value.code == 1
    assert "was begun with other instruments, sources, scores or seed" in capsys.readouterr().err


def test_an_index_that_was_not_rendered_is_not_written_over(
    tmp_path: Path, scores: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index.csv"
    index.write_text("path,labels,group\nanna.wav,violin,anna\n")
    with pytest.raises(SystemExit):
        render(tmp_path, scores, samples, clips=1)
    assert f"{index} was not made by whoplays render" in capsys.readouterr().err
    assert "anna.wav" in index.read_text()
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--clips", "0"], "--clips must be at least 1, got 0"),
        (["--clips", "1", "--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--clips", "1", "--soundfont", "a.sf2"], "names no licence; give FILE.sf2=LICENCE"),
        (["--clips", "1", "--soundfont", "a.sf2=MIT"], "soundfont a.sf2 not found"),
        (
            ["--clips", "1", "--soundfont", f"{__file__}=MIT"],
            "test_render.py is not a soundfont; give an .sf2 or .sf3 file",
        ),
        (["--clips", "1", "--samples", "none.csv"], "none.csv cannot be read"),
        (["--clips", "1"], "there is nothing to play with"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    tmp_path: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        whoplays.main(["render", str(tmp_path / "out"), "--scores", str(tmp_path), *words])
    assert exit_info.value.code == 1
    told = capsys.readouterr().err.strip()
    assert told.startswith("whoplays: ")
    assert complaint in " ".join(told.split())


def test_electric_guitars_are_rendered_through_their_amplifier(
    tmp_path: Path, scores: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other instrument is: here an amplifier that gives a tone of its own."""
    tone = np.sin(np.arange(6 * 44_100) / 20)[None].astype(np.float32)
    monkeypatch.setattr(renderer, "amplified", lambda _audio, _rng: tone)
    guitars = samples.with_name("guitars.csv")
    guitars.write_text(samples.read_text().replace("made-violin,violin,violin", "made-guitar,violin,electric guitar"))
    render(tmp_path / "out", scores, guitars, clips=4)
    for clip in LabelledFolder(tmp_path / "out").clips():
        audio, _ = soundfile.read(clip.path, dtype="float32")
        heard = np.corrcoef(audio[:44_100], tone[0, :44_100])[0, 1] > 0.99
        assert heard == (clip.labels == {"electric guitar"})
