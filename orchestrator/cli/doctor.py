"""`lilliput doctor`: what is here, where settings come from, what is missing and what to type about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.cli import FAILED
from orchestrator.cli.door import Door, JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.bench.environment import Environment
    from orchestrator.errors import ContentError

# What each extra brings; a missing part is no fault, it is an extra that was not asked for.
EXTRAS = {"torch": ("torch", "transformers", "accelerate", "safetensors", "gguf", "onnx-ir")}
PARTS = (
    "onnxruntime",
    "onnxruntime-genai",
    "onnx",
    "llguidance",
    "tokenizers",
    "numpy",
    "pydantic",
    "sqlalchemy",
)


def doctor(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Say what is here, what is missing, and what to type about it. Exit code 1: some content is broken."""
    from orchestrator.cli.console import print_json

    door = open_door(workspace)
    found = examine(door)
    if as_json:
        print_json(found)
    else:
        _print(found)
    raise typer.Exit(FAILED if found["problems"] else 0)


def examine(door: Door) -> dict[str, Any]:
    """Everything that doctor tells, as data."""
    from orchestrator import __version__
    from orchestrator.bench.environment import describe_environment
    from orchestrator.runtimes import has_cuda
    from orchestrator.store.files import tree_bytes

    environment = describe_environment(door.workspace.roots[0], [*PARTS, *EXTRAS["torch"]])
    store, freed = door.store_and_freed()
    return {
        "lilliput": __version__,
        "environment": environment,
        "cuda": has_cuda(),
        "missing_extras": _missing_extras(environment),
        "workspaces": door.workspace.roots,
        "settings": _settings(door),
        "counts": _counts(door),
        "problems": [
            *map(_problem, content_problems(door)),
            *_state_problems(door),
            *_setting_problems(door),
        ],
        "models": {name: store.state(name) for name in door.workspace.cards},
        "cache_bytes": tree_bytes(door.settings.cache_dir),
        "leftover_bytes_removed": freed,
    }


def content_problems(door: Door) -> Iterator[ContentError]:
    """Whatever could not be read, then whatever was read but cannot work."""
    from orchestrator.agent import load_agent
    from orchestrator.errors import ContentError
    from orchestrator.planning import check_workflow
    from orchestrator.tools import Tool, Toolbox, load_toolbox

    place = door.workspace
    yield from place.problems
    for entry in place.agents.values():
        try:
            load_agent(entry)
        except ContentError as error:
            yield error
    tools: dict[str, Tool] = {}
    for file in place.tool_files:
        try:
            box = load_toolbox([file])
            tools.update({name: box.get(name) for name in box.specs})
        except ContentError as error:
            yield error
    specs = {name: entry.spec for name, entry in place.agents.items()}
    for entry in place.workflows.values():
        try:
            check_workflow(entry, specs, Toolbox(tools.values()).specs)
        except ContentError as error:
            yield error


def _state_problems(door: Door) -> Iterator[dict[str, Any]]:
    """What keeps runs from being recorded."""
    from orchestrator.errors import UserError
    from orchestrator.records import Records

    file = door.settings.state_dir / "runs.sqlite"
    try:
        Records(file).close()
    except UserError as error:
        yield {"file": file, "line": None, "message": error.message, "hint": error.hint}


def _setting_problems(door: Door) -> Iterator[dict[str, Any]]:
    """Settings that somebody made and that name what is not there."""
    from orchestrator.errors import UserError
    from orchestrator.routing import check_policy

    settings, place = door.settings, door.workspace
    names: dict[str, Callable[[str], object]] = {
        "machine": place.machine,
        "controller_model": place.card,
        "reference_model": place.card,
        "route": lambda text: check_policy(text, place.cards),
    }
    for name, find in names.items():
        if door.loaded.origins[name] == "default":
            continue
        try:
            find(getattr(settings, name))
        except UserError as error:
            said = f"Setting {name!r} from {door.loaded.origins[name]}: {error}"
            yield {"file": None, "line": None, "message": said, "hint": None}


def _problem(error: ContentError) -> dict[str, Any]:
    return {"file": error.file, "line": error.line, "message": error.message, "hint": error.hint}


def _missing_extras(environment: Environment) -> dict[str, list[str]]:
    lacking = {
        extra: [part for part in parts if part not in environment.packages] for extra, parts in EXTRAS.items()
    }
    return {extra: parts for extra, parts in lacking.items() if parts}


def _settings(door: Door) -> list[dict[str, Any]]:
    values, origins = door.settings, door.loaded.origins
    return [
        {
            "name": name,
            "value": getattr(values, name),
            "from": origins[name],
            "what": field.description or "",
        }
        for name, field in type(values).model_fields.items()
    ]


def _counts(door: Door) -> dict[str, int]:
    place = door.workspace
    return {"agent": len(place.agents), "workflow": len(place.workflows), "model": len(place.cards)}


# --- for people -----------------------------------------------------------------------------------------


def _print(found: dict[str, Any]) -> None:
    from orchestrator.cli.console import print_pairs, print_table, to_stdout

    console = to_stdout()
    print_pairs(_head(found))
    console.print()
    print_table(
        ("setting", "value", "from"), [(row["name"], row["value"], row["from"]) for row in found["settings"]]
    )
    console.print()
    for problem in found["problems"]:
        console.print(f"✗ {problem['message']}", style="red", markup=False)
    for line in _advice(found):
        console.print(line, markup=False)


def _head(found: dict[str, Any]) -> list[tuple[str, Any]]:
    from orchestrator.cli.console import count, size

    here: Environment = found["environment"]
    return [
        ("lilliput", f"{found['lilliput']} on Python {here.python}, {here.os}"),
        ("machine", f"{here.cpu}, {here.usable_cpus} usable CPUs, {size(here.memory_bytes)} memory"),
        ("cuda", "present" if found["cuda"] else "not here; models run on the CPU"),
        ("parts", ", ".join(f"{name} {version}" for name, version in here.packages.items())),
        ("workspace", "\n".join(map(str, found["workspaces"]))),
        ("content", ", ".join(count(many, what) for what, many in found["counts"].items())),
        ("installed", ", ".join(_models(found, "installed")) or "no model yet"),
        ("cache", size(found["cache_bytes"])),
    ]


def _models(found: dict[str, Any], state: str) -> list[str]:
    return [name for name, have in found["models"].items() if have == state]


def _advice(found: dict[str, Any]) -> Iterator[str]:
    from orchestrator.cli.console import size

    for extra, parts in found["missing_extras"].items():
        yield f"- Models that run on torch need {', '.join(parts)}: pip install 'lilliput[{extra}]'"
    if absent := _models(found, "absent"):
        yield f"- Not installed: {', '.join(absent)}. To fetch one: lilliput models pull {absent[0]}"
    if found["leftover_bytes_removed"]:
        yield f"- Removed {size(found['leftover_bytes_removed'])} that killed or changed pulls had left."
    if not _models(found, "installed"):
        yield "- No model is here; only agents of plain code can answer. To fetch some and see: lilliput demo"
    elif not found["problems"]:
        yield "✓ No problem was found."
