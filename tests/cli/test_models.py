"""`lilliput models`: pull, show, check and remove, with a model made of one small file."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.pulling import pull_all
from tests.cli.conftest import Lilliput, write, write_card

WEIGHTS = "some weights\n" * 1000


@pytest.fixture
def filed(desk: Path) -> Path:
    """A card whose model is a file beside it."""
    sha = hashlib.sha256(WEIGHTS.encode()).hexdigest()
    card = f"""\
name: filed
description: A model made of a text file.
licence: CC0-1.0
origin: made for tests
runtime: fasttext
capabilities: [detect-language]
memory_bytes: 1000000
files:
  - name: weights.txt
    parts: ["file:../weights.txt"]
    sha256: {sha}
    size_bytes: {len(WEIGHTS)}
measured:
  - {{metric: accuracy, value: 0.5, unit: share, source: measured, machine: here, n: 10}}
"""
    write(desk, {"weights.txt": WEIGHTS, "models/filed.yaml": card})
    return desk


@pytest.mark.usefixtures("filed")
def test_a_pull_says_first_what_it_takes_then_what_came(lilliput: Lilliput) -> None:
    said = lilliput("models", "pull", "filed")
    assert said.code == 0
    first, *_, last = said.err.splitlines()
    assert first.startswith("filed: download")
    assert "free" in first
    assert last.startswith("✓ filed: sha256 as on the card, 13 kB on disk")
    again = lilliput("models", "pull", "filed")
    assert again.err == "filed is installed; nothing to download.\n"


@pytest.mark.usefixtures("filed")
def test_a_pull_can_be_read_by_a_machine(lilliput: Lilliput) -> None:
    manifests = lilliput("models", "pull", "filed", "--json").json
    assert [file["path"] for file in manifests[0]["files"]] == ["weights.txt"]


@pytest.mark.usefixtures("filed")
def test_no_name_may_be_wrong_before_anything_is_pulled(lilliput: Lilliput) -> None:
    said = lilliput("models", "pull", "filed", "fild")
    assert said.code == 2
    assert "Did you mean 'filed'?" in said.err
    assert lilliput("models", "list", "--json").json[0]["installed"] is False


def test_bytes_that_are_not_those_of_the_card_are_refused(filed: Path, lilliput: Lilliput) -> None:
    write(filed, {"weights.txt": WEIGHTS.replace("some", "evil")})
    said = lilliput("models", "pull", "filed")
    assert said.code == 1
    assert "sha256" in said.err
    assert lilliput("models", "list", "--json").json[0]["installed"] is False


@pytest.mark.usefixtures("filed")
def test_a_card_is_shown_with_what_was_installed_from_it(lilliput: Lilliput) -> None:
    before = lilliput("models", "show", "filed").out
    assert "no: lilliput models pull filed" in before
    assert "accuracy: 0.5 share (measured, n = 10, here)" in before
    lilliput("models", "pull", "filed")
    after = lilliput("models", "show", "filed")
    assert "13 kB on disk" in after.out
    data = lilliput("models", "show", "filed", "--json").json
    assert data["installed"] is True
    assert data["manifest"]["model"] == "filed"


@pytest.mark.usefixtures("filed")
def test_a_model_can_be_removed_and_the_space_is_told(lilliput: Lilliput) -> None:
    lilliput("models", "pull", "filed")
    assert "freed" in lilliput("models", "rm", "filed").err
    assert "was not installed" in lilliput("models", "rm", "filed").err
    assert lilliput("models", "rm", "fled").code == 2


@pytest.mark.usefixtures("filed")
def test_too_little_memory_is_found_before_any_model_is_fetched(
    filed: Path, lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = (filed / "models" / "filed.yaml").read_text().replace("name: filed", "name: huge")
    recipe = f"conversion: {{recipe: encoder-to-onnx, peak_memory_bytes: {10**15}, disk_bytes: 1000}}\n"
    write(filed, {"models/huge.yaml": card + recipe})
    said = lilliput("models", "pull", "filed", "huge")
    assert said.code == 1
    assert "needs 1000000.00 GB of memory" in " ".join(said.err.split())
    assert lilliput("models", "list", "--json").json[0]["installed"] is False


# --- check ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("desk")
def test_a_card_that_tells_the_truth_passes(lilliput: Lilliput, desk: Path) -> None:
    write_card(desk, "honest", 1, reply='{"colour": "red", "count": 2}')
    said = lilliput("models", "check", "honest")
    assert said.code == 0, said.err + said.out
    assert "✓ The card claims nothing that did not hold here." in said.out
    assert said.out.count("✓  generate") == 3


@pytest.mark.parametrize(
    ("options", "capabilities", "complaint"),
    [
        ({"reply": "no JSON"}, None, "json-schema: the schema is not kept"),
        ({"fail": "out of order"}, None, "generate: ModelError: out of order"),
        ({"dimensions": 8}, "[embed]", None),
        ({"language": "en"}, "[detect-language]", "detect-language: plain nl, fr was not recognised"),
    ],
)
def test_each_claim_is_tried(
    desk: Path,
    lilliput: Lilliput,
    options: dict[str, Any],
    capabilities: str | None,
    complaint: str | None,
) -> None:
    write_card(desk, "tried", 1, **options)
    if capabilities:
        card = desk / "models" / "tried.yaml"
        card.write_text(card.read_text().replace("[generate, json-schema, logprobs]", capabilities))
    said = lilliput("models", "check", "tried")
    assert said.code == (1 if complaint else 0)
    assert (complaint or "✓ The card") in said.out


@pytest.mark.usefixtures("filed")
def test_a_model_that_is_absent_cannot_be_checked(lilliput: Lilliput) -> None:
    said = lilliput("models", "check", "filed")
    assert said.code == 1
    assert "lilliput models pull filed" in said.err


@pytest.mark.usefixtures("desk")
def test_a_check_can_be_read_by_a_machine(lilliput: Lilliput) -> None:
    report = lilliput("models", "check", "large", "--json").json
    assert report["model"] == "large"
    assert {trial["what"] for trial in report["trials"]} >= {"generate", "json-schema", "logprobs", "memory"}
    assert report["complaints"] != []


def test_all_plans_are_told_before_the_first_pull(filed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.cli.door import open_door

    other = (filed / "models" / "filed.yaml").read_text().replace("name: filed", "name: filed2")
    write(filed, {"models/filed2.yaml": other})
    pull_all(open_door(None), ["filed", "filed2"])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["filed", "filed2"]
    assert lines[2].startswith("filed: ")


@pytest.mark.usefixtures("filed")
def test_a_model_that_was_changed_on_disk_is_found_out_and_mended(lilliput: Lilliput) -> None:
    lilliput("models", "pull", "filed")
    (folder,) = (Path(os.environ["XDG_CACHE_HOME"]) / "lilliput" / "models").glob("filed-*")
    weights = folder / "weights.txt"
    weights.write_text(WEIGHTS.upper())
    os.utime(weights, ns=((ns := time.time_ns() + 10**9), ns))
    said = lilliput("models", "check", "filed")
    assert said.code == 1
    assert "weights.txt changed" in said.err
    assert "✓ filed: sha256 as on the card" in lilliput("models", "pull", "filed").err
    assert weights.read_text() == WEIGHTS
