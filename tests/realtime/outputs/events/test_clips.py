"""A clip around an event."""

import io
from dataclasses import replace

import av
import numpy as np
from sightings import attack, crop

from realtime.outputs.events import retention
from realtime.outputs.events.clips import RATE, Clips
from realtime.outputs.recording.short_clip import short_clip
from realtime.types import Frame


def shown(moment, camera="door", level=90, size=(61, 80)):
    bgr = np.full((*size, 3), level, np.uint8)
    return Frame(camera, int(moment * 25), bgr, captured_at=moment, wall_time=1000.0 + moment)


def length(content):
    with av.open(io.BytesIO(content)) as film:
        return sum(1 for _ in film.decode(video=0)) / RATE


def test_a_clip_holds_the_seconds_before_and_after_its_event_and_no_other_camera():
    clips = Clips(4.0)
    for step in range(0, 200):
        clips.put(shown(step / 25, level=step))
        clips.put(shown(step / 25, camera="yard"))
        if step == 100:
            clips.begin("k", "door", 4.0)
    (shots,) = clips.finished().values()
    moments = [moment for moment, _ in shots]
    assert 2.0 <= moments[0] <= 2.2
    assert 5.8 <= moments[-1] <= 6.0
    assert np.diff(moments).min() >= 0.9 / RATE
    assert clips.finished() == {}


def test_what_is_still_gathered_at_the_end_is_given_too_and_a_refused_event_has_none():
    clips = Clips(4.0)
    clips.put(shown(0.0))
    clips.begin("k", "door", 0.0)
    clips.begin("refused", "door", 0.0)
    clips.forget("refused")
    clips.put(shown(0.5))
    assert clips.finished() == {}
    assert [len(shots) for shots in clips.finished(all_of_them=True).values()] == [2]


def test_a_clip_is_a_film_of_its_length_whatever_its_sides_are():
    clips = Clips(4.0)
    for step in range(50):
        clips.put(shown(step / 25))
    clips.begin("k", "door", 2.0)
    (shots,) = clips.finished(all_of_them=True).values()
    assert abs(length(short_clip(shots, RATE)) - (shots[-1][0] - shots[0][0]) - 1 / RATE) < 0.5 / RATE
    assert short_clip([], RATE) == b""
    assert short_clip([(0.0, b"damaged")], RATE) == b""


def test_an_event_gets_its_clip_and_whoever_is_forgotten_as_a_bystander_takes_it_along(open_log):
    log = open_log(clip_seconds=2.0)
    for step in range(30):
        frame = shown(step / 10, size=(240, 320))
        log.follow_up.clips.put(frame)
        if step == 15:
            log.offer(frame, [attack(now=1.5), replace(attack(now=1.5, claimed="Cyd", track_id=2), crop=crop())], 1.5)
    log.close()
    from realtime.outputs.events.store import EventStore

    store = EventStore(log.store.folder)
    first, second = sorted(store.query(), key=lambda event: event.id)
    assert "clip" in first.pictures
    film = store.picture_path(first.id, "clip")
    assert 1.5 <= length(film.read_bytes()) <= 2.3
    assert retention.forget_person(store, second.claimed) == 1
    assert "clip" not in store.get(first.id).pictures
    assert not film.exists()
    store.close()
