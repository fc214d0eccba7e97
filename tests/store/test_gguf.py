"""Reading GGUF: against the `gguf` package, and against files that lie."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize, quantize

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.blocks import FOUR_BITS, PLAIN, decoded
from orchestrator.store.gguf import TYPES, GgufFile
from orchestrator.store.packing import pack, unpacked
from tests.store.tiny_models import Floats, TinyDecoder

SCALES_AT = {"Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
BLOCKS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TinyDecoder().write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_metadata_agrees_with_the_gguf_package(path: Path) -> None:
    theirs = {
        key: field.contents() for key, field in GGUFReader(path).fields.items() if not key.startswith("GGUF.")
    }
    with GgufFile(path) as ours:
        assert ours.metadata == theirs


def test_tensors_agree_with_the_gguf_package(path: Path) -> None:
    theirs = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    with GgufFile(path) as ours:
        assert ours.tensors.keys() == theirs.keys()
        for name, tensor in ours.tensors.items():
            assert tensor.shape == tuple(int(size) for size in reversed(theirs[name].shape))
            assert tensor.type_name == theirs[name].tensor_type.name
            raw = theirs[name].data.view(np.uint8).reshape(tensor.rows, -1)
            assert np.array_equal(ours.rows(tensor), raw)
            assert np.array_equal(ours.rows(tensor, 0, 1), raw[:1])


def test_a_file_cut_anywhere_is_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in [0, 3, 4, 10, 24, *range(30, len(content) - 1, len(content) // 60)]:
        cut.write_bytes(content[:size])
        with pytest.raises(IntegrityError, match="no readable GGUF file"):
            GgufFile(cut)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\3\4" + b"\0" * 60, "not b'GGUF'"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**60), "ends after the file"),
        (b"GGUF" + struct.pack("<IQQQcII", 3, 0, 1, 1, b"k", 99, 0), "99"),
        (b"GGUF" + struct.pack("<IQQQcIIQ", 3, 0, 1, 1, b"k", 9, 4, 2**62), "GGUF"),
    ],
)
def test_a_file_that_lies_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(IntegrityError, match=words):
        GgufFile(tmp_path / "bad.gguf")


def rows_of(name: str) -> tuple[Any, Floats]:
    """Raw rows of a type with what the gguf package reads in them; the K types it cannot write are drawn."""
    random = np.random.default_rng(1)
    kind = GGMLQuantizationType[name]
    if name not in SCALES_AT:
        spread = random.normal(size=(6, 512)) * random.lognormal(size=(6, 1))
        raw = quantize(spread.astype(np.float32), kind)
    else:
        size = next(size for known, _, size in TYPES.values() if known == name)
        blocks = random.integers(0, 256, (6, 2, size), dtype=np.uint8)
        for at in SCALES_AT[name]:
            blocks[..., at : at + 2] = random.normal(size=(6, 2, 1)).astype(np.float16).view(np.uint8)
        raw = blocks.reshape(6, -1)
    raw = np.ascontiguousarray(raw)
    return raw.view(np.uint8), dequantize(raw, kind)


@pytest.mark.parametrize("name", [*BLOCKS, *PLAIN])
def test_blocks_are_read_as_the_gguf_package_reads_them(name: str) -> None:
    raw, expected = rows_of(name)
    assert np.array_equal(decoded(raw, name), expected)


@pytest.mark.parametrize("name", sorted(FOUR_BITS))
def test_four_bit_blocks_are_kept_exactly(name: str) -> None:
    raw, expected = rows_of(name)
    assert np.array_equal(unpacked(pack(raw, name, "native", 4)), expected)


@pytest.mark.parametrize("name", ["Q4_0", "Q5_0", "Q8_0"])
def test_symmetric_blocks_fit_eight_bits_exactly(name: str) -> None:
    raw, expected = rows_of(name)
    assert np.array_equal(unpacked(pack(raw, name, "int8", 8)), expected)


@pytest.mark.parametrize("name", [*BLOCKS, *PLAIN])
@pytest.mark.parametrize(("bits", "steps"), [(8, 254), (4, 16)])
def test_rounding_is_off_by_half_a_step_at_most(name: str, bits: int, steps: int) -> None:
    raw, expected = rows_of(name)
    rounded = unpacked(pack(raw, name, "int4" if bits == 4 else "int8", bits)).reshape(6, -1, 32)
    blocks = expected.reshape(6, -1, 32)
    step = 2 * np.abs(blocks).max(axis=-1, keepdims=True) / steps
    # The 4-bit range is -8 to 7: a weight near the short end is cut by up to one step.
    allowed = step * (1.01 if bits == 4 else 0.51)
    assert np.all(np.abs(rounded - blocks) <= allowed + 1e-7)


def test_a_type_that_is_not_known_says_which_are() -> None:
    with pytest.raises(StoreError, match=r"Q2_K cannot be converted; these can: Q4_0.*Q4_K_M"):
        decoded(np.zeros((1, 84), dtype=np.uint8), "Q2_K")
