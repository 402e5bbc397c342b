"""Who is dead, who sleeps: by the kernel's locks and by beats, never by comparing clocks."""

import subprocess
import sys
from pathlib import Path

from feed.adapters.embedded.liveness import (
    MemberLock,
    Observer,
    forget_locks,
    is_dead,
    new_member_id,
)
from feed.clock import Clock


class _Time:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.clock = Clock(monotonic_s=lambda: self.now_s)

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds


def _expired(observer: Observer, time: _Time, *, beats: list[int], step_s: float) -> dict[str, int]:
    expired = {}
    for beat in beats:
        expired = observer.expired([("ann", beat)])
        time.pass_s(step_s)
    return expired


def test_a_member_whose_beat_stands_still_for_the_lease_is_expired() -> None:
    time = _Time()
    observer = Observer(lease_s=6.0, clock=time.clock)

    assert _expired(observer, time, beats=[7] * 7, step_s=1.0) == {}
    assert _expired(observer, time, beats=[7], step_s=1.0) == {"ann": 7}


def test_a_member_that_beats_is_never_expired() -> None:
    time = _Time()
    observer = Observer(lease_s=6.0, clock=time.clock)

    assert _expired(observer, time, beats=list(range(50)), step_s=1.0) == {}


def test_a_beat_starts_the_lease_anew() -> None:
    time = _Time()
    observer = Observer(lease_s=6.0, clock=time.clock)

    assert _expired(observer, time, beats=[7] * 6 + [8] * 6, step_s=1.0) == {}


def test_an_observer_that_slept_expires_nobody_at_its_first_look() -> None:
    time = _Time()
    observer = Observer(lease_s=6.0, clock=time.clock)
    _expired(observer, time, beats=[7, 7], step_s=1.0)

    time.pass_s(1000.0)

    assert observer.expired([("ann", 7)]) == {}
    assert _expired(observer, time, beats=[7] * 8, step_s=1.0) == {"ann": 7}


def test_a_member_that_left_is_forgotten() -> None:
    time = _Time()
    observer = Observer(lease_s=6.0, clock=time.clock)
    _expired(observer, time, beats=[7] * 4, step_s=1.0)

    observer.expired([])

    assert _expired(observer, time, beats=[7] * 4, step_s=1.0) == {}


def test_member_ids_are_never_the_same() -> None:
    assert len({new_member_id() for _ in range(1000)}) == 1000


def test_a_member_that_holds_its_lock_is_not_dead(tmp_path: Path) -> None:
    lock = MemberLock(tmp_path / "members", "ann")

    assert not is_dead(tmp_path / "members", "ann")
    lock.release()
    lock.release()


def test_of_a_member_without_a_lock_file_nothing_is_said(tmp_path: Path) -> None:
    assert not is_dead(tmp_path, "nobody")


def test_a_process_that_ended_without_a_word_is_dead_at_once(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from feed.adapters.embedded.liveness import MemberLock\n"
        "lock = MemberLock(Path(sys.argv[1]), 'ann')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=False)

    assert (tmp_path / "ann.lock").exists()
    assert is_dead(tmp_path, "ann")


def test_only_the_locks_of_the_dead_are_removed(tmp_path: Path) -> None:
    lock = MemberLock(tmp_path, "alive")
    (tmp_path / "dead.lock").touch()

    forget_locks(tmp_path, ["alive", "dead", "unknown"])

    assert [path.name for path in tmp_path.iterdir()] == ["alive.lock"]
    lock.release()
    assert list(tmp_path.iterdir()) == []
