"""Devices, missing files and missing libraries: what the messages say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import ModelUnavailable, StoreError, UserError
from orchestrator.runtimes import registry
from orchestrator.runtimes.base import LoadOptions
from orchestrator.runtimes.native import choose_device, estimated_bytes, import_onnxruntime, need_file
from orchestrator.runtimes.registry import load_session
from tests.runtimes.helpers import card


def test_cuda_that_is_asked_for_and_absent_is_told_clearly() -> None:
    with pytest.raises(UserError, match=r"'cuda' was asked for.*onnxruntime.*found: cpu.*device: cpu"):
        choose_device("cuda", cuda_found=False, library="onnxruntime", mend="Install onnxruntime-gpu")


@pytest.mark.parametrize(
    ("asked", "found", "chosen"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_the_device(asked: str, found: bool, chosen: str) -> None:
    assert choose_device(asked, cuda_found=found, library="x", mend="y") == chosen


def test_a_missing_file_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lilliput models pull fake"):
        need_file(card(), tmp_path, "model.onnx")


@pytest.mark.parametrize("runtime", ["encoder", "genai", "fasttext", "torch"])
def test_an_empty_folder_is_a_store_error(runtime: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="models pull fake"):
        load_session(card(runtime=runtime), LoadOptions(folder=tmp_path, threads=1))


@pytest.mark.parametrize("runtime", ["encoder", "fasttext"])
def test_a_broken_file_is_a_store_error(runtime: str, tmp_path: Path) -> None:
    for name in ("model.onnx", "model.ftz", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(StoreError, match="cannot be loaded"):
        load_session(card(runtime=runtime), LoadOptions(folder=tmp_path, threads=1))


def test_memory_is_what_the_card_says_else_files_and_a_fifth(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(bytes(1000))
    assert estimated_bytes(card(runtime="genai", memory_bytes=5), tmp_path) == 5
    assert estimated_bytes(card(runtime="genai"), tmp_path) == 1200
    assert estimated_bytes(card(), tmp_path) == 0


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    import_onnxruntime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_a_missing_library_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(registry._MODULES, "torch", "no_such_runtime")
    with pytest.raises(ModelUnavailable, match=r"needs the package.*no_such_runtime.*lilliput\[torch\]"):
        load_session(card(runtime="torch"), LoadOptions(folder=tmp_path, threads=1))


def test_importing_the_runtimes_loads_no_native_library() -> None:
    code = (
        "import sys; import orchestrator.runtimes.pool;"
        "from orchestrator.runtimes import encoder, genai, remote, scripted;"
        "native = {'onnxruntime', 'onnxruntime_genai', 'torch', 'transformers', 'llguidance', 'httpx2'};"
        "sys.exit(' '.join(native & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
