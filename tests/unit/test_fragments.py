"""Putting split events together: any order, duplicates, stragglers, and bounds that no flood gets past."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.feishu.fragments import LIFETIME, MAX_BYTES, MAX_OPEN, MAX_PARTS, BadFragment, Fragments


def size(fragments: Fragments) -> int:
    """Bytes that are really held."""
    return sum(len(part) for message in fragments.messages.values() for part in message.parts.values())


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8), st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_with_any_duplicates_gives_the_whole(parts: list[bytes], chance: object, twice: int) -> None:
    order = list(range(len(parts))) + list(range(min(twice, len(parts) - 1)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    fragments = Fragments()
    results = [fragments.add("m", len(parts), index, parts[index], 0.0) for index in order]
    assert b"".join(parts) == next(result for result in results if result is not None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.integers(-1, 5),
            st.integers(-1, 5),
            st.binary(max_size=9),
            st.floats(0, 99),
        )
    )
)
def test_nothing_breaks_it_and_its_count_of_bytes_is_right(adds: list[tuple[str, int, int, bytes, float]]) -> None:
    fragments, now = Fragments(), 0.0
    for message_id, total, index, part, later in adds:
        now += later
        try:
            fragments.add(message_id, total, index, part, now)
        except BadFragment:
            continue
        finally:
            assert size(fragments) + sum(map(len, fragments.messages)) == fragments.held


def test_a_straggler_counts_for_60_s_and_no_longer() -> None:
    fragments = Fragments()
    fragments.add("in time", 2, 0, b"a", 0.0)
    assert b"ab" == fragments.add("in time", 2, 1, b"b", LIFETIME)
    fragments.add("late", 2, 0, b"a", 0.0)
    assert fragments.add("late", 2, 1, b"b", LIFETIME + 0.1) is None


def test_messages_do_not_mix() -> None:
    fragments = Fragments()
    fragments.add("a", 2, 0, b"a", 0.0)
    fragments.add("b", 2, 1, b"B", 0.0)
    assert b"ab" == fragments.add("a", 2, 1, b"b", 0.0)
    assert b"bB" == fragments.add("b", 2, 0, b"b", 0.0)


@pytest.mark.parametrize(("total", "index"), [(0, 0), (-1, 0), (2, 2), (2, -1), (MAX_PARTS + 1, 0), (10**30, 0)])
def test_a_part_that_can_not_be_is_refused_and_leaves_nothing(total: int, index: int) -> None:
    fragments = Fragments()
    with pytest.raises(BadFragment):
        fragments.add("m", total, index, b"", 0.0)
    assert {} == fragments.messages


def test_a_message_that_changes_its_total_keeps_the_first() -> None:
    fragments = Fragments()
    fragments.add("m", 2, 0, b"a", 0.0)
    with pytest.raises(BadFragment):
        fragments.add("m", 3, 1, b"x", 0.0)
    assert b"ab" == fragments.add("m", 2, 1, b"b", 0.0)


def test_open_messages_are_bounded_and_the_oldest_give_way() -> None:
    fragments = Fragments()
    for number in range(10 * MAX_OPEN):
        fragments.add(f"m{number}", 2, 0, b"a", 0.0)
    assert MAX_OPEN == len(fragments.messages)
    assert b"ab" == fragments.add(f"m{10 * MAX_OPEN - 1}", 2, 1, b"b", 0.0)


@pytest.mark.parametrize("where", ["parts", "message ids"])
def test_bytes_are_bounded_wherever_they_are(where: str) -> None:
    fragments, long = Fragments(), 2**20
    for number in range(2 * MAX_BYTES // long):
        message_id = f"{number}" + "x" * (long if where == "message ids" else 0)
        fragments.add(message_id, 2, 0, b"x" * (long if where == "parts" else 0), 0.0)
    assert size(fragments) + sum(map(len, fragments.messages)) <= MAX_BYTES


def test_one_message_larger_than_the_bound_is_dropped_and_does_not_stay() -> None:
    fragments = Fragments()
    results = [fragments.add("m", 40, index, b"x" * 2**20, 0.0) for index in range(40)]
    assert {None} == set(results)
    assert size(fragments) <= MAX_BYTES
