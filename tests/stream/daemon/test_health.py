import msgspec

from tests.stream.make_messages import make_status
from whoplays.stream.daemon.health import HealthMonitor
from whoplays.stream.pubsub.messages import Counters, End, State, Status

SECOND = 44_100


def status(state: State, elapsed_s: float, *, session: str = "one", detail: str = "") -> Status:
    counters = Counters(
        elapsed_samples=round(elapsed_s * SECOND),
        heard_samples=round(elapsed_s * SECOND),
        lost_samples=0,
        windows=0,
        gaps=0,
        dropped_windows=0,
        dropped_messages=0,
    )
    return msgspec.structs.replace(make_status(0, session=session), state=state, counters=counters, detail=detail)


def test_audio_that_is_not_judged_is_stuck() -> None:
    flow = HealthMonitor()
    flow.follow(status("listening", 20.0))
    assert flow.stuck() is None
    flow.follow(status("listening", 22.0))
    assert flow.stuck() == "hall: no window was judged for 22 s of audio"
    flow.follow(status("listening", 2.0, session="two"))
    assert flow.stuck() is None


def test_a_source_that_is_lost_is_not_our_fault_but_not_ready() -> None:
    flow = HealthMonitor()
    flow.follow(status("lost", 100.0, detail="the cable was pulled"))
    assert flow.stuck() is None
    assert flow.unready() == "hall: lost: the cable was pulled"
    flow.follow(status("silent", 3.0))
    assert flow.unready() is None


def test_what_has_ended_is_forgotten() -> None:
    flow = HealthMonitor()
    flow.follow(status("lost", 100.0))
    flow.follow(End(stream="hall", session="one", seq=0, published_ns=1, reason="stopped", detail="", final=0))
    assert (flow.stuck(), flow.unready()) == (None, "no stream is heard yet")


def test_what_has_failed_is_not_forgotten_while_it_is_wanted() -> None:
    flow = HealthMonitor()
    flow.follow(status("listening", 3.0))
    flow.follow(End(stream="roof", session="one", seq=0, published_ns=1, reason="failed", detail="damaged", final=0))
    assert flow.unready() == "roof: failed: damaged"
    flow.expect({"hall", "roof"})
    assert flow.unready() == "roof: failed: damaged"
    flow.expect({"hall"})
    assert flow.unready() is None
