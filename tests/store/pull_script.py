"""Pull one model in a process of its own, so that a test can kill it: JSON on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from orchestrator.store import ModelStore, PullEvent
from orchestrator.types import ModelCard
from tests.store.helpers import FAKE_CONVERTER, PLENTY


def tell(event: PullEvent) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


def main() -> None:
    job = json.loads(sys.argv[1])
    card = ModelCard.model_validate(job["card"])
    store = ModelStore(
        Path(job["cache"]),
        {card.name: card},
        {card.name: Path(job["cards"])},
        machine=PLENTY,
        converter=FAKE_CONVERTER,
    )
    tell(PullEvent(stage="plan", text="ready"))
    store.pull(card.name, tell)


if __name__ == "__main__":
    main()
