"""The books close: whatever overlaps, calls, runs and nobody together are charged what the process used."""

from __future__ import annotations

import mmap
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.meter import Drawn, Meter, priced
from orchestrator.meter.counters import Counters, open_counters, rapl_readers
from orchestrator.meter.energy import energy_of, idle_energy_j
from orchestrator.meter.memory import peak_memory_bytes, reset_peak
from orchestrator.types import RemoteEndpoint, Usage
from orchestrator.workspace import Machine

MACHINE = Machine(name="m", cpu_watts_per_core=10.0, idle_watts=20.0, source="test")


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_overlapping_spans_share_and_nobody_takes_the_rest() -> None:
    cpu = FakeClock()
    meter = Meter(wall_clock=FakeClock(), cpu_clock=cpu)
    cpu.now = 1.0
    with meter.span() as first:
        cpu.now = 3.0
        with meter.span() as second:
            cpu.now = 7.0
        cpu.now = 8.0
    assert (first.drawn.cpu_s, second.drawn.cpu_s, meter.nobody().cpu_s) == (2.0 + 2.0 + 1.0, 2.0, 1.0)


def test_a_run_pays_for_what_no_call_does_and_runs_at_once_share_it() -> None:
    cpu = FakeClock()
    meter = Meter(wall_clock=FakeClock(), cpu_clock=cpu)
    with meter.run() as first:
        cpu.now = 1.0
        with meter.span() as call:
            cpu.now = 5.0
        with meter.run() as second:
            cpu.now = 7.0
    assert (call.drawn.cpu_s, first.drawn.cpu_s, second.drawn.cpu_s) == (4.0, 1.0 + 1.0, 1.0)
    assert meter.nobody().cpu_s == 0.0


@given(
    st.lists(st.tuples(st.sampled_from(["call", "run", "close", "work"]), st.floats(0, 10)), max_size=40),
    st.booleans(),
)
def test_nothing_is_charged_twice_or_lost(events: list[tuple[str, float]], counted: bool) -> None:
    cpu = FakeClock()
    counters = Counters([lambda: 3 * cpu.now], covers_cpu=True) if counted else None
    meter = Meter(wall_clock=FakeClock(), cpu_clock=cpu, counters=counters)
    spans, open_spans = [], []
    for kind, seconds in events:
        cpu.now += seconds
        if kind in ("call", "run"):
            stack = ExitStack()
            spans.append(stack.enter_context(meter.span() if kind == "call" else meter.run()))
            open_spans.append(stack)
        elif kind == "close" and open_spans:
            open_spans.pop(0).close()
    for stack in open_spans:
        stack.close()
    charged = [span.drawn for span in spans] + [meter.nobody()]
    assert sum(drawn.cpu_s for drawn in charged) == pytest.approx(meter.total().cpu_s)
    joules = [drawn.counted_j for drawn in charged]
    if counted:
        assert sum(j or 0.0 for j in joules) == pytest.approx(meter.total().counted_j)
    else:
        assert set(joules) == {None}


def test_a_real_clock_sees_real_work() -> None:
    meter = Meter()
    with meter.span() as span:
        sum(i * i for i in range(300_000))
    assert 0 < span.drawn.cpu_s <= span.wall_s * 64
    assert span.wall_s > 0


def test_joules_are_modelled_without_a_counter_and_unknown_prices_stay_unknown() -> None:
    usage = priced(Usage(calls=1), Drawn(2.0), MACHINE)
    assert (usage.energy_j, usage.energy_source, usage.cost_usd) == (20.0, "modelled", None)
    kwh = MACHINE.model_copy(update={"usd_per_kwh": 0.36})
    assert priced(Usage(), Drawn(100.0), kwh).cost_usd == pytest.approx(1000 / 3.6e6 * 0.36)
    assert idle_energy_j(3.0, Drawn(1.0), MACHINE) == 60.0


