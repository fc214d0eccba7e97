"""What a model folder may not hold, one test each."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from orchestrator.errors import IntegrityError
from orchestrator.store.onnxfile import external_locations
from orchestrator.store.safety import check_folder
from orchestrator.types import Conversion
from tests.store.helpers import World, make_card, model_file

HARMLESS = b"weights"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "model.onnx.data").write_bytes(HARMLESS)
    return inside


def refused(folder: Path, words: str) -> None:
    with pytest.raises(IntegrityError, match=words) as caught:
        check_folder("tiny", folder)
    assert "'tiny' is refused" in str(caught.value)


def test_plain_data_passes(folder: Path) -> None:
    (folder / "config.json").write_text('{"hidden_size": 8, "trust_remote_code": false}')
    (folder / "part01.bin").write_bytes(b"plain bytes")
    (folder / "tensors").mkdir()
    (folder / "tensors" / "a.safetensors").write_bytes(b"\x80\x02" + HARMLESS)
    check_folder("tiny", folder)


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.pth", "a.ckpt", "deep/a.PICKLE"])
def test_pickles_by_name(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(HARMLESS)
    refused(folder, "a pickle runs code")


def test_a_torch_pickle_in_a_bin(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": 1}))
    refused(folder, "torch pickle")


def test_a_zipped_torch_pickle_in_a_bin(folder: Path) -> None:
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(1))
    refused(folder, "torch pickle")


@pytest.mark.parametrize("name", ["ops.so", "ops.so.1.2", "ops.dll", "libops.dylib"])
def test_custom_operator_libraries(folder: Path, name: str) -> None:
    (folder / name).write_bytes(HARMLESS)
    refused(folder, "custom-op library")


def test_machine_code_under_another_name(folder: Path) -> None:
    (folder / "weights.dat").write_bytes(b"\x7fELF" + HARMLESS)
    refused(folder, "machine code")


@pytest.mark.parametrize("name", ["modeling.py", "setup.sh", "a.pyc"])
def test_code(folder: Path, name: str) -> None:
    (folder / name).write_text("import os")
    refused(folder, "code is never part of a model")


@pytest.mark.parametrize(
    "content",
    [
        {"auto_map": {"AutoModel": "modeling.Model"}},
        {"trust_remote_code": True},
        {"model": {"decoder": {"session_options": {"custom_ops_library": "ops.bin"}}}},
        {
            "model": {
                "decoder": {"session_options": {"provider_options": [{"x": {"library_path": "/tmp/x"}}]}}
            }
        },
    ],
)
def test_configurations_that_load_code(folder: Path, content: dict[str, Any]) -> None:
    (folder / "genai_config.json").write_text(json.dumps(content))
    refused(folder, "makes a loader run code")


@pytest.mark.parametrize("place", ["../other/model.onnx", "/etc/model.onnx", "C:\\model.onnx"])
def test_configurations_that_point_outside(folder: Path, place: str) -> None:
    (folder / "genai_config.json").write_text(json.dumps({"model": {"decoder": {"filename": place}}}))
    refused(folder, "outside the model's folder")


def test_a_configuration_that_is_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)
    refused(folder, "not JSON")


def test_symbolic_links(folder: Path) -> None:
    (folder / "weights.data").symlink_to("/etc/hostname")
    refused(folder, "a link or a special file")


def test_links_to_folders(folder: Path) -> None:
    (folder / "tensors").symlink_to("/etc", target_is_directory=True)
    refused(folder, "a link or a special file")


def test_hard_links(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "somebody's.data").write_bytes(HARMLESS)
    os.link(tmp_path / "somebody's.data", folder / "weights.data")
    refused(folder, "2 hard links")


def test_pipes(folder: Path) -> None:
    os.mkfifo(folder / "weights.data")
    refused(folder, "special file")


# --- ONNX data that lies elsewhere ----------------------------------------------------------------------


def external(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def write_model(path: Path, where: str, tensor: TensorProto) -> None:
    """A model with the tensor as an initializer, in a node's attribute, in a branch or in a function."""
    node = helper.make_node("Constant", [], ["x"], value=tensor)
    graph = helper.make_graph([], "g", [], [])
    if where == "initializer":
        graph.initializer.append(tensor)
    elif where == "attribute":
        graph.node.append(node)
    elif where == "branch":
        inner = helper.make_graph([node], "inner", [], [])
        graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner))
    model = helper.make_model(graph)
    if where == "function":
        opset = [helper.make_opsetid("", 21)]
        model.functions.append(helper.make_function("mine", "f", [], ["x"], [node], opset))
    onnx.save(model, str(path))


WHERE = ["initializer", "attribute", "branch", "function"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../b"])
def test_onnx_data_outside_the_folder(folder: Path, where: str, location: str) -> None:
    write_model(folder / "model.onnx", where, external(location))
    refused(folder, "outside the model's folder")


@pytest.mark.parametrize("where", WHERE)
def test_onnx_data_beside_the_model_is_fine(folder: Path, where: str) -> None:
    write_model(folder / "model.onnx", where, external("model.onnx.data"))
    assert external_locations(folder / "model.onnx") == {"model.onnx.data"}
    check_folder("tiny", folder)


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", b"\x3a\xff\xff\xff\xff\x0f", b"\x0f"])
def test_an_onnx_file_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "model.onnx").write_bytes(content)
    refused_words = "no ONNX file"
    with pytest.raises(IntegrityError, match=refused_words):
        check_folder("tiny", folder)


# --- through the front door -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["weights.pkl", "model.py", "ops.so", "manifest.json"])
def test_a_card_with_a_bad_name_is_refused_before_anything_is_fetched(world: World, name: str) -> None:
    store = world.store(make_card(model_file(name, HARMLESS, "pypi:absent==1.0/a")))
    with pytest.raises(IntegrityError, match="Nothing was installed"):
        store.pull("tiny")


def test_a_fetched_file_is_looked_into(world: World) -> None:
    content = json.dumps({"auto_map": {}}).encode()
    part = world.put("config.json", content)
    conversion = Conversion(recipe="encoder-to-onnx", precision="int8")
    store = world.store(make_card(model_file("config.json", content, part), conversion=conversion))
    with pytest.raises(IntegrityError, match="auto_map"):
        store.pull("tiny")


def test_what_a_converter_leaves_is_looked_into(world: World) -> None:
    part = world.put("config.json", b"{}")
    conversion = Conversion(
        recipe="encoder-to-onnx", precision="int8", options={"leave": "pytorch_model.bin"}
    )
    store = world.store(make_card(model_file("config.json", b"{}", part), conversion=conversion))
    with pytest.raises(IntegrityError, match="torch pickle"):
        store.pull("tiny")
    assert store.state("tiny") == "absent"
    assert not any(store.cache_dir.glob("models/*"))
