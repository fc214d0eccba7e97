"""The report that people read: one HTML file that opens offline, with nothing to fetch and no script.

Only words and tables are made here; figures come from the records, pictures from `plots.py`. What is not
known is shown as a dash, never as 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.bench.arms import Once
from orchestrator.bench.costs import break_even_successes, remote_usd_per_success
from orchestrator.bench.failures import worst_failures
from orchestrator.bench.headline import Ruled, headline, ruled_families, times_less
from orchestrator.bench.plots import differences, draw, family_name, kinds, quality_against
from orchestrator.bench.record import ArmFamily, BenchRecord
from orchestrator.bench.statistics import Interval

_UNKNOWN = "–"
_TEMPLATE = "report.html.j2"
_DECLARED = {
    "cpu_watts_per_core": "W a busy core",
    "idle_watts": "W at rest",
    "usd_per_kwh": "USD a kWh",
    "purchase_usd": "USD for the machine",
    "lifetime_years": "years of use",
    "grams_co2e_per_kwh": "g CO2e a kWh",
}


def render(
    records: Sequence[BenchRecord],
    *,
    title: str = "Small models against a larger one",
    price: tuple[float, float] | None = None,
) -> str:
    """One page over the records, a benchmark each. Raises UserError where the extra `report` is missing.

    `price`: of a remote model in the reference's place, in USD a million tokens read and written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("orchestrator.bench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    families = ruled_families(records)
    energy = all(figure.costs.energy_j is not None for record in records for figure in record.figures)
    return environment.get_template(_TEMPLATE).render(
        title=title,
        subtitle=_subtitle(records),
        remarks=_remarks(records),
        counts=_counts(families),
        verdicts=[_verdict_row(ruled) for ruled in families],
        forest=Markup(draw(differences(families))),
        kinds=kinds(records),
        latency=[Markup(draw(panel)) for panel in quality_against(records, "latency")],
        energy=[Markup(draw(panel)) for panel in quality_against(records, "energy")] if energy else [],
        no_energy="; ".join(r.books.reason for r in records if r.books and not r.books.closed)
        or "not metered.",
        source=", ".join(sorted({f.summary.energy_source or "unknown" for r in records for f in r.figures})),
        headline=_headline(families),
        hurts=_hurts(families),
        break_even=_break_even(families, price),
        families=[_family(ruled) for ruled in families],
        level=_level(families),
        once=_once(records),
        books=_books(records),
        origin=_origin(records),
    )


def _subtitle(records: Sequence[BenchRecord]) -> str:
    environment = records[0].environment
    commits = sorted({commit.removesuffix("+") for record in records for commit in record.commits})
    days = sorted({record.made_at[:10] for record in records})
    memory = environment.memory_bytes / 2**30
    where = f"{environment.usable_cpus} CPUs of {environment.cpu}, {memory:.0f} GiB"
    return f"{', '.join(days)} · {where} · commit {', '.join(commits)}"


def _remarks(records: Sequence[BenchRecord]) -> list[str]:
    """Each said once, with the names of the benchmarks that it is about."""
    about: dict[str, list[str]] = {}
    for record in records:
        total = record.scored + record.unscored
        missing = f"{record.unscored} of {total} outcomes are missing." if record.unscored else ""
        for remark in filter(None, (record.remark, missing)):
            about.setdefault(remark, []).append(record.benchmark.name)
    return [f"{', '.join(names)}: {remark}" for remark, names in about.items()]


def _counts(families: Sequence[Ruled]) -> str:
    counted = Counter(ruled.verdict.ruling for ruled in families)
    said = [f"{counted[name]} {name}" for name in ("confirmed", "refuted", "inconclusive")]
    return f"{len(families)} {'family' if len(families) == 1 else 'families'}: {', '.join(said)}."


def _verdict_row(ruled: Ruled) -> dict[str, Any]:
    verdict = ruled.verdict
    large, small = (figure.costs.per_success for figure in (ruled.reference, ruled.candidate))
    return {
        "family": family_name(ruled),
        "ruling": verdict.ruling,
        "candidate": verdict.candidate,
        "candidate_rate": percent(verdict.candidate_rate),
        "reference": verdict.reference,
        "reference_rate": percent(verdict.reference_rate),
        "difference": f"{100 * verdict.difference.value:+.1f}",
        "n": f"{verdict.difference.n:,}",
        "seconds": times_less(large.seconds, small.seconds),
        "reason": verdict.reason,
    }


def _headline(families: Sequence[Ruled]) -> list[dict[str, str]]:
    return [
        {
            "quantity": share.quantity,
            "replaceable": percent(share.replaceable, 0),
            "saved": percent(share.saved, 0),
        }
        for share in headline(families)
    ]


