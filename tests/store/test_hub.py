"""The hub's HTTP interface: redirects, tokens, ranges, cut lines, wrong bytes."""

from __future__ import annotations

import pytest

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store import ModelStore
from tests.store.helpers import Heard, World, make_card, model_file
from tests.store.hub_server import Hub

CONTENT = bytes(range(256)) * 20_000  # 5 MB, so that a transfer has several pieces
PATH = "/owner/repo/resolve/v1.0/onnx/model.txt"
PART = "hf:owner/repo@v1.0/onnx/model.txt"


def hub_store(world: World, hub: Hub, content: bytes = CONTENT, **environ: str) -> ModelStore:
    card = make_card(model_file("model.txt", content, PART))
    return world.store(card, environ={"HF_ENDPOINT": hub.url, **environ})


def test_a_file_behind_a_redirect(world: World, hub: Hub) -> None:
    hub.files[PATH] = CONTENT
    heard = Heard()
    store = hub_store(world, hub)
    store.pull("tiny", heard)
    assert (store.folder("tiny") / "model.txt").read_bytes() == CONTENT
    done = [event.done or 0 for event in heard.of("download")]
    assert len(done) > 2
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


def test_a_cut_line_is_resumed_where_it_broke(world: World, hub: Hub) -> None:
    hub.files[PATH], hub.cut_after = CONTENT, [1_000_000, 2_000_000]
    hub_store(world, hub).pull("tiny")
    starts = [int((wanted or "bytes=0-")[6:-1]) for wanted in hub.ranges()]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert starts[-1] > 1_000_000


def test_what_arrived_before_a_failure_is_kept_for_the_next_pull(world: World, hub: Hub) -> None:
    hub.files[PATH], hub.cut_after = CONTENT, [1_000_000] * 4
    store = hub_store(world, hub)
    with pytest.raises(StoreError, match="failed 4 times"):
        store.pull("tiny")
    assert 0 < store.plan("tiny").cached_bytes < len(CONTENT)
    hub.requests.clear()
    store.pull("tiny")
    assert hub.ranges() != [None]
    assert world.leftovers() == []


def test_a_server_that_ignores_ranges_is_read_from_the_start(world: World, hub: Hub) -> None:
    hub.files[PATH], hub.cut_after, hub.ignore_ranges = CONTENT, [3_000_000], True
    store = hub_store(world, hub)
    store.pull("tiny")
    assert (store.folder("tiny") / "model.txt").read_bytes() == CONTENT


def test_other_bytes_are_refused_and_forgotten(world: World, hub: Hub) -> None:
    hub.files[PATH] = CONTENT[::-1]
    store = hub_store(world, hub)
    with pytest.raises(IntegrityError, match="not the file that the card names"):
        store.pull("tiny")
    assert world.leftovers() == []
    hub.files[PATH] = CONTENT
    store.pull("tiny")


def test_more_bytes_than_the_card_names_stop_the_transfer(world: World, hub: Hub) -> None:
    hub.files[PATH] = CONTENT
    with pytest.raises(IntegrityError, match="more than the 1,000 bytes"):
        hub_store(world, hub, CONTENT[:1000]).pull("tiny")
    assert world.leftovers() == []


@pytest.mark.parametrize(
    ("prepare", "words"), [("none", "404.*revision and path"), ("gated", "401.*HF_TOKEN")]
)
def test_answers_that_a_person_can_mend(world: World, hub: Hub, prepare: str, words: str) -> None:
    if prepare == "gated":
        hub.files[PATH], hub.needs_token = CONTENT, "secret"
    with pytest.raises(StoreError, match=words):
        hub_store(world, hub).pull("tiny")


def test_the_token_goes_to_the_hub_and_not_to_the_storage_behind_it(world: World, hub: Hub) -> None:
    hub.files[PATH], hub.needs_token = CONTENT, "secret"
    hub_store(world, hub, HF_TOKEN="secret").pull("tiny")
    assert {site: token for site, _, _, token in hub.requests} == {"hub": "Bearer secret", "storage": None}


def test_a_hub_that_is_not_there(world: World, hub: Hub) -> None:
    card = make_card(model_file("model.txt", CONTENT, PART))
    store = world.store(card, environ={"HF_ENDPOINT": "http://127.0.0.1:9"})
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9.*HF_ENDPOINT"):
        store.pull("tiny")
