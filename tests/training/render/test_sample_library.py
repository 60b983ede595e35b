import pytest

from whoplays.training.render.sample_library import dynamic_in, key_in


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("guitar-a2-very-long-forte-normal", 45),
        ("cello-as2-1-mezzo-piano-arco-normal", 46),
        ("a0v10", 21),
        ("d-1v10", 27),
        ("D#6v12", 87),
        ("Cs3", 49),
        ("A4", 69),
        ("mf-a1", 33),
        ("ff-a-4", 70),
        ("mf-b-1", 11),
        ("ab2-f-rr1-cnd", 44),
        ("b3-p-rr2-cnd", 59),
        ("bb3-f-rr1-cnd", 58),
        ("trumpet-e4", 64),
        ("slide", None),
        ("take7", None),
        ("long-tone-1-chunk0", None),
    ],
)
def test_the_ways_in_which_libraries_write_a_pitch(stem: str, key: int | None) -> None:
    assert key_in(stem) == key


def test_soft_is_softer_than_loud() -> None:
    told = [dynamic_in(f"violin-a4-1-{word}-normal") for word in ("pianissimo", "piano", "mezzo-forte", "fortissimo")]
    assert None not in told
    assert told == sorted(told, key=lambda level: level or 0)


def test_a_letter_that_is_a_pitch_is_no_dynamic() -> None:
    assert dynamic_in("F4") is None
