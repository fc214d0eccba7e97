"""Tools: typed Python functions that an agent or a plan may call.

    @tool(effect="write", timeout_s=5)
    def create_ticket(title: str, priority: Literal["low", "high"], context: ToolContext) -> dict:
        '''Open a ticket in the service desk.'''

The JSON schema of the arguments comes from the type hints, the description from the docstring. A parameter
annotated `ToolContext` is filled in by the controller and never seen by a model. A `write` tool runs only
after an approval; asking for it is the controller's work, not done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_jsonable_python

from orchestrator.errors import ContentError, ToolError, UnknownName
from orchestrator.types import Json, Record, ToolSpec

Function = TypeVar("Function", bound=Callable[..., Any])


class ToolContext(Record):
    """Where a tool may keep things, and what it is being called for.

    `idempotency_key` is the same when the same step of the same run is tried again.
    """

    state_dir: Path
    content_roots: tuple[Path, ...] = ()
    run_id: str = ""
    idempotency_key: str = ""


class Tool:
    """A function, its declared specification, and the model that validates its arguments."""

    def __init__(self, function: Callable[..., Any], spec: ToolSpec, arguments: type[BaseModel]) -> None:
        self.function = function
        self.spec = spec
        self._arguments = arguments
        self._takes_context = _context_parameter(function)

    def validate(self, arguments: Mapping[str, Any]) -> Json:
        """The arguments with their declared types, keyed as the function takes them. Raises ToolError."""
        try:
            model = self._arguments.model_validate(arguments)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ToolError(f"{self.spec.name}: argument {where!r}: {first['msg']}.") from None
        return {name: getattr(model, name) for name in self._arguments.model_fields}

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Any:
        """Run within the time limit, in a thread of its own. One that overruns is abandoned, not killed.

        Returns what JSON can hold. Raises ToolError for bad arguments, an exception inside, a result that is
        no JSON, or too much time.
        """
        values = self.validate(arguments)
        if self._takes_context:
            values[self._takes_context] = context
        try:
            async with asyncio.timeout(self.spec.timeout_s):
                return to_jsonable_python(await _apart(self.function, values))
        except TimeoutError:
            done = ", and may still do what it was asked to do" if self.spec.effect == "write" else ""
            raise ToolError(f"{self.spec.name} took longer than {self.spec.timeout_s:g} s{done}.") from None
        except ToolError:
            raise
        except PydanticSerializationError as error:
            raise ToolError(f"{self.spec.name} returned what JSON cannot hold: {error}.") from None
        except Exception as error:
            raise ToolError(f"{self.spec.name} failed: {type(error).__name__}: {error}") from error


async def _apart(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call it in a daemon thread of its own, where a coroutine gets its own event loop.

    A tool that never returns, or blocks where it should wait, can then hold up neither the run nor the end
    of the process; a pool's threads are waited for, so they will not do.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()

    def tell(result: Any, error: Exception | None) -> None:
        if ended.done():
            return
        ended.set_exception(error) if error else ended.set_result(result)

    def work() -> None:
        result, failure = None, None
        try:
            made = function(**values)
            result = asyncio.run(made) if inspect.iscoroutine(made) else made
        except Exception as error:
            failure = error
        except BaseException as error:
            failure = RuntimeError(f"it raised {type(error).__name__}")
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody listens any more
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=work, name=f"tool-{function.__name__}", daemon=True).start()
    return await ended


def tool(
    *, effect: Literal["read", "write"] = "read", timeout_s: float = 10.0, name: str | None = None
) -> Callable[[Function], Function]:
    """Declare a function as a tool. `effect` says whether it changes anything outside the run."""

    def declare(function: Function) -> Function:
        arguments = _argument_model(function)
        schema = arguments.model_json_schema()
        schema.pop("title", None)
        spec = ToolSpec(
            name=name or function.__name__,
            description=inspect.getdoc(function) or "",
            parameters=schema,
            effect=effect,
            timeout_s=timeout_s,
        )
        function.__lilliput_tool__ = Tool(function, spec, arguments)  # type: ignore[attr-defined]
        return function

    return declare


class Toolbox:
    """All tools by name."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools = {item.spec.name: item for item in tools}

    @property
    def specs(self) -> dict[str, ToolSpec]:
        return {name: item.spec for name, item in self._tools.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def get(self, name: str) -> Tool:
        if name not in self._tools:
            raise UnknownName("tool", name, self._tools)
        return self._tools[name]


def load_toolbox(files: Iterable[Path]) -> Toolbox:
    """Load every declared tool from the files; a later file replaces a tool of the same name."""
    tools: dict[str, Tool] = {}
    for file in files:
        own = _tools_in(load_module(file))
        if not own:
            raise ContentError("no function here is declared with @tool", file=file, line=1)
        tools.update({item.spec.name: item for item in own})
    return Toolbox(tools.values())


def load_module(file: Path) -> ModuleType:
    """Run a content file under a private module name, so that its folder need not be a package."""
    name = "_lilliput_content_" + "_".join(file.with_suffix("").parts[-4:]).replace("-", "_").strip("/")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ContentError("cannot be loaded as Python", file=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SystemExit as error:
        sys.modules.pop(name, None)
        raise ContentError(
            "it ends the process when it is read (sys.exit)",
            file=file,
            line=line_in(file, error),
            hint='Put what it does as a program under: if __name__ == "__main__":',
        ) from None
    except Exception as error:
        sys.modules.pop(name, None)
        raise ContentError(
            f"{type(error).__name__}: {error}", file=file, line=line_in(file, error)
        ) from error
    return module


def _tools_in(module: ModuleType) -> list[Tool]:
    found = (getattr(value, "__lilliput_tool__", None) for value in vars(module).values())
    return [item for item in found if isinstance(item, Tool)]


def _argument_model(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            raise TypeError(f"tool {function.__name__}: parameter {name!r} needs a type hint")
        if hints[name] is ToolContext:
            continue
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], default)
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def _context_parameter(function: Callable[..., Any]) -> str | None:
    hints = get_type_hints(function)
    return next((name for name, hint in hints.items() if hint is ToolContext and name != "return"), None)


def line_in(file: Path, error: BaseException) -> int | None:
    """The line of `file` at which an error came up, the innermost of several; None for elsewhere."""
    if isinstance(error, SyntaxError):
        return error.lineno
    trace, line = error.__traceback__, None
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
