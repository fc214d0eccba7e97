"""Which KV cache a prompt gets, and how much of it may be kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtimes.prefix import PrefixSlots


class Tape:
    """A KV cache that remembers its tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.tokens: list[int] = []

    def rewind(self, length: int) -> None:
        assert length <= len(self.tokens)
        del self.tokens[length:]

    def read(self, tokens: list[int]) -> None:
        self.tokens.extend(tokens)
        assert len(self.tokens) <= self.capacity


def slots(**fields: int) -> PrefixSlots[Tape]:
    return PrefixSlots(Tape, context_tokens=4096, **fields)


def use(pool: PrefixSlots[Tape], prompt: list[int], answer: int = 5, salt: str = "") -> int:
    tape, kept = pool.take(prompt, len(prompt) + answer, salt)
    assert tape.tokens == prompt[:kept]
    tape.read(prompt[kept:] + [-1] * answer)
    pool.read(tape, len(tape.tokens))
    return kept


HEAD = list(range(100))


def test_a_shared_head_is_kept() -> None:
    pool = slots()
    assert use(pool, [*HEAD, 7, 7, 7]) == 0
    assert use(pool, [*HEAD, 8, 8, 8]) == 100


def test_two_tokens_are_always_left_to_read() -> None:
    pool = slots()
    use(pool, HEAD)
    assert use(pool, HEAD) == 98


def test_decoded_tokens_are_not_kept() -> None:
    pool = slots()
    use(pool, HEAD)
    assert use(pool, [*HEAD, -1, -1, -1, -1]) == 100


def test_prompts_with_nothing_in_common_do_not_push_each_other_out() -> None:
    pool = slots()
    other = list(range(1000, 1100))
    use(pool, HEAD)
    use(pool, other)
    assert use(pool, [*HEAD, 1, 2]) == 100
    assert use(pool, [*other, 1, 2]) == 100


def test_the_least_recently_used_goes_first() -> None:
    pool = slots(limit=2)
    first, second, third = ([n] * 50 for n in (1, 2, 3))
    for prompt in (first, second, first, third):
        use(pool, prompt)
    assert use(pool, first) == 48
    assert use(pool, second) == 0


def test_a_prompt_that_needs_more_room_gets_a_new_cache() -> None:
    pool = slots()
    use(pool, HEAD)
    assert use(pool, [*HEAD, *range(2000, 2600)]) == 0


def test_a_call_that_was_cut_short_counts_for_what_it_read() -> None:
    pool = slots()
    tape, _ = pool.take(HEAD, 200)
    tape.read(HEAD[:40])
    pool.read(tape, 40)
    assert use(pool, HEAD) == 40


def test_a_dropped_cache_is_not_used_again() -> None:
    pool = slots()
    use(pool, HEAD)
    tape, _ = pool.take(HEAD, 110)
    pool.drop(tape)
    assert pool.tokens_of_room == 0
    assert use(pool, HEAD) == 0


def test_nothing_is_shared_between_salts() -> None:
    pool = slots(limit=2)
    assert [use(pool, HEAD, salt=salt) for salt in ("crew", "small", "crew", "small")] == [0, 0, 98, 98]
    assert use(pool, HEAD, salt="third") == 0
    assert use(pool, HEAD, salt="small") == 98, "the slot that was taken over is the oldest"


def test_whole_pieces_only_where_the_split_matters() -> None:
    pool = slots(whole_pieces_of=64)
    use(pool, HEAD)
    assert use(pool, [*HEAD, 1, 2]) == 64


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(2, 90), st.integers(0, 700)), max_size=25))
def test_what_is_kept_is_always_the_head_of_the_prompt(calls: list[tuple[int, int, int]]) -> None:
    pool = slots(limit=3)
    for head, length, answer in calls:
        kept = use(pool, [head] * (length // 2) + list(range(length - length // 2)), answer)
        assert 0 <= kept <= length - 2