def test_joules_are_measured_where_a_counter_covers_the_cpu() -> None:
    drawn = Drawn(2.0, 31.0, covers_cpu=True)
    usage = priced(Usage(), drawn, MACHINE)
    assert (usage.energy_j, usage.energy_source) == (31.0, "measured")
    assert idle_energy_j(3.0, drawn, MACHINE) is None, "a counter of the chip has that in it"


def test_a_gpu_counter_alone_leaves_the_sum_modelled() -> None:
    assert energy_of(Drawn(2.0, 31.0, covers_cpu=False), MACHINE) == (20.0 + 31.0, "modelled")


@pytest.mark.parametrize(
    ("output_price", "tokens", "expected"), [(2.0, 10, 1e-4 + 2e-5), (None, 10, None), (2.0, None, None)]
)
def test_remote_cost(output_price: float | None, tokens: int | None, expected: float | None) -> None:
    remote = RemoteEndpoint(
        base_url="x", model="m", usd_per_million_input_tokens=1.0, usd_per_million_output_tokens=output_price
    )
    usage = priced(Usage(prompt_tokens=100, completion_tokens=tokens), Drawn(), MACHINE, remote)
    assert usage.cost_usd == (None if expected is None else pytest.approx(expected))


def test_adding_usage_keeps_what_is_known() -> None:
    total = Usage(calls=1, prompt_tokens=5, ttft_s=0.1) + Usage(calls=2, completion_tokens=7, ttft_s=9.0)
    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (3, 5, 7)
    assert (total.cached_tokens, total.ttft_s) == (None, 0.1)
    assert (Usage(prompt_tokens=0) + Usage()).prompt_tokens == 0


def test_measured_and_modelled_joules_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot add measured to modelled"):
        Usage(energy_j=1.0, energy_source="measured") + Usage(energy_j=1.0, energy_source="modelled")


def zone(root: Path, number: str, name: str, microjoules: int) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "max_energy_range_uj").write_text("999999\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def test_rapl_counts_packages_and_their_memory_and_wraps_around(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 900_000)
    memory = zone(tmp_path, "0:1", "dram", 0)
    zone(tmp_path, "0:0", "core", 5)
    counters = open_counters(tmp_path)
    assert counters
    assert counters.covers_cpu
    assert counters.read_j() == 0.0
    (package / "energy_uj").write_text("100000\n")
    (memory / "energy_uj").write_text("50000\n")
    assert counters.read_j() == pytest.approx(0.2 + 0.05)


def test_a_counter_that_must_not_be_read_counts_nothing(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 1)
    (package / "energy_uj").unlink()
    assert rapl_readers(tmp_path) == []
    assert open_counters(tmp_path) is None


def test_the_peak_is_that_since_the_last_reset(tmp_path: Path) -> None:
    # Mapped, not allocated: what is freed goes back to the system at once.
    with mmap.mmap(-1, 60_000_000) as block:
        block.write(b"x" * 60_000_000)
        high = peak_memory_bytes()
    reset_peak()
    low = peak_memory_bytes()
    if high is None or low is None:
        pytest.skip("no /proc here")
    assert high - low > 50_000_000
    assert peak_memory_bytes(tmp_path) is None


def test_every_declared_figure_has_a_source() -> None:
    given = {"cpu_watts_per_core": "a meter", "idle_watts": "a meter"}
    machine = Machine(name="m", cpu_watts_per_core=1.0, idle_watts=2.0, source=given)
    assert machine.sources == given
    assert MACHINE.sources == {"cpu_watts_per_core": "test", "idle_watts": "test"}
    with pytest.raises(ValueError, match="says nothing about usd_per_kwh"):
        Machine(name="m", cpu_watts_per_core=1.0, idle_watts=2.0, usd_per_kwh=0.2, source=given)
    with pytest.raises(ValueError, match="names no figure: watts"):
        Machine(name="m", cpu_watts_per_core=1.0, idle_watts=2.0, source={**given, "watts": "?"})
