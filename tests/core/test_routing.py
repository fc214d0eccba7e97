"""Every removal has its reason, and each policy orders as it says."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import routing
from orchestrator.errors import InvalidInput, ModelUnavailable, UnknownName
from orchestrator.routing import Need, Surroundings
from orchestrator.types import AgentSpec, Evidence, ModelCard, RemoteEndpoint, Route, Specialism

GENERATE = frozenset({"generate", "json-schema"})
HERE = Surroundings(
    installed=frozenset({"tiny", "small", "large", "twin"}), memory_budget_bytes=8_000_000_000
)


def card(name: str, parameters: int | None = 1, **fields: Any) -> ModelCard:
    values: dict[str, Any] = {
        "description": "",
        "licence": "none",
        "origin": "here",
        "runtime": "scripted",
        "capabilities": GENERATE,
        "parameters": parameters,
    }
    return ModelCard.model_validate({"name": name, **values, **fields})


TINY, SMALL = card("tiny", 100), card("small", 500)
LARGE = card("large", 1500, role="reference")
CREW = [LARGE, SMALL, TINY]
WORK = [("code", frozenset()), ("other", GENERATE)]


def evidence(ruling: str) -> Evidence:
    values: dict[str, Any] = {
        "agent": "a",
        "benchmark": "tickets",
        "family": ruling,
        "ruling": ruling,
        "margin": 0.05,
        "n": 300,
        "quality": 0.91,
        "low": 0.88,
        "high": 0.94,
        "reference": "large",
        "reference_quality": 0.9,
        "reference_model": "huge",
        "model_key": "key",
        "agent_hash": "hash",
        **dict.fromkeys(("machine", "data_hash", "made_at"), "x"),
    }
    return Evidence.model_validate(values)


def decide(policy: str, cards: list[ModelCard], here: Surroundings = HERE, **need: Any) -> Route:
    return routing.route(policy, Need(agent="a", **{"capabilities": GENERATE, **need}), cards, here)


def why(route: Route) -> dict[str, str]:
    return {item.model: item.reason for item in route.rejected}


class TestPolicies:
    def test_cascade_goes_up_by_size_and_ends_at_the_reference(self) -> None:
        route = decide("cascade", [*CREW, card("huge", 9000)])
        assert route.ladder == ("tiny", "small", "huge", "large")
        assert route.model == "tiny"
        assert "then small > huge > large" in route.reason

    def test_cascade_asks_nobody_untrained_between_a_specialist_and_the_reference(self) -> None:
        trained = Specialism(
            agent="a", base="tiny", recipe="head", recipe_hash="1", data_hash="2", trained_at="2026-11-23"
        )
        own = card("own-1", 1).model_copy(update={"specialism": trained})
        route = decide("cascade", [*CREW, own])
        assert route.ladder == ("own-1", "large")
        assert why(route) == dict.fromkeys(("tiny", "small"), "not trained for this work, as own-1 is")
        assert decide("cascade", [own, SMALL]).ladder == ("own-1", "small"), "no reference is here"
        assert decide("only:own-1,small,large", [*CREW, own]).ladder == ("own-1", "small", "large")

    def test_smallest_capable_asks_the_reference_until_there_is_evidence(self) -> None:
        route = decide("smallest-capable", CREW)
        assert route.ladder == ("large",)
        assert "no smaller model has evidence" in route.reason
        assert why(route) == dict.fromkeys(("tiny", "small"), "no evidence for this agent")

    def test_smallest_capable_takes_the_smallest_with_evidence(self) -> None:
        proven = {"small": "91 % on tickets test, n = 300", "large": "93 %"}
        route = decide("smallest-capable", CREW, HERE.model_copy(update={"proven": proven}))
        assert route.ladder == ("small",)
        assert "91 % on tickets test, n = 300" in route.reason
        assert why(route) == {
            "tiny": "no evidence for this agent",
            "large": "larger than small (0M parameters)",
        }

    def test_smallest_capable_without_a_reference_says_that_nothing_is_proven(self) -> None:
        route = decide("smallest-capable", [SMALL, TINY])
        assert route.ladder == ("tiny",)
        assert "no evidence, and no reference here" in route.reason
        assert why(route) == {"small": "larger than tiny (0M parameters)"}

    @pytest.mark.parametrize(
        ("rulings", "expected"),
        [
            (["confirmed"], {"tiny"}),
            (["inconclusive", "confirmed"], {"tiny"}),
            (["confirmed", "refuted"], set()),
            (["inconclusive"], set()),
            ([], set()),
        ],
    )
    def test_a_model_is_proven_by_a_confirmed_family_and_no_refuted_one(
        self, rulings: list[str], expected: set[str]
    ) -> None:
        entries = [evidence(ruling) for ruling in rulings]
        keys = {"tiny": "key"}.get
        assert routing.proven("a", "hash", {"tiny": entries, "small": ()}, keys).keys() == expected
        assert routing.proven("another agent", "hash", {"tiny": entries}, keys) == {}

    def test_evidence_about_another_conversion_or_another_prompt_does_not_count(self) -> None:
        entries = {"tiny": [evidence("confirmed")]}
        assert routing.proven("a", "hash", entries, {"tiny": "key"}.get)
        assert routing.proven("a", "hash", entries, {"tiny": "converted anew"}.get) == {}
        assert routing.proven("a", "edited", entries, {"tiny": "key"}.get) == {}
        assert routing.proven("a", "hash", entries, lambda _: None) == {}

    def test_fixed_takes_only_the_named_one(self) -> None:
        route = decide("fixed:small", CREW)
        assert route.ladder == ("small",)
        assert set(why(route)) == {"tiny", "large"}

    def test_only_climbs_among_the_named_ones(self) -> None:
        route = decide("only:large, tiny", CREW)
        assert route.ladder == ("tiny", "large")
        assert why(route) == {"small": "the policy does not name it"}
        with pytest.raises(ModelUnavailable, match="small: the policy does not name it"):
            decide("only:absent", [SMALL])

    @pytest.mark.parametrize("policy", ["budget:15%", "budget:0.15", "budget: 15 %"])
    def test_a_budget_is_shared_by_what_is_calibrated_and_the_reference(self, policy: str) -> None:
        here = HERE.model_copy(update={"calibrated": frozenset({"small", "large"})})
        route = decide(policy, CREW, here)
        assert route.ladder == ("small", "large")
        assert route.reason == "smallest calibrated for this task; large for at most 15 %"
        assert why(route) == {"tiny": "the budget is shared by small and large"}

    def test_without_a_calibration_a_budget_says_that_it_cannot_be_kept(self) -> None:
        route = decide("budget:15%", CREW)
        assert route.ladder == decide("cascade", CREW).ladder
        assert route.reason.startswith("not calibrated, so as cascade")

    @pytest.mark.parametrize(
        "policy", ["budget", "budget:", "budget:much", "budget:150%", "budget:-1", "budget:nan"]
    )
    def test_a_budget_that_is_no_share(self, policy: str) -> None:
        with pytest.raises(InvalidInput, match="no share of calls") as refused:
            routing.check_policy(policy, {})
        assert refused.value.hint == "Write one such as budget:15% or budget:0.15."

    def test_of_two_of_one_size_the_one_with_less_memory_comes_first(self) -> None:
        twice = [card("wide", 5, memory_bytes=900), card("zippy", 5, memory_bytes=100)]
        assert decide("cascade", twice).ladder == ("zippy", "wide")

    def test_unknown_size_counts_as_largest(self) -> None:
        assert decide("cascade", [card("unknown", None), SMALL]).ladder == ("small", "unknown")

    def test_a_twin_is_used_only_by_name(self) -> None:
        twin = card("twin", 100, role="twin")
        assert "twin" in why(decide("cascade", [SMALL, twin]))
        assert decide("fixed:twin", [SMALL, twin]).model == "twin"

    def test_exact_code_needs_no_model(self) -> None:
        route = decide("cascade", CREW, capabilities=frozenset())
        assert (route.model, route.ladder) == (None, ())

    def test_a_policy_that_names_a_specialist_does_not_keep_exact_code_from_its_work(self) -> None:
        trained = {"agent": "b", "base": "tiny", "recipe": "r", "trained_at": "then"}
        taught = card("taught", specialism={**trained, **dict.fromkeys(("recipe_hash", "data_hash"), "x")})
        code, other = (AgentSpec(name=name, description="", input={}, needs=needs) for name, needs in WORK)
        cards = {"taught": taught, "tiny": TINY}
        routing.check_able("only:taught", [code], cards)
        with pytest.raises(InvalidInput, match="nothing can answer agent 'other'"):
            routing.check_able("only:taught", [code, other], cards)

    @pytest.mark.parametrize("policy", ["casade", "fixed", "fixed:tinny", ""])
    def test_a_policy_that_does_not_exist(self, policy: str) -> None:
        with pytest.raises(UnknownName):
            routing.check_policy(policy, {item.name: item for item in CREW})


class TestFilters:
    @pytest.mark.parametrize(
        ("fields", "need", "reason"),
        [
            ({"capabilities": {"embed"}}, {}, "cannot generate, json-schema"),
            ({}, {"models": ("small",)}, "agent a lists only small"),
            ({"languages": ["en"]}, {"language": "nl"}, "does not claim the language 'nl'"),
            (
                {"context_tokens": 100},
                {"prompt_tokens": 90, "max_tokens": 20},
                "context of 100 tokens is too short",
            ),
            ({"memory_bytes": 9_000_000_000}, {}, "needs 9.0 GB of memory, the budget is 8.0 GB"),
            ({"device": "cuda"}, {}, "needs CUDA"),
            (
                {
                    "runtime": "genai",
                    "name": "absent",
                    "files": [{"name": "m", "parts": ["file:m"], "sha256": "0" * 64, "size_bytes": 1}],
                },
                {},
                "not installed (lilliput models pull absent)",
            ),
        ],
    )
    def test_each_gives_its_reason(self, fields: dict[str, Any], need: dict[str, Any], reason: str) -> None:
        out = card(**{"name": "out", **fields})
        route = decide("cascade", [out, SMALL], **need)
        assert route.ladder == ("small",)
        assert reason in why(route)[out.name]

    def test_just_within_the_limits_stays(self) -> None:
        edge = card("edge", context_tokens=110, memory_bytes=8_000_000_000, languages=["nl"])
        assert decide("cascade", [edge], prompt_tokens=90, max_tokens=20, language="nl").model == "edge"

    def test_nothing_left_lists_every_reason(self) -> None:
        with pytest.raises(ModelUnavailable, match=r"tiny: cannot embed.*|small: cannot embed"):
            decide("cascade", [TINY, SMALL], capabilities=frozenset({"embed"}))

    @pytest.mark.parametrize(
        ("prices", "left", "fits"),
        [
            ((1.0, 2.0), 1.0, True),
            ((1.0, 2.0), 0.0001, False),
            ((None, 2.0), 1.0, False),
            ((1.0, None), 1.0, False),
            ((20.0, 0.0), 0.001, False),
            ((None, None), None, True),
        ],
    )
    def test_money(self, prices: tuple[float | None, float | None], left: float | None, fits: bool) -> None:
        remote = RemoteEndpoint(
            base_url="http://127.0.0.1",
            model="m",
            usd_per_million_input_tokens=prices[0],
            usd_per_million_output_tokens=prices[1],
        )
        paid = card("paid", 1, runtime="remote", remote=remote)
        here = HERE.model_copy(update={"spendable_usd": left})
        route = decide("cascade", [paid, SMALL], here, prompt_tokens=100, max_tokens=100)
        assert ("paid" in route.ladder) is fits
