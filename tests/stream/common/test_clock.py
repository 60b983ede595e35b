from whoplays.stream.common.clock import RECENT_NS, RecentIncreases


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5

    def __call__(self) -> int:
        return self.now_ns


def test_a_count_has_risen_lately_until_ten_seconds_after_it_last_did() -> None:
    clock = Clock()
    recent = RecentIncreases(clock)
    assert recent.names() == set()
    recent.update(version=0, overlap=3)
    assert recent.names() == {"overlap"}
    clock.now_ns += RECENT_NS - 1
    recent.update(version=1, overlap=3)
    assert recent.names() == {"overlap", "version"}
    clock.now_ns += 1
    recent.update(version=1, overlap=3)
    assert recent.names() == {"version"}
    recent.update(version=1, overlap=4)
    assert recent.names() == {"overlap", "version"}
    clock.now_ns += RECENT_NS
    assert recent.names() == set()
