"""A record says where it was made, and nothing about who made it."""

from __future__ import annotations

import getpass
import platform
import subprocess
from pathlib import Path

from orchestrator.bench.environment import describe_environment


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_a_checkout_gives_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one", "utf-8")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "one")
    clean = describe_environment(tmp_path).commit
    (tmp_path / "file").write_text("two", "utf-8")
    changed = describe_environment(tmp_path).commit
    assert clean is not None
    assert changed is not None
    assert (len(clean.id), clean.dirty, changed.id, changed.dirty) == (40, False, clean.id, True)


def test_outside_a_checkout_the_commit_is_not_known(tmp_path: Path) -> None:
    assert describe_environment(tmp_path).commit is None


def test_versions_are_of_what_is_installed_and_nobody_is_named(tmp_path: Path) -> None:
    found = describe_environment(tmp_path, ["pydantic", "no-such-package"])
    assert list(found.packages) == ["pydantic"]
    assert found.usable_cpus > 0
    text = found.model_dump_json()
    for private in (platform.node(), str(Path.home()), str(tmp_path), f'"{getpass.getuser()}"'):
        assert private not in text
