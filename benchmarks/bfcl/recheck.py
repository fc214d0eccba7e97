"""Score exported predictions with the leaderboard's checker, without any of Lilliput's code.

    pip download --no-deps bfcl-eval==2026.3.23
    lilliput bench export bfcl-quick -o predictions
    python benchmarks/bfcl/recheck.py bfcl_eval-2026.3.23-py3-none-any.whl predictions/*.jsonl

Standard library only. The wheel is imported as it is, but for its table of vendors' models, which would ask
for every vendor's SDK. Exit code 1 when any grade differs.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_DATA = "bfcl_eval/data"
_NO_CALL_IS_RIGHT = ("irrelevance", "live_irrelevance")


def main(arguments: list[str]) -> int:
    wheel, *exports = arguments
    check, differences, seen = checker(wheel), 0, 0
    for export in exports:
        for line in Path(export).read_text("utf-8").splitlines():
            row = json.loads(line)
            valid = is_valid(check, wheel, row)
            seen += 1
            if valid != (row["grade"] == 1.0):
                differences += 1
                sys.stdout.write(f"{export}: {row['id']}: the checker says {valid}, we said {row['grade']}\n")
    sys.stdout.write(f"{seen} predictions, {differences} differences\n")
    return 1 if differences else 0


def checker(wheel: str) -> Any:
    """The function `ast_checker` and its language, from the wheel."""
    table = ModuleType("bfcl_eval.constants.model_config")
    table.MODEL_CONFIG_MAPPING = {"any": SimpleNamespace(underscore_to_dot=False)}  # type: ignore[attr-defined]
    sys.modules[table.__name__] = table
    sys.path.insert(0, wheel)
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker

    return lambda functions, calls, truth, category: ast_checker(
        functions, calls, truth, Language.PYTHON, category, "any"
    )


def is_valid(check: Any, wheel: str, row: dict[str, Any]) -> bool:
    call = row["output"]
    if isinstance(call, dict) and set(call) == {"call"}:
        call = call["call"]
    called = isinstance(call, dict) and call.get("name") is not None
    if row["category"] in _NO_CALL_IS_RIGHT:
        return not called
    if not called:
        return False
    category = row["category"]
    question = find(wheel, f"{_DATA}/BFCL_v4_{category}.json", row["id"])
    truth = find(wheel, f"{_DATA}/possible_answer/BFCL_v4_{category}.json", row["id"])["ground_truth"]
    try:
        calls = [{call["name"]: call.get("arguments") or {}}]
        return bool(check(question["function"], calls, truth, category)["valid"])
    except (TypeError, KeyError, AttributeError, ValueError, IndexError):
        return False


def find(wheel: str, member: str, case: str) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        for line in archive.read(member).decode("utf-8").splitlines():
            row: dict[str, Any] = json.loads(line)
            if row["id"] == case:
                return row
    raise SystemExit(f"{case} is not in {member}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