def _hurts(families: Sequence[Ruled]) -> str:
    worse = [ruled for ruled in families if ruled.verdict.difference.interval.high < 0]
    return ", ".join(f"{family_name(r)} ({100 * r.verdict.difference.value:+.0f} points)" for r in worse)


def _break_even(families: Sequence[Ruled], price: tuple[float, float] | None) -> list[str]:
    """A sentence for each confirmed family, and one that names the others."""
    if price is None:
        return []
    said = []
    for ruled in (ruled for ruled in families if ruled.verdict.ruling == "confirmed"):
        remote_usd = remote_usd_per_success(ruled.reference.summary, price)
        small = ruled.candidate
        count = None
        if remote_usd is not None:
            machine = ruled.record.declared
            count = break_even_successes(machine, small.costs, small.summary.solved, remote_usd)
        said.append(_break_even_sentence(family_name(ruled), remote_usd, count))
    others = [family_name(ruled) for ruled in families if ruled.verdict.ruling != "confirmed"]
    if others:
        said.append(
            f"No break-even for {', '.join(others)}: not confirmed, so nothing stands in for the larger."
        )
    return said


def _break_even_sentence(family: str, remote_usd: float | None, count: float | None) -> str:
    if remote_usd is None:
        return f"{family}: what a success costs at that price is not known."
    paid = f"{family}: at that price the reference's tokens cost {short(remote_usd)} USD a success"
    if count is None:
        return f"{paid}; the machine never pays for itself on this work alone."
    return f"{paid}; the machine is paid for after {short(count)} successes."


def _family(ruled: Ruled) -> dict[str, Any]:
    record, verdict = ruled.record, ruled.verdict
    arms = [arm.name for arm in record.benchmark.arms]
    figures = [f for arm in arms if (f := record.figure(verdict.family, arm))]
    return {
        "anchor": f"{verdict.benchmark}-{verdict.family}",
        "title": family_name(ruled),
        "ruling": verdict.ruling,
        "description": record.benchmark.description,
        "reason": f"{verdict.candidate} against {verdict.reference}: {verdict.reason}.",
        "data": f"Data: {record.dataset} ({record.dataset_licence}). {record.dataset_notes}",
        "notes": record.benchmark.notes,
        "tables": [*_tables(record, figures), *_router_tables(record, verdict.family)],
        "arms": [figure.summary.arm for figure in figures],
        "failures": worst_failures(record, verdict.family, [figure.summary.arm for figure in figures]),
    }


_Cell = Callable[[ArmFamily], str]
_QUALITY: dict[str, _Cell] = {
    "quality": lambda f: percent(f.summary.mean_grade),
    "95 %": lambda f: _span(f.summary.grade_interval),
    "solved": lambda f: f"{f.summary.solved} / {f.summary.n}",
    "failed runs": lambda f: str(f.summary.failed_runs),
}
_TIME: dict[str, _Cell] = {
    "p50 s": lambda f: short(f.summary.latency_p50_s),
    "p95 s": lambda f: short(f.summary.latency_p95_s),
    "TTFT s": lambda f: short(f.summary.ttft_p50_s),
    "TPOT ms": lambda f: short(None if f.summary.tpot_s is None else 1000 * f.summary.tpot_s),
    "CPU s": lambda f: short(_each(f, f.summary.cpu_s)),
    "tokens read": lambda f: short(_each(f, f.summary.prompt_tokens)),
    "of them kept": lambda f: short(_each(f, f.summary.cached_tokens)),
    "written": lambda f: short(_each(f, f.summary.completion_tokens)),
    "peak MB": lambda f: short(
        None if f.summary.peak_memory_bytes is None else f.summary.peak_memory_bytes / 1e6
    ),
}
_SUCCESS: dict[str, _Cell] = {
    "s": lambda f: short(f.costs.per_success.seconds),
    "J": lambda f: short(f.costs.per_success.joules),
    "USD a 1,000": lambda f: short(_times_thousand(f.costs.per_success.usd)),
    "USD a 1,000 cases at 20 %": lambda f: short(_thousand(f, 0.2)),
    "50 %": lambda f: short(_thousand(f, 0.5)),
    "100 %": lambda f: short(_thousand(f, 1.0)),
    "g CO2e a 1,000 cases": lambda f: short(
        None if f.costs.co2e_grams is None else 1000 * f.costs.co2e_grams / f.summary.n
    ),
}


def _tables(record: BenchRecord, figures: Sequence[ArmFamily]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(name for figure in figures for name in figure.metrics))
    metrics: dict[str, _Cell] = {name.replace("_", " "): _metric(name) for name in names}
    kinds = {arm.name: arm.kind for arm in record.benchmark.arms}
    made = []
    for caption, columns in (
        ("Quality", {**_QUALITY, **metrics}),
        ("Time and tokens, a case", _TIME),
        ("Cost of a success (the machine in use half the time), and of cases by its utilisation", _SUCCESS),
    ):
        rows = [
            {
                "kind": kinds[figure.summary.arm],
                "cells": [figure.summary.arm, *(cell(figure) for cell in columns.values())],
            }
            for figure in figures
        ]
        made.append({"caption": caption, "columns": ["arm", *columns], "rows": rows})
    return made


