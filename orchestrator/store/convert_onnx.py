"""Write an ONNX model node by node, its weights streamed into one data file beside it.

A thin layer over `onnx.helper`: names, and weights that are on the disk as soon as they are added, so that a
model of any size needs no more memory than its largest tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MICROSOFT = "com.microsoft"  # the domain of onnxruntime's own operators
_DATA = "model.onnx.data"
_PAGE = 4096  # a tensor that starts on a page can be mapped instead of read
_OPSET = 21
_IR_VERSION = 10


class Graph:
    """A model in the making. Use as a context; `save` writes model.onnx."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = (folder / _DATA).open("wb")
        self._nodes: list[Any] = []
        self._weights: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._data.close()

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a tensor to the data file."""
        self._data.write(b"\0" * (-self._data.tell() % _PAGE))
        offset = self._data.tell()
        np.ascontiguousarray(array).tofile(self._data)
        self._weights[name] = self._tensor(name, array.dtype, array.shape, offset, array.nbytes)
        return name

    def alias(self, name: str, of: str, shape: Sequence[int]) -> str:
        """The same bytes once more, in another shape."""
        from onnx import TensorProto

        tensor = TensorProto()
        tensor.CopyFrom(self._weights[of])
        tensor.name = name
        tensor.ClearField("dims")
        tensor.dims.extend(shape)
        self._weights[name] = tensor
        return name

    def constant(self, name: str, values: Any, dtype: Any = np.int64) -> str:
        """Add a small tensor to the model file itself."""
        from onnx import numpy_helper

        self._weights[name] = numpy_helper.from_array(np.asarray(values, dtype=dtype), name)
        return name

    def node(
        self, op: str, inputs: Sequence[str], output: str | Sequence[str], *, domain: str = "", **options: Any
    ) -> str:
        """Add a node; returns its first output. An empty name leaves an optional input or output out."""
        from onnx import helper

        outputs = [output] if isinstance(output, str) else list(output)
        name = f"{outputs[0]}/{op}"
        self._nodes.append(helper.make_node(op, list(inputs), outputs, name=name, domain=domain, **options))
        return outputs[0]

    def save(
        self,
        inputs: Mapping[str, tuple[Any, Sequence[int | str]]],
        outputs: Mapping[str, tuple[Any, Sequence[int | str]]],
    ) -> None:
        """Write model.onnx. Inputs and outputs: name -> (numpy type, shape with names for free axes)."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(
            self._nodes, "model", _values(inputs), _values(outputs), list(self._weights.values())
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(
            graph, producer_name="lilliput", opset_imports=opsets, ir_version=_IR_VERSION
        )
        self._data.flush()
        onnx.save(model, str(self._folder / "model.onnx"))

    def _tensor(self, name: str, dtype: Any, shape: Sequence[int], offset: int, length: int) -> Any:
        from onnx import TensorProto, helper

        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(dtype), dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", _DATA), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def _values(described: Mapping[str, tuple[Any, Sequence[int | str]]]) -> list[Any]:
    from onnx import helper

    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
        for name, (dtype, shape) in described.items()
    ]
