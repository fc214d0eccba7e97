"""What a person sees: every figure in its place, dashes for what is not known, and a picture."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

from rich.console import Console, RenderableType

from orchestrator.bench.report import full_report, picture
from orchestrator.bench.summary import compare, summarise
from orchestrator.types import Usage
from tests.bench.helpers import make_outcome

USED = Usage(calls=1, prompt_tokens=1234, completion_tokens=56, energy_j=700.4, energy_source="modelled")


def make_report() -> RenderableType:
    outcomes = [
        make_outcome(1, "crew", True, usage=USED, usage_by_model={"tiny": USED}, idle_energy_j=3.0),
        make_outcome(2, "crew", False, category="irrelevance", latency_s=12.0, idle_energy_j=3.0),
        make_outcome(1, "reference", False),
        make_outcome(2, "reference", True, category="irrelevance"),
    ]
    arms = (summarise("crew", outcomes), summarise("reference", outcomes))
    return full_report("2 cases", arms, compare("crew", "reference", outcomes), "Public data.")


def as_text(report: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.strip().startswith(name)]
    return line.split(name)[1].split("  ")


def cells(text: str, name: str) -> list[str]:
    return [cell.strip() for cell in row(text, name) if cell.strip()]


def test_the_table_holds_every_figure_of_both_arms() -> None:
    text = as_text(make_report())
    assert cells(text, "solved (official checker)") == ["1 / 2 = 50 %", "1 / 2 = 50 %"]
    assert cells(text, "multiple") == ["1 / 1", "0 / 1"]
    assert cells(text, "irrelevance") == ["0 / 1", "1 / 1"]
    assert cells(text, "runs that ended without an answer") == ["0", "0"]
    assert cells(text, "time per case, median") == ["6.50 s", "1.00 s"]
    assert cells(text, "tokens read") == ["1,234", "–"]
    assert cells(text, "calls by model") == ["tiny 1", "0"]
    assert cells(text, "joules of the calls") == ["700 (modelled)", "–"]
    assert cells(text, "joules of the idle machine meanwhile") == ["6 (modelled)", "–"]
    assert cells(text, "solved by this one only") == ["1", "1"]


def test_the_sentence_and_the_notes_stand_under_the_table() -> None:
    text = as_text(make_report())
    assert text.index("solved by neither") < text.index("On these 2 cases") < text.index("Public data.")


def test_the_picture_is_svg_with_the_same_figures() -> None:
    image = picture(make_report(), "lilliput demo")
    assert "http" not in image.replace("http://www.w3.org/2000/svg", "").replace(
        "https://www.textualize.io", ""
    )
    root = ElementTree.fromstring(image)
    assert root.tag.endswith("svg")
    words = "".join(root.itertext()).replace("\N{NO-BREAK SPACE}", " ")
    assert "700 (modelled)" in words
    assert "lilliput demo" in words
