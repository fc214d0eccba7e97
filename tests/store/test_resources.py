"""How much this process may use: the machine's word against the control group's."""

from __future__ import annotations

from pathlib import Path

from orchestrator.store.resources import (
    cgroup_headroom_bytes,
    disk_free_bytes,
    memory_available_bytes,
)

GB = 10**9


def group(folder: Path, limit: str, used: int, reclaimable: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {reclaimable}\n")


def headroom(root: Path, line: str) -> int | None:
    membership = root / "membership"
    membership.write_text(line)
    return cgroup_headroom_bytes(root, membership)


def test_the_limit_less_what_is_used_and_cannot_be_dropped(tmp_path: Path) -> None:
    group(tmp_path, str(4 * GB), 3 * GB, reclaimable=GB)
    assert headroom(tmp_path, "0::/\n") == 2 * GB


def test_the_tightest_group_above_decides(tmp_path: Path) -> None:
    group(tmp_path / "user", str(8 * GB), 7 * GB)
    group(tmp_path / "user" / "session", str(6 * GB), GB)
    assert headroom(tmp_path, "0::/user/session\n") == GB


def test_no_limit_is_no_answer(tmp_path: Path) -> None:
    group(tmp_path, "max", GB)
    assert headroom(tmp_path, "0::/\n") is None
    assert cgroup_headroom_bytes(tmp_path / "nothing", tmp_path / "nowhere") is None


def test_version_one_of_the_control_groups(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    (memory / "memory.limit_in_bytes").write_text(str(2 * GB))
    (memory / "memory.usage_in_bytes").write_text(str(GB))
    (memory / "memory.stat").write_text(f"total_inactive_file {GB // 2}\n")
    assert headroom(tmp_path, "9:memory:/docker/abc\n") == GB + GB // 2


def test_version_one_without_a_limit(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    (memory / "memory.limit_in_bytes").write_text("9223372036854771712")
    (memory / "memory.usage_in_bytes").write_text(str(GB))
    assert headroom(tmp_path, "9:memory:/\n") is None


def test_this_machine_has_some_of_both(tmp_path: Path) -> None:
    assert memory_available_bytes() > 0
    assert disk_free_bytes(tmp_path / "not" / "made" / "yet") > 0
