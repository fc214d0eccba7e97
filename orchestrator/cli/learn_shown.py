"""What `lilliput learn` shows: what was collected, scrubbed, trained and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.learning.curve import Epoch
    from orchestrator.learning.gate import ArmResult, GateResult
    from orchestrator.learning.learner import Learner
    from orchestrator.learning.project import Project
    from orchestrator.learning.scrub import Scrubbed
    from orchestrator.learning.shown import Shown
    from orchestrator.learning.watching import Watched


def tell_collected(project: Project, *, then: bool = True) -> None:
    """`then`: say what comes next."""
    from orchestrator.cli.console import print_pairs

    collected = project.collected
    assert collected is not None
    left = ", ".join(f"{many} ({why})" for why, many in collected.left_out.items()) or "none"
    print_pairs([("agent", project.agent), ("collected", len(collected.places)), ("left out", left)])
    if then:
        say_next(f"lilliput learn scrub {project.name}")


def tell_scrubbed(report: Scrubbed) -> None:
    from orchestrator.cli.console import print_pairs

    replaced = ", ".join(f"{many} {kind}" for kind, many in sorted(report.replaced.items())) or "nothing"
    left = ", ".join(f"{many} ({why})" for why, many in report.left_out.items()) or "none"
    print_pairs([("kept", f"{report.kept} of {report.seen}"), ("left out", left), ("replaced", replaced)])


def tell_epoch(epoch: Epoch) -> None:
    from orchestrator.cli.console import to_people

    to_people().print(
        f"{epoch.epoch:3}  loss {epoch.loss:.4f}  development: {100 * epoch.dev_quality:.1f} %"
        f"  loss {epoch.dev_loss:.4f}",
        markup=False,
        highlight=False,
    )


def tell_row(done: int, total: int) -> None:
    from orchestrator.cli.console import to_people

    if done == total or not done % 50:
        to_people().print(f"{done} of {total}", markup=False, highlight=False)


def tell_gate(found: GateResult) -> None:
    from orchestrator.cli.console import print_table, to_stdout

    columns = ("model", "right", "p50", "joules", "memory")
    print_table(columns, [arm_row(arm) for arm in found.arms], right=columns[1:])
    for arm in found.arms:
        more = {name: share for name, share in arm.figures.items() if name != "accuracy"}
        if more:
            shown = ", ".join(f"{name} {100 * share:.1f} %" for name, share in more.items())
            to_stdout().print(f"{arm.model}: {shown}", markup=False, highlight=False)
    said = "passed" if found.passed else f"refused: {'; '.join(found.reasons)}"
    to_stdout().print(f"{found.specialist} {said} (n = {found.n}, judged by {found.judged_by})", markup=False)


def listed(found: Shown) -> tuple[str, ...]:
    gate = found.gate
    told = (
        ("not yet", "", "", "")
        if gate is None
        else (
            "passed" if gate.passed else "refused",
            f"{100 * gate.arms[0].quality:.1f} %",
            f"{gate.n:,}",
            f"{gate.arms[-1].model} {100 * gate.arms[-1].quality:.1f} %",
        )
    )
    return (found.name, found.specialism.agent, "yes" if found.answers else "no", *told)


def learnt_from(found: Shown) -> str:
    train, dev = (found.examples.get(split, 0) for split in ("train", "dev"))
    return f"{train:,} examples, and {dev:,} to choose by"


def answers_with(found: Shown) -> list[tuple[str, str]]:
    """What its calls must name: all its labels, in any order, or some of the kinds that it marks."""
    labels = [label for label in found.labels if label is not None]
    named = [("labels", labels), ("marks", found.specialism.kinds)]
    return [(title, f"{len(words)}: {'; '.join(words)}") for title, words in named if words]


def arm_row(arm: ArmResult) -> tuple[str, ...]:
    from orchestrator.cli.console import number, seconds, size

    times = (seconds(arm.latency_p50_s), number(arm.energy_j), size(arm.memory_bytes))
    return (arm.model, f"{100 * arm.quality:.1f} %", *times)


def shares(found: Watched) -> str:
    now = f"{100 * found.accepted / found.answers:.0f} %" if found.answers else "-"
    return f"{now} ({100 * found.promised:.0f} %)"


def alarm(found: Watched) -> str:
    return f"after {found.alarm_after} answers" if found.alarm_after else "no"


def say_whether_it_may(learner: Learner, specialist: str) -> None:
    """What a pass is good for: it may have been taken against another model than answers now."""
    from orchestrator.cli.console import to_people
    from orchestrator.errors import UserError

    try:
        learner.insist_on_place(specialist)
    except UserError as refused:
        said = f"It would not be promoted so: {refused}"
        to_people().print(said, markup=False, highlight=False, style="dim")
    else:
        say_next(f"lilliput learn promote {specialist}")


def say_next(command: str) -> None:
    from orchestrator.cli.console import to_people

    to_people().print(f"Next: {command}", markup=False, highlight=False, style="dim")
