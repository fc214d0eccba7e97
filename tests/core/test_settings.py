"""Settings: the stronger layer wins, and each value knows where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ContentError, UserError
from orchestrator.settings import load_settings


def test_layers_and_origins(tmp_path: Path) -> None:
    weak, strong = tmp_path / "weak.yaml", tmp_path / "strong.yaml"
    weak.write_text("threads: 1\nroute: fixed:a\nmachine: m1\n")
    strong.write_text("route: cascade\nmachine: m2\n")
    environ = {"LILLIPUT_MACHINE": "m3", "LILLIPUT_CACHE_DIR": "/c"}
    loaded = load_settings(
        [weak, tmp_path / "absent.yaml", strong], environ, {"cache_dir": "/d", "device": None}
    )
    settings, origins = loaded.settings, loaded.origins
    assert (settings.threads, settings.route, settings.machine) == (1, "cascade", "m3")
    assert settings.cache_dir == Path("/d")
    assert origins["threads"] == str(weak)
    assert origins["route"] == str(strong)
    assert origins["machine"] == "LILLIPUT_MACHINE"
    assert (origins["cache_dir"], origins["device"]) == ("argument", "default")


def test_threads_follow_what_the_process_may_use() -> None:
    import os

    assert load_settings(environ={}).settings.threads == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"LILLIPUT_THREADS": "none"}, "Setting 'threads' from LILLIPUT_THREADS is not usable: 'none'"),
        ({"LILLIPUT_THREADS": "0"}, "greater than 0"),
        ({"LILLIPUT_DEVICE": "tpu"}, "'cpu', 'cuda' or 'auto'"),
    ],
)
def test_a_bad_value_names_its_origin(environ: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as raised:
        load_settings(environ=environ)
    assert message in str(raised.value)
    assert "docs/settings.md" in str(raised.value)


@pytest.mark.parametrize("text", ["- a\n", "a: [1\n"])
def test_a_bad_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(ContentError):
        load_settings([file], {})


def test_an_unknown_setting_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("thread: 2\n")
    with pytest.raises(UserError, match=f"Unknown setting in {file}: 'thread'. Did you mean 'threads'"):
        load_settings([file], {})
