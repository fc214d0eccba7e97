"""Small things done to files."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from orchestrator.store.files import tree_bytes


def test_the_bytes_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / "one" / "a").write_bytes(b"12345")
    (tmp_path / "one" / "two" / "b").write_bytes(b"678")
    assert tree_bytes(tmp_path) == 8
    assert tree_bytes(tmp_path / "one" / "a") == 5
    assert tree_bytes(tmp_path / "absent") == 0


def test_measuring_a_folder_while_another_deletes_in_it(tmp_path: Path) -> None:
    """pip makes and deletes folders of its own while the progress of its download is being measured."""
    over = threading.Event()

    def make_and_delete() -> None:
        while not over.is_set():
            (tmp_path / "pip" / "inner").mkdir(parents=True)
            (tmp_path / "pip" / "inner" / "wheel").write_bytes(b"12345")
            shutil.rmtree(tmp_path / "pip")

    other = threading.Thread(target=make_and_delete)
    other.start()
    try:
        assert {tree_bytes(tmp_path) for _ in range(3000)} <= {0, 5}
    finally:
        over.set()
        other.join()
