"""The books close: whatever overlaps, what is charged plus overhead is what the process used."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.meter import Meter, priced
from orchestrator.meter.energy import idle_energy_j
from orchestrator.types import RemoteEndpoint, Usage
from orchestrator.workspace import Machine

MACHINE = Machine(name="m", cpu_watts_per_core=10.0, idle_watts=20.0, source="test")


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_overlapping_spans_share_and_overhead_takes_the_rest() -> None:
    cpu = FakeClock()
    meter = Meter(wall_clock=FakeClock(), cpu_clock=cpu)
    cpu.now = 1.0
    with meter.span() as first:
        cpu.now = 3.0
        with meter.span() as second:
            cpu.now = 7.0
        cpu.now = 8.0
    assert (first.cpu_s, second.cpu_s, meter.overhead_cpu_s) == (2.0 + 2.0 + 1.0, 2.0, 1.0)


@given(st.lists(st.tuples(st.sampled_from(["open", "close", "work"]), st.floats(0, 10)), max_size=40))
def test_nothing_is_charged_twice_or_lost(events: list[tuple[str, float]]) -> None:
    cpu = FakeClock()
    meter = Meter(wall_clock=FakeClock(), cpu_clock=cpu)
    spans, open_spans = [], []
    for kind, seconds in events:
        cpu.now += seconds
        if kind == "open":
            stack = ExitStack()
            spans.append(stack.enter_context(meter.span()))
            open_spans.append(stack)
        elif kind == "close" and open_spans:
            open_spans.pop(0).close()
    for stack in open_spans:
        stack.close()
    charged = sum(span.cpu_s for span in spans)
    assert charged + meter.overhead_cpu_s == pytest.approx(meter.total_cpu_s)
    assert meter.charged_cpu_s == pytest.approx(charged)


def test_a_real_clock_sees_real_work() -> None:
    meter = Meter()
    with meter.span() as span:
        sum(i * i for i in range(300_000))
    assert 0 < span.cpu_s <= span.wall_s * 64
    assert span.wall_s > 0


def test_joules_are_modelled_and_unknown_prices_stay_unknown() -> None:
    usage = priced(Usage(calls=1), 2.0, MACHINE)
    assert (usage.energy_j, usage.energy_source, usage.cost_usd) == (20.0, "modelled", None)
    kwh = MACHINE.model_copy(update={"usd_per_kwh": 0.36})
    assert priced(Usage(), 100.0, kwh).cost_usd == pytest.approx(1000 / 3.6e6 * 0.36)
    assert idle_energy_j(3.0, MACHINE) == 60.0


@pytest.mark.parametrize(
    ("output_price", "tokens", "expected"), [(2.0, 10, 1e-4 + 2e-5), (None, 10, None), (2.0, None, None)]
)
def test_remote_cost(output_price: float | None, tokens: int | None, expected: float | None) -> None:
    remote = RemoteEndpoint(
        base_url="x", model="m", usd_per_million_input_tokens=1.0, usd_per_million_output_tokens=output_price
    )
    usage = priced(Usage(prompt_tokens=100, completion_tokens=tokens), 0.0, MACHINE, remote)
    assert usage.cost_usd == (None if expected is None else pytest.approx(expected))


def test_adding_usage_keeps_what_is_known() -> None:
    total = Usage(calls=1, prompt_tokens=5, ttft_s=0.1) + Usage(calls=2, completion_tokens=7, ttft_s=9.0)
    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (3, 5, 7)
    assert (total.cached_tokens, total.ttft_s) == (None, 0.1)
    assert (Usage(prompt_tokens=0) + Usage()).prompt_tokens == 0


def test_measured_and_modelled_joules_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot add measured to modelled"):
        Usage(energy_j=1.0, energy_source="measured") + Usage(energy_j=1.0, energy_source="modelled")
