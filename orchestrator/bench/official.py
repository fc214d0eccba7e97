"""Run the Berkeley leaderboard's own AST checker without importing its package.

The checker is five small files of the `bfcl-eval` wheel that need only the standard library, but importing
them as a package would pull in every vendor's SDK through one table of models. So each file, already
verified by sha256, is executed in a private namespace whose `import` knows the five files, three modules
of the standard library, and a stub of that table. Nothing is put in `sys.modules`.

The table says one thing per model: whether dots in function names were replaced by underscores, as some
vendors' APIs demand. Lilliput's tools keep their dots (as the leaderboard's prompted models do), so the stub
has one model with `underscore_to_dot = False`.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from orchestrator.types import Json

OfficialChecker = Callable[[Sequence[Json], Sequence[Json], Sequence[Json], str], Json]

_ENTRY = "bfcl_eval.eval_checker.ast_eval.ast_checker"
_FILES = {
    _ENTRY: "checker/ast_checker.py",
    "bfcl_eval.eval_checker.ast_eval.type_convertor.java_type_converter": "checker/java_type_converter.py",
    "bfcl_eval.eval_checker.ast_eval.type_convertor.js_type_converter": "checker/js_type_converter.py",
    "bfcl_eval.constants.enums": "checker/enums.py",
    "bfcl_eval.constants.type_mappings": "checker/type_mappings.py",
}
_STANDARD = frozenset({"re", "typing", "enum"})
_MODEL = "lilliput"


def load_official_checker(files: Mapping[str, Path]) -> OfficialChecker:
    """The leaderboard's `ast_checker` for Python functions: (functions, calls, expected, category) -> result.

    `files`: the data set's verified files by name. The result has `valid` and, when False, `error` and
    `error_type`.
    """
    modules = _Modules(files)
    entry = modules.load(_ENTRY)
    python = modules.load("bfcl_eval.constants.enums").Language.PYTHON

    def check(
        functions: Sequence[Json], calls: Sequence[Json], expected: Sequence[Json], category: str
    ) -> Json:
        result: Json = entry.ast_checker(
            list(functions), list(calls), list(expected), python, category, _MODEL
        )
        return result

    return check


class _Modules:
    """The private namespaces, loaded on demand."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._loaded: dict[str, Any] = {
            "bfcl_eval.constants.model_config": SimpleNamespace(
                MODEL_CONFIG_MAPPING={_MODEL: SimpleNamespace(underscore_to_dot=False)}
            )
        }

    def load(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._execute(name, self._files[_FILES[name]])
        return self._loaded[name]

    def _execute(self, name: str, file: Path) -> ModuleType:
        module = ModuleType(name)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
        return module

    def _import(self, name: str, *_: Any) -> Any:
        if name in _STANDARD:
            return importlib.import_module(name)
        if name in _FILES or name in self._loaded:
            return self.load(name)
        raise ImportError(f"the BFCL checker is not expected to import {name!r}")
