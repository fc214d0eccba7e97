"""What is shipped: one import package with the built-in content inside, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTENT = ("agents", "models", "benchmarks", "configs")
CARD = """\
name: parrot
description: Answers the same thing every time.
licence: none
origin: made for tests
runtime: scripted
capabilities: [generate, json-schema]
options: {reply: '{"loud": "HELLO"}'}
"""
AGENT = """\
---
name: shout
description: Say a text in capitals.
needs: [generate, json-schema]
input: {type: object, properties: {text: {type: string}}, required: [text]}
output: {type: object, properties: {loud: {type: string}}, required: [loud]}
---
# User
Shout: {{ text }}
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout with the environment's own hatchling: no network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def _names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_one_import_package(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in _names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"orchestrator"}
    assert "orchestrator/py.typed" in _names(wheel)


def test_the_built_in_content_travels_inside(wheel: Path) -> None:
    shipped = {name.removeprefix("orchestrator/_builtin/") for name in _names(wheel)}
    tracked = subprocess.run(
        ["git", "ls-files", *CONTENT], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert {name for name in tracked if name} <= shipped


def test_no_leftovers_are_shipped(wheel: Path) -> None:
    unwanted = ("__pycache__", ".pyc", "/tests/", ".egg-info", "runs.sqlite")
    assert [name for name in _names(wheel) if any(part in name for part in unwanted)] == []


def test_the_wheel_names_its_command_licence_and_parts(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    info = next(name for name in archive.namelist() if name.endswith("/METADATA")).removesuffix("METADATA")
    assert "lilliput = orchestrator.cli:main" in archive.read(info + "entry_points.txt").decode()
    metadata = archive.read(info + "METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    plain = [
        line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra" not in line
    ]
    assert not [line for line in plain if "torch" in line or "transformers" in line]


def test_every_part_that_is_asked_for_is_pinned_for_our_own_use() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *(item for extra in extras for item in extra)]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {_plain(line.split("==")[0]) for line in lines if "==" in line}
    assert {_plain(item.split(">=")[0]) for item in asked} <= pinned


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.mark.slow
def test_the_wheel_works_beside_openai_agents_and_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    """Fetches packages from the index that pip is set up with."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": "", "XDG_STATE_HOME": ""}
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-qq", str(wheel), "openai-agents"], check=True)
    theirs = subprocess.run(
        [python, "-c", "import agents; print(agents.Agent.__module__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert theirs.stdout.startswith("agents.")
    desk = tmp_path / "desk"
    for name, text in {
        "configs/lilliput.yaml": "{}\n",
        "models/parrot.yaml": CARD,
        "agents/shout/agent.md": AGENT,
    }.items():
        (desk / name).parent.mkdir(parents=True, exist_ok=True)
        (desk / name).write_text(text)
    lilliput = str(tmp_path / "env" / "bin" / "lilliput")
    command = [lilliput, "run", "hello", "--agent", "shout"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=desk, env=environment)
    assert done.returncode == 0, done.stderr
    assert '"loud": "HELLO"' in done.stdout
    doctor = subprocess.run([lilliput, "doctor"], capture_output=True, text=True, cwd=desk, env=environment)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "_builtin" in doctor.stdout
