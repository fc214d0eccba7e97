"""An agent's prompt, its checks, and what becomes of its answer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator import checking
from orchestrator.agent import Call, confidence_of, load_agent, messages_of, schema_problem
from orchestrator.budget import Spending
from orchestrator.errors import BudgetExceeded, InvalidInput, ModelError, Truncated
from orchestrator.memo import VectorMemo
from orchestrator.runtimes.base import Embeddings, OnText
from orchestrator.types import (
    AgentSpec,
    Answer,
    Budget,
    Check,
    GenerateRequest,
    Generation,
    ModelCard,
    Usage,
)
from orchestrator.workspace import Workspace

SPEC = AgentSpec(
    name="pick",
    description="Pick a colour.",
    needs=frozenset({"generate"}),
    input={
        "type": "object",
        "properties": {"text": {"type": "string"}, "hint": {"type": "string"}},
        "required": ["text"],
    },
    output={"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]},
    system="Pick.",
    user="{% if hint %}({{ hint }}) {% endif %}{{ text }}",
)
CARD = ModelCard(
    name="fake",
    description="",
    licence="none",
    origin="here",
    runtime="scripted",
    capabilities=frozenset({"generate", "logprobs", "embed"}),
)


class FakeSession:
    """Says what it is told to, and remembers what it was asked."""

    card = CARD
    resident_bytes = 0

    def __init__(self, text: str = "", finish: Any = "stop") -> None:
        self.text, self.finish = text, finish
        self.requests: list[GenerateRequest] = []
        self.embedded: list[list[str]] = []

    def close(self) -> None: ...

    def count_tokens(self, request: GenerateRequest) -> int:
        return 1

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        self.requests.append(request)
        return Generation(
            text=self.text,
            finish=self.finish,
            prompt_tokens=10,
            completion_tokens=5,
            duration_s=0.5,
            logprobs=(-0.1, -0.3) if request.logprobs else None,
        )

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self.embedded.append(list(texts))
        vectors = np.eye(4, dtype=np.float32)[[len(text) % 4 for text in texts]]
        return Embeddings(vectors=vectors, prompt_tokens=len(texts), duration_s=0.1)


class TestPrompt:
    def test_absent_optional_inputs_are_null(self) -> None:
        assert [message.content for message in messages_of(SPEC, {"text": "sky"})] == ["Pick.", "sky"]
        assert messages_of(SPEC, {"text": "sky", "hint": "b"})[1].content == "(b) sky"

    def test_a_users_template_syntax_stays_text(self) -> None:
        assert messages_of(SPEC, {"text": "{{ 7 * 7 }}"})[1].content == "{{ 7 * 7 }}"

    @pytest.mark.parametrize("template", ["{{ nothing }}", "{{ ''.__class__.__mro__ }}", "{% if %}"])
    def test_a_bad_template_is_an_error(self, template: str) -> None:
        with pytest.raises(InvalidInput, match="prompt of agent 'pick' cannot be filled in"):
            messages_of(SPEC.model_copy(update={"user": template}), {"text": "x"})


class TestCall:
    async def test_feedback_is_part_of_the_conversation(self) -> None:
        session = FakeSession('{"colour": "red"}')
        call = Call(SPEC, session, feedback=('{"colour": "green"}', "schema: not allowed"))
        value, confidence = await call.generate_json(messages_of(SPEC, {"text": "x"}), {"type": "object"})
        assert (value, confidence) == ({"colour": "red"}, None)
        assert [message.role for message in session.requests[0].messages] == [
            "system",
            "user",
            "assistant",
            "user",
        ]
        assert "schema: not allowed" in session.requests[0].messages[-1].content
        assert (call.usage.calls, call.usage.prompt_tokens, call.usage.completion_tokens) == (1, 10, 5)

    async def test_a_truncated_answer_is_never_a_success(self) -> None:
        call = Call(SPEC, FakeSession('{"colour": "red"}', finish="length"))
        with pytest.raises(Truncated, match="used all 256 tokens"):
            await call.generate_json(messages_of(SPEC, {"text": "x"}), {})
        assert call.usage.completion_tokens == 5, "what a failed call used is still charged"

    async def test_text_that_is_not_json(self) -> None:
        with pytest.raises(ModelError, match="is not JSON"):
            await Call(SPEC, FakeSession("red")).generate_json(messages_of(SPEC, {"text": "x"}), {})

    @pytest.mark.parametrize("text", ['"\\ud800"', '{"\\udfff": 1}', '"\ud800"'], ids=["value", "key", "raw"])
    async def test_half_a_character_is_no_answer(self, text: str) -> None:
        with pytest.raises(ModelError, match="half of a character"):
            await Call(SPEC, FakeSession(text)).generate_json(messages_of(SPEC, {"text": "x"}), {})

    async def test_log_probabilities_are_asked_for_only_when_a_threshold_needs_them(self) -> None:
        session = FakeSession("{}")
        await Call(SPEC, session).generate(messages_of(SPEC, {"text": "x"}))
        sure = SPEC.model_copy(update={"min_confidence": 0.5})
        await Call(sure, session).generate(messages_of(SPEC, {"text": "x"}))
        assert [request.logprobs for request in session.requests] == [False, True]

    async def test_the_token_budget_of_the_run_is_kept(self) -> None:
        session = FakeSession("{}")
        await Call(SPEC, session, max_tokens=7).generate(messages_of(SPEC, {"text": "x"}), max_tokens=100)
        assert session.requests[0].max_tokens == 7

    async def test_kept_vectors_are_made_once(self) -> None:
        session, memo = FakeSession(), VectorMemo()
        first = await Call(SPEC, session, memo=memo).embed(["a", "bb", "a"], keep=True)
        again = await Call(SPEC, session, memo=memo).embed(["bb", "ccc"], keep=True)
        assert session.embedded == [["a", "bb"], ["ccc"]]
        assert first.shape == (3, 4)
        assert np.array_equal(first[1], again[0])

    async def test_a_memo_that_is_full_forgets_but_answers(self) -> None:
        session, memo = FakeSession(), VectorMemo(limit=3)
        await Call(SPEC, session, memo=memo).embed(["a", "b", "c"], keep=True)
        made = await Call(SPEC, session, memo=memo).embed(["a", "x", "y"], keep=True)
        assert made.shape == (3, 4)

    async def test_the_wrong_kind_of_model(self) -> None:
        with pytest.raises(InvalidInput, match="wants a LanguageDetector but got fake"):
            await Call(SPEC, FakeSession()).detect_language("x")
        with pytest.raises(InvalidInput, match="but got no model"):
            await Call(SPEC, None).embed(["x"])

    def test_a_folder_of_the_users_own_comes_first(self, tmp_path: Path) -> None:
        for root in ("builtin", "own"):
            (tmp_path / root / "docs").mkdir(parents=True)
        call = Call(SPEC, None, roots=(tmp_path / "builtin", tmp_path / "own"))
        assert call.find_folder("docs") == tmp_path / "own" / "docs"
        with pytest.raises(InvalidInput, match="is not there"):
            call.find_folder("nothing")


class TestChecks:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "agents" / "pick"
        folder.mkdir(parents=True)
        header = json.dumps(SPEC.model_dump(mode="json", exclude={"system", "user"}))
        (folder / "agent.md").write_text(f"---\n{header}\n---\n# System\nPick.\n# User\n{{{{ text }}}}\n")
        (folder / "checks.py").write_text(
            "def check_not_red(inputs, output):\n"
            "    if inputs['text'] == 'boom':\n"
            "        raise RuntimeError('boom')\n"
            "    return 'red is not allowed' if output['colour'] == 'red' else None\n"
        )
        return tmp_path

    @pytest.mark.parametrize(
        ("text", "output", "failed"),
        [
            ("x", {"colour": "blue"}, []),
            ("x", {"colour": "red"}, ["not_red"]),
            ("x", {"colour": "green"}, ["schema"]),
            ("x", "blue", ["schema"]),
            ("boom", {"colour": "blue"}, ["not_red"]),
        ],
    )
    def test_the_schema_first_then_the_agents_own(
        self, folder: Path, text: str, output: Any, failed: list[str]
    ) -> None:
        agent = load_agent(Workspace((folder,)).agents["pick"])
        checks = agent.check({"text": text}, Answer(output=output))
        assert [check.name for check in checks if not check.passed] == failed
        assert all(check.reason for check in checks if not check.passed)

    def test_a_schema_reference_is_never_fetched(self) -> None:
        problem = schema_problem({"$ref": "http://127.0.0.1:9/schema.json"}, {})
        assert problem is not None
        assert "http://127.0.0.1:9/schema.json" in problem

    def test_confidence_is_the_geometric_mean(self) -> None:
        reply = Generation(
            text="", finish="stop", prompt_tokens=1, completion_tokens=2, duration_s=0, logprobs=(-0.1, -0.3)
        )
        assert confidence_of(reply) == pytest.approx(math.sqrt(math.exp(-0.1) * math.exp(-0.3)))
        assert confidence_of(reply.model_copy(update={"logprobs": None})) is None

    def test_what_a_schema_forced_does_not_count(self) -> None:
        reply = Generation(
            text="", finish="stop", prompt_tokens=1, completion_tokens=2, duration_s=0,
            logprobs=(-9.0, -0.2), choice_logprobs=(-0.2,),
        )  # fmt: skip
        assert confidence_of(reply) == pytest.approx(math.exp(-0.2))
        assert confidence_of(reply.model_copy(update={"choice_logprobs": ()})) == 1.0

    def test_schema_slack_is_what_the_schema_left_of_the_model_s_own_wish(self) -> None:
        # The first token was forced (probability 0.5); of the second 0.8 was allowed, and 0.6 of that chosen.
        own = (math.log(0.5), math.log(0.8 * 0.6))
        reply = Generation(
            text="", finish="stop", prompt_tokens=1, completion_tokens=2, duration_s=0,
            logprobs=own, choice_logprobs=(math.log(0.6),),
        )  # fmt: skip
        assert confidence_of(reply, "schema-slack") == pytest.approx(math.sqrt(0.5 * 0.8))
        assert confidence_of(reply.model_copy(update={"choice_logprobs": None}), "schema-slack") is None
        nothing = reply.model_copy(update={"logprobs": (), "choice_logprobs": ()})
        assert confidence_of(nothing, "schema-slack") == 1.0


GOOD, BAD = Check(name="schema", passed=True), Check(name="schema", passed=False, reason="no")


class TestDecisions:
    @pytest.mark.parametrize(
        ("checks", "attempt", "has_next", "action"),
        [
            ((GOOD,), 1, True, "accept"),
            ((BAD,), 1, True, "retry"),
            ((BAD,), 2, True, "escalate"),
            ((BAD,), 2, False, "fail"),
            ((GOOD, BAD), 1, False, "retry"),
        ],
    )
    def test_on_an_answer(self, checks: tuple[Check, ...], attempt: int, has_next: bool, action: str) -> None:
        decision = checking.decide(SPEC, Answer(output={}), checks, attempt=attempt, has_next=has_next)
        assert decision.action == action

    @pytest.mark.parametrize(("confidence", "action"), [(0.4, "escalate"), (0.5, "accept"), (None, "accept")])
    def test_an_unsure_answer_goes_up_without_a_retry(self, confidence: float | None, action: str) -> None:
        spec = SPEC.model_copy(update={"min_confidence": 0.5})
        answer = Answer(output={}, confidence=confidence)
        assert checking.decide(spec, answer, (GOOD,), attempt=1, has_next=True).action == action

    def test_an_unsure_answer_is_accepted_when_nobody_else_can_be_asked(self) -> None:
        spec = SPEC.model_copy(update={"min_confidence": 0.5})
        answer = Answer(output={}, confidence=0.4)
        decision = checking.decide(spec, answer, (GOOD,), attempt=1, has_next=False)
        assert decision.action == "accept"
        assert decision.reason == "confidence: 0.40 is below 0.50, but no other model is left"

    def test_an_abstention_is_not_held_to_the_threshold(self) -> None:
        spec = SPEC.model_copy(update={"min_confidence": 0.5})
        answer = Answer(output={}, confidence=0.1, abstained=True)
        assert checking.decide(spec, answer, (GOOD,), attempt=1, has_next=True).action == "accept"

    @pytest.mark.parametrize(
        ("error", "attempt", "has_next", "action"),
        [
            (ModelError("x"), 1, True, "retry"),
            (ModelError("x"), 2, True, "escalate"),
            (Truncated("x"), 1, True, "escalate"),
            (Truncated("x"), 1, False, "fail"),
        ],
    )
    def test_on_an_error(self, error: ModelError, attempt: int, has_next: bool, action: str) -> None:
        assert checking.decide_on_error(SPEC, error, attempt=attempt, has_next=has_next).action == action


class TestBudget:
    @pytest.mark.parametrize(
        ("budget", "usage", "message"),
        [
            (Budget(tokens=15), Usage(prompt_tokens=10, completion_tokens=5), "15 tokens"),
            (Budget(steps=1), Usage(), "1 steps"),
            (Budget(cost_usd=0.1), Usage(cost_usd=0.2), "0.1 US dollars"),
        ],
    )
    def test_each_limit(self, budget: Budget, usage: Usage, message: str) -> None:
        spending = Spending(budget)
        spending.check()
        spending.add(usage)
        with pytest.raises(BudgetExceeded, match=message):
            spending.check()

    def test_time(self) -> None:
        now = [0.0]
        spending = Spending(Budget(time_s=2.0), clock=lambda: now[0])
        now[0] = 1.5
        spending.check()
        assert spending.seconds_left == 0.5
        now[0] = 2.0
        with pytest.raises(BudgetExceeded, match="2 seconds"):
            spending.check()

    def test_no_limits(self) -> None:
        spending = Spending(Budget(steps=None))
        spending.add(Usage(prompt_tokens=10**9, cost_usd=1e6))
        spending.check()
        assert (spending.tokens_left, spending.seconds_left, spending.usd_left) == (None, None, None)