def _router_tables(record: BenchRecord, family: str) -> list[dict[str, Any]]:
    return [
        {
            "caption": f"A router between {table.weak} ({percent(table.weak_rate)}) and {table.strong} "
            f"({percent(table.strong_rate)}): APGR and CPT as in RouteLLM (arXiv 2406.18665)",
            "columns": ["router", "APGR", "CPT(50 %)", "CPT(80 %)"],
            "rows": [
                {"kind": "", "cells": [row.name, short(row.apgr), percent(row.cpt_50), percent(row.cpt_80)]}
                for row in table.rows
            ],
        }
        for table in record.routers
        if table.family == family
    ]


def _level(families: Sequence[Ruled]) -> str:
    """At which each family was tested, in words."""
    many = sorted({ruled.verdict.families_tested for ruled in families})
    return f"5 % divided by {' or '.join(map(str, many))}, the number of families that were declared together"


def _once(records: Sequence[BenchRecord]) -> list[list[str]]:
    """What is in no case, and after how many cases the candidate has made up for it. Trifles are left out."""
    rows = []
    for record in records:
        closed = record.books is None or record.books.closed
        for arm, once in record.once.items():
            if once.seconds >= 0.5:
                joules = short(once.energy_j if closed else None)
                pays = short(_pays_after(record, arm, once)) if arm == record.benchmark.arms[0].name else ""
                rows.append([f"{record.benchmark.name} {arm}", short(once.seconds), joules, pays])
    return rows


def _pays_after(record: BenchRecord, arm: str, once: Once) -> float | None:
    """Cases of the first family, by energy; None where a case costs no less than the reference's."""
    verdict = next(iter(record.verdicts), None)
    reference = record.figure(verdict.family, verdict.reference) if verdict else None
    own = record.figure(verdict.family, arm) if verdict else None
    if not reference or not own or reference.joules_a_case is None or own.joules_a_case is None:
        return None
    saved_j = reference.joules_a_case - own.joules_a_case
    return None if once.energy_j is None or saved_j <= 0 else once.energy_j / saved_j


def _books(records: Sequence[BenchRecord]) -> dict[str, Any]:
    columns = ["arm", "models J", "code J", "controller J", "idle J", "metered J", "residual"]
    rows = []
    for record in records:
        for account in record.books.accounts if record.books else ():
            residual = account.residual_j / account.metered_j if account.metered_j else None
            lines = (
                account.models_j,
                account.code_j,
                account.controller_j,
                account.idle_j,
                account.metered_j,
            )
            name = f"{record.benchmark.name} {account.arm}"
            rows.append([name, *map(short, lines), percent(residual)])
    return {"columns": columns, "rows": rows}


def _origin(records: Sequence[BenchRecord]) -> list[tuple[str, str]]:
    first = records[0]
    packages = ", ".join(f"{name} {version}" for name, version in first.environment.packages.items())
    declared = [
        (f"{getattr(first.declared, name):g} {unit}", f"{first.declared.sources[name]}")
        for name, unit in _DECLARED.items()
        if getattr(first.declared, name) is not None
    ]
    data = [
        (f"data of {r.benchmark.name}", f"{r.dataset}, {r.dataset_licence}, sha256 {r.data_hash[:16]}")
        for r in records
    ]
    models = {name: key for record in records for name, key in record.models.items()}
    return [
        ("system", f"{first.environment.os}, Python {first.environment.python}"),
        ("packages", packages),
        ("models", ", ".join(f"{name} {key}" for name, key in sorted(models.items()))),
        *data,
        ("seeds", ", ".join(f"{r.benchmark.name} {r.benchmark.seed}" for r in records)),
        ("machine file", first.machine),
        *declared,
    ]


def _metric(name: str) -> _Cell:
    return lambda figure: short(figure.metrics.get(name))


def _each(figure: ArmFamily, total: float | None) -> float | None:
    return None if total is None else total / figure.summary.n


def _times_thousand(value: float | None) -> float | None:
    return None if value is None else 1000 * value


def _thousand(figure: ArmFamily, utilisation: float) -> float | None:
    usd = figure.costs.total_usd(utilisation)
    return None if usd is None else 1000 * usd / figure.summary.n


def _span(interval: Interval) -> str:
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f}"


def percent(share: float | None, digits: int = 1) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.{digits}f} %"


def short(value: float | None) -> str:
    """Three significant digits, thousands with commas."""
    if value is None:
        return _UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
