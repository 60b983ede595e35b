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


def test_audio_without_windows_is_stuck() -> None:
    health = HealthMonitor()
    health.handle(status("listening", 20.0))
    assert health.stuck() is None
    health.handle(status("listening", 22.0))
    assert health.stuck() == "hall: no window for 22 s of audio"
    health.handle(status("listening", 2.0, session="two"))
    assert health.stuck() is None


def test_a_lost_source_is_not_stuck_and_not_ready() -> None:
    health = HealthMonitor()
    health.handle(status("lost", 100.0, detail="the cable was pulled"))
    assert health.stuck() is None
    assert health.unready() == "hall: lost: the cable was pulled"
    health.handle(status("silent", 3.0))
    assert health.unready() is None


def test_what_has_ended_is_forgotten() -> None:
    health = HealthMonitor()
    health.handle(status("lost", 100.0))
    health.handle(End(stream="hall", session="one", seq=0, published_ns=1, reason="stopped", detail="", final=0))
    assert (health.stuck(), health.unready()) == (None, "no stream has begun yet")


def test_what_has_failed_is_reported_while_it_is_configured() -> None:
    health = HealthMonitor()
    health.handle(status("listening", 3.0))
    health.handle(End(stream="roof", session="one", seq=0, published_ns=1, reason="failed", detail="damaged", final=0))
    assert health.unready() == "roof: failed: damaged"
    health.expect({"hall", "roof"})
    health.handle(status("lost", 9.0))
    assert health.unready() == "roof: failed: damaged; hall: lost"
    health.handle(status("listening", 9.0))
    health.expect({"hall"})
    assert health.unready() is None
