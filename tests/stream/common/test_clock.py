from whoplays.stream.common.clock import LATELY_NS, RecentIncreases


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5

    def __call__(self) -> int:
        return self.now_ns


def test_a_count_has_risen_lately_until_ten_seconds_after_it_last_did() -> None:
    clock = Clock()
    lately = RecentIncreases(clock)
    assert lately.risen() == set()
    lately.look(version=0, overlap=3)
    assert lately.risen() == {"overlap"}
    clock.now_ns += LATELY_NS - 1
    lately.look(version=1, overlap=3)
    assert lately.risen() == {"overlap", "version"}
    clock.now_ns += 1
    lately.look(version=1, overlap=3)
    assert lately.risen() == {"version"}
    lately.look(version=1, overlap=4)
    assert lately.risen() == {"overlap", "version"}
    clock.now_ns += LATELY_NS
    assert lately.risen() == set()
