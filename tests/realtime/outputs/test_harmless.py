import logging

from realtime.outputs.harmless import harmless, or_else


def test_an_output_that_fails_is_said_once_with_its_traceback_and_called_again(caplog):
    calls = []

    def broken(number, *, name):
        calls.append((number, name))
        raise OSError(24, "Too many open files")

    output = harmless(broken)
    with caplog.at_level(logging.ERROR):
        for number in range(3):
            output(number, name="x")
    assert calls == [(0, "x"), (1, "x"), (2, "x")]
    (record,) = caplog.records
    assert "broken failed (1 times so far), the run goes on: [Errno 24] Too many open files" in record.getMessage()
    assert record.exc_info is not None


def test_what_works_is_passed_on():
    given = []
    harmless(given.append)(7)
    assert given == [7]


def test_a_picture_that_cannot_be_drawn_on_is_shown_as_it_is(caplog):
    def draw(frame, verdicts):
        return [*frame, verdicts["Ada"]]

    drawn = or_else(draw, lambda frame, *_: list(frame))
    with caplog.at_level(logging.ERROR):
        assert drawn([1], {"Ada": 2}) == [1, 2]
        assert drawn([1], {}) == [1]
    assert "draw failed (1 times so far), the run goes on: 'Ada'" in caplog.text
