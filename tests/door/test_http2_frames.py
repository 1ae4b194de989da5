"""HTTP/2 frames, found in whatever pieces they come, what each costs, and what a client may spend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.door.http2_frames import PREFACE, REQUEST_EARNS, RESET_COST, Allowance, Frame, FrameKind, Frames, cost

HEADS = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.integers(0, 40))


def written(frame: Frame) -> bytes:
    """The frame, on a stream, with contents."""
    return frame.length.to_bytes(3, "big") + bytes((frame.kind, frame.flags)) + b"\0\0\0\x01" + b"x" * frame.length


@given(st.lists(HEADS, max_size=20), st.integers(1, 60), st.integers(1, 5))
def test_frames_are_found_in_whatever_pieces_they_come(frames: list[Frame], size: int, most: int) -> None:
    """Every one, once, in order; all bytes are taken; never more than asked for, no further than a request's head."""
    sent, frames_of, found, taken = PREFACE + b"".join(map(written, frames)), Frames(), list[Frame](), b""
    for start in range(0, len(sent), size):
        piece = sent[start : start + size]
        while piece:
            end, some = frames_of.read(piece, most)
            assert 0 < end <= len(piece)
            assert len(some) <= most
            assert not any(frame.ends_head for frame in some[:-1])
            taken, piece = taken + piece[:end], piece[end:]
            found += some
    assert found == frames
    assert taken == sent


@given(st.lists(HEADS, min_size=1, max_size=20))
def test_a_turn_ends_where_a_frame_ends(frames: list[Frame]) -> None:
    """What is handled at once is whole frames, so that what follows can wait for a turn of its own."""
    reader, rest = Frames(), PREFACE + b"".join(map(written, frames))
    while rest:
        end, some = reader.read(rest, 3)
        expected = sum(9 + frame.length for frame in some)
        assert end in (expected, expected + len(PREFACE))
        rest = rest[end:]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (Frame(FrameKind.DATA, 0, 1), 0),
        (Frame(FrameKind.DATA, 1, 0), 0),
        (Frame(FrameKind.DATA, 0, 0), 1),
        (Frame(FrameKind.DATA, 8, 256), 1),
        (Frame(FrameKind.DATA, 8, 257), 0),
        (Frame(FrameKind.HEADERS, 5, 20), 1),
        (Frame(FrameKind.CONTINUATION, 4, 20), 1),
        (Frame(2, 0, 5), 1),
        (Frame(4, 0, 6), 1),
        (Frame(6, 0, 8), 1),
        (Frame(8, 0, 4), 1),
        (Frame(0xF0, 0, 0), 1),
        (Frame(FrameKind.RST_STREAM, 0, 4), RESET_COST),
    ],
)
def test_what_brings_nothing_costs(frame: Frame, expected: int) -> None:
    """Frames that carry a body are free, all others cost."""
    assert cost(frame) == expected


def test_a_request_that_is_reset_at_once_costs_more_than_it_earns() -> None:
    """Or rapid resets would go on for ever; a request alone earns."""
    head, reset = cost(Frame(FrameKind.HEADERS, 5, 20)), cost(Frame(FrameKind.RST_STREAM, 0, 4))
    assert head < REQUEST_EARNS < head + reset


def test_an_allowance_is_full_at_first_fills_with_time_and_with_what_is_earned() -> None:
    """Never beyond its size."""
    allowance = Allowance(10, 2.0, 100.0)
    assert allowance.take(10, 100.0)
    assert not allowance.take(1, 100.0)
    assert allowance.take(1, 101.0)  # two came, and one was owed
    assert not allowance.take(1, 101.0)
    allowance.give(4)
    assert allowance.take(3, 101.0)
    assert allowance.take(10, 1000.0)
    assert not allowance.take(1, 1000.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), max_size=60))
def test_nobody_gets_more_than_what_there_was_and_came_since(wishes: list[tuple[float, int]]) -> None:
    """As long as it has not been refused once: then the connection is closed."""
    allowance, now, taken = Allowance(50, 3.0, 0.0), 0.0, 0
    for after, price in wishes:
        now += after
        if not allowance.take(price, now):
            break
        taken += price
        assert taken <= 50 + 3.0 * now + 1e-6
