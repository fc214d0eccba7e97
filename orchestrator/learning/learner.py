"""The steps of learning, each by itself and all in a row; what the command line calls.

learner = Learner(workspace, settings)
project = learner.collect("tickets", "label", LogSource())
report = await learner.scrub("tickets")
card = await learner.train("tickets", "encoder", report=print)
found = await learner.gate(card.name, heard=print)
learner.promote(card.name)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property, partial
from pathlib import Path

import yaml

from orchestrator.agent import Call, defining_hashes, load_agent
from orchestrator.controller import Controller, open_controller
from orchestrator.errors import UserError
from orchestrator.learning import shelf
from orchestrator.learning.calibrate import About, calibrate, keep, outcomes_of
from orchestrator.learning.choose import Candidate, choose
from orchestrator.learning.cluster import Clusters, clusters_of
from orchestrator.learning.collect import collect, need_learns
from orchestrator.learning.distil import Distilled, distil
from orchestrator.learning.examples import Example, own_key, read_examples, write_examples
from orchestrator.learning.gate import (
    MARGIN,
    Answered,
    GateResult,
    Heard,
    ask_all,
    decide,
    insist_on_answers,
    insist_on_enough,
)
from orchestrator.learning.incumbent import Work, incumbent_of, insist_on_installed, twins_of, work_of
from orchestrator.learning.project import (
    OWN,
    FileSource,
    LogSource,
    Project,
    folder_of,
    insist_on_name,
    open_project,
    save_project,
)
from orchestrator.learning.promotion import insist_on_place
from orchestrator.learning.recipes import all_recipes, read_recipe
from orchestrator.learning.retention import (
    EXAMPLES,
    SCRUBBED,
    WORK,
    Allowed,
    Opened,
    fresh,
    oldest_allowed,
    sweep,
    sweep_project,
)
from orchestrator.learning.rows import (
    GOLD,
    collect_file,
    file_raws,
    insist_on_kind,
    insist_on_labels,
    raws_of,
    read_rows,
)
from orchestrator.learning.scrub import Raw, Refuses, Scrubbed, refused_by, scrub
from orchestrator.learning.shown import Shown, specialism_of, specialist, specialists
from orchestrator.learning.training import Purpose, Report, data_hash, embedded, fixed_of, splits, train
from orchestrator.learning.watching import Watched, watched
from orchestrator.promoted import Change
from orchestrator.records import Records
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.store.files import remove, replace_text
from orchestrator.store.staging import staged, sweep_stages
from orchestrator.types import Calibration, Json, Learns, ModelCard
from orchestrator.workspace import Workspace
from orchestrator.yamlfile import read_yaml

ALLOWED = Path("configs/learning.yaml")
_GATES = "gates"  # runs of a gate or a calibration, as long as it lasts


class Learner:
    """Learning in one workspace."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self.workspace = workspace
        self.settings = settings
        self.root = workspace.roots[-1]
        if self.root.name == "_builtin":
            raise UserError(
                "What is learnt is kept in a workspace of your own, and there is none here.",
                hint="Make one: mkdir -p configs && echo '{}' > configs/lilliput.yaml",
            )

    # --- S1, S2 ---------------------------------------------------------------------------------------

    @property
    def allowed(self) -> Mapping[str, Allowed]:
        files = [root / ALLOWED for root in self.workspace.roots if (root / ALLOWED).is_file()]
        return read_yaml(files[-1]).validate(Opened).agents if files else {}

    def allow(self, agent: str, days: int | None) -> Path:
        """From now on logged work of that agent may be learnt from for so many days; None: no more."""
        need_learns(self.workspace.agent(agent))
        kept = {name: each for name, each in self.allowed.items() if name != agent}
        if days:
            kept[agent] = Allowed(days=days)
        file = self.root / ALLOWED
        replace_text(file, yaml.safe_dump(Opened(agents=kept).model_dump(mode="json"), sort_keys=True))
        self.sweep()
        return file

    def sweep(self) -> int:
        """Delete what may no longer be learnt from, of all projects. Returns how many examples went."""
        sweep_stages(self.settings.state_dir / _GATES)
        return sweep(self.settings.state_dir, self.allowed)

    async def distil(self, agent: str, source: FileSource, given: Json, heard: Heard) -> Distilled:
        """Let the reference model answer the texts of a file, as runs that `collect` finds."""
        learns = need_learns(self.workspace.agent(agent))
        texts = [row.text for row in read_rows(source)]
        async with open_controller(self.workspace, self.settings) as controller:
            return await distil(controller, self._records, agent, learns, given, texts, heard)

    def collect(self, name: str, agent: str, source: LogSource | FileSource) -> Project:
        """S1, from the records or from a file."""
        insist_on_name(name)
        spec = self.workspace.agent(agent)
        if isinstance(source, FileSource):
            project = collect_file(name, spec, need_learns(spec), source)
        else:
            project = collect(name, spec, source, self._records, self.allowed)
        for stale in (*WORK, EXAMPLES, SCRUBBED):
            remove(self._folder(name) / stale)
        save_project(self.settings.state_dir, project)
        return project

    async def scrub(self, name: str) -> Scrubbed:
        """S2. Writes the examples; nothing else does."""
        project = open_project(self.settings.state_dir, name)
        learns = need_learns(self.workspace.agent(project.agent))
        oldest = oldest_allowed(project.agent, self.allowed)
        raws = fresh(raws_of(project, learns, self._records), oldest)
        public = isinstance(project.source, FileSource) and project.source.public
        agent = load_agent(self.workspace.agents[project.agent])
        refuses = refused_by(agent, learns, project.fixed) if isinstance(project.source, FileSource) else None
        examples, report = await self._scrubbed(raws, learns, public=public, refuses=refuses)
        write_examples(self._folder(name) / EXAMPLES, examples)
        replace_text(self._folder(name) / SCRUBBED, report.model_dump_json(indent=2) + "\n")
        return report

    def examples(self, name: str) -> list[Example]:
        """What may still be learnt from. Raises UserError where nothing was scrubbed yet."""
        sweep_project(self.settings.state_dir, name, self.allowed)
        file = self._folder(name) / EXAMPLES
        if not file.is_file():
            raise UserError(f"{name!r} has no examples yet.", hint=f"Type: lilliput learn scrub {name}")
        return list(read_examples(file))

    async def cluster(self, name: str, model: str = "minilm-l6") -> Clusters:
        """S3. What kinds of work there are, and which of them a specialist could take."""
        examples = self.examples(name)
        vectors = await embedded([example.text for example in examples], model, self._store(), self.settings)
        return clusters_of(examples, vectors)

    async def choose(self, name: str) -> list[Candidate]:
        """S4. The recipes in the order in which to take them, each after a quick try."""
        purpose = self._purpose(name)
        return await choose(
            purpose,
            all_recipes(self.workspace.roots, purpose.learns.kind),
            self.examples(name),
            store=self._store(),
            settings=self.settings,
            work=self._folder(name) / "tries",
        )

    # --- S5 and the gate ------------------------------------------------------------------------------

    async def train(self, name: str, recipe: str, report: Report) -> ModelCard:
        """S5. The specialist is on the shelf then, installed, and not promoted."""
        purpose, examples = self._purpose(name), self.examples(name)
        card = await train(
            purpose,
            read_recipe(self.workspace.roots, recipe),
            examples,
            store=self._store(),
            settings=self.settings,
            roots=self.workspace.roots,
            work=self._folder(name) / "work",
            report=report,
        )
        self.workspace.reread()
        await asyncio.to_thread(self._store().pull, card.name)
        return card

    def insist_on_gate(self, name: str, margin: float, gold: bool) -> None:
        """Before anything is trained. Raises UserError where no gate could be held afterwards."""
        purpose, examples = self._purpose(name), self.examples(name)
        tested = [example for example in examples if example.split == "test"]
        if not gold:
            insist_on_enough(tested, margin)
        splits(examples)
        if gold:  # whose texts may be among the logged ones
            return
        kinds = purpose.learns.kinds_in(purpose.fixed)
        against = self._incumbent(purpose, Work(purpose.agent, fixed_of(purpose), kinds))
        if self._recorded(name, against, tested) is None:
            insist_on_installed(self._store(), against)

    async def gate(
        self,
        specialist: str,
        *,
        heard: Heard,
        margin: float = MARGIN,
        incumbent: str | None = None,
        gold: FileSource | None = None,
    ) -> GateResult:
        """Judge on the test rows, or a person's, and write what was found beside the card, whatever it is."""
        trained, line = specialism_of(self.workspace, specialist), specialist.rpartition("-")[0]
        purpose = self._purpose(line)
        tested = await self._to_judge_by(specialist, purpose, gold)
        against = incumbent or self._incumbent(purpose, work_of(trained), but=specialist)
        parent = f"{specialist}-f32"
        recorded = self._recorded(line, against, tested)
        for own in (specialist, parent):
            await asyncio.to_thread(self._store().pull, own)
        if recorded is None:
            insist_on_installed(self._store(), against)
        arms: dict[str, Answered] = {}
        async with self._apart() as controller:
            for model in dict.fromkeys((specialist, parent, against)):
                if model == against and recorded:
                    arms[model] = recorded
                else:
                    arms[model] = await ask_all(controller, purpose, f"fixed:{model}", tested, heard)
            insist_on_answers(against, arms[against])
            memory = {row.name: row.bytes for row in controller.pool.resident()}
        result = decide(
            specialist,
            purpose.learns,
            tested,
            shelf.texts_of(self.workspace.roots, specialist),
            arms,
            against,
            margin=margin,
            parent=parent,
            memory=memory,
            facts={"data_hash": data_hash(tested), "machine": self.settings.machine},
        )
        replace_text(
            self.root / shelf.FOLDER / specialist / shelf.EVIDENCE, result.model_dump_json(indent=2) + "\n"
        )
        return result

    async def calibrate(
        self,
        name: str,
        *,
        heard: Heard,
        model: str | None = None,
        max_wrong: float = 0.05,
        delta: float = 0.05,
    ) -> Calibration:
        """Prove a threshold on the examples of a project that the model has not learnt from, and keep it."""
        purpose = self._purpose(name)
        chosen = model or shelf.answering(self.root, name)
        insist_on_installed(self._store(), chosen)
        learnt_from = shelf.texts_of(self.workspace.roots, chosen)
        tested = [example for example in self.examples(name) if not example.is_among(learnt_from)]
        async with self._apart() as controller:
            found = await ask_all(controller, purpose, f"fixed:{chosen}", tested, heard)
            key = controller.store.key(chosen)
        about = About(
            agent=purpose.agent,
            agent_hash=purpose.code.content_hash,
            model=chosen,
            model_key=str(key),
            fixed=defining_hashes(purpose.learns, purpose.fixed),
        )
        judges = ", ".join(sorted({example.by for example in tested}))
        outcomes = outcomes_of(purpose.learns, tested, found)
        calibration = calibrate(about, outcomes, judges, max_wrong, delta)
        keep(self.root, calibration, self.workspace.calibrations(purpose.agent))
        return calibration

    def watch(self, name: str) -> list[Watched]:
        """S6. Whether what was answered since each threshold was proven looks like what it was proven on.

        Raises UserError where no threshold was proven for the task.
        """
        purpose = self._purpose(name)
        fixed = defining_hashes(purpose.learns, purpose.fixed)
        found = [c for c in self.workspace.calibrations(purpose.agent) if dict(c.fixed) == fixed]
        if not found:
            raise UserError(
                f"No threshold was proven for {name!r}.", hint=f"Type: lilliput route calibrate {name}"
            )
        return [watched(self._records, purpose, calibration) for calibration in found]

    def insist_on_place(self, specialist: str, *, accept_margin: bool = False) -> None:
        """Raises UserError where it may not take the place of what answers now."""
        reference = self.settings.reference_model
        insist_on_place(self.workspace, reference, specialist, accept_margin=accept_margin)

    def promote(self, specialist: str, *, accept_margin: bool = False) -> Change:
        """It takes the place of what answers the same work now, whatever that is called."""
        insist = partial(self.insist_on_place, specialist, accept_margin=accept_margin)
        insist()
        self._store().pull(specialist)
        twins = twins_of(self.workspace.cards, work_of(specialism_of(self.workspace, specialist)))
        return shelf.promote(self.workspace.roots, specialist, "passed its gate", twins, insist)

    def roll_back(self, line: str) -> Change:
        return shelf.roll_back(self.workspace.roots, line)

    def specialists(self) -> list[Shown]:
        return specialists(self.workspace)

    def specialist(self, name: str) -> Shown:
        return specialist(self.workspace, name)

    # --- inside ---------------------------------------------------------------------------------------

    async def _scrubbed(
        self, raws: Sequence[Raw], learns: Learns, *, public: bool, refuses: Refuses | None = None
    ) -> tuple[list[Example], Scrubbed]:
        redact = load_agent(self.workspace.agents["redact"])

        async def found(text: str) -> list[Json]:
            answer = await redact.answer({"text": text}, Call(redact.spec, None))
            parts: list[Json] = answer.output["found"]
            return parts

        key = None if public else own_key(self.settings.state_dir)
        return await scrub(raws, learns, None if public else found, key, refuses)

    async def _to_judge_by(self, specialist: str, purpose: Purpose, gold: FileSource | None) -> list[Example]:
        """The test rows; or a person's, but for those that it has learnt from."""
        if gold is None:
            return [example for example in self.examples(purpose.line) if example.split == "test"]
        rows, learns = list(read_rows(gold)), purpose.learns
        insist_on_kind(learns, gold, rows)
        insist_on_labels(learns, purpose.fixed, gold, rows)
        source = open_project(self.settings.state_dir, purpose.line).source
        public = isinstance(source, FileSource) and source.public
        examples, _ = await self._scrubbed(list(file_raws(gold, rows, GOLD)), learns, public=public)
        learnt_from = shelf.texts_of(self.workspace.roots, specialist)
        return [example for example in examples if not example.is_among(learnt_from)]

    @cached_property
    def _records(self) -> Records:
        return Records(self.settings.state_dir / "runs.sqlite")

    def _store(self) -> ModelStore:
        return ModelStore(self.settings.cache_dir, self.workspace.cards, self.workspace.card_folders)

    def _folder(self, name: str) -> Path:
        return folder_of(self.settings.state_dir, name)

    def _purpose(self, name: str) -> Purpose:
        project = open_project(self.settings.state_dir, name)
        learns = need_learns(self.workspace.agent(project.agent))
        code = load_agent(self.workspace.agents[project.agent])
        licence = project.source.licence if isinstance(project.source, FileSource) else OWN
        return Purpose(name, project.agent, code, learns, project.fixed, licence)

    def _incumbent(self, purpose: Purpose, work: Work, but: str | None = None) -> str:
        self.workspace.refresh()
        needs, reference = purpose.code.spec.needs, self.settings.reference_model
        return incumbent_of(self.workspace.cards, work, needs, reference, but)

    def _recorded(self, name: str, model: str, tested: Sequence[Example]) -> Answered | None:
        """What the model answered to each row when it was logged; None where it must be asked."""
        known = {example.key: example.answer for example in self.examples(name) if example.by == model}
        if not all(example.key in known for example in tested):
            return None
        return Answered([known[example.key] for example in tested], None)

    @asynccontextmanager
    async def _apart(self) -> AsyncIterator[Controller]:
        """A controller whose runs are not kept, nor among the user's own, which may be learnt from."""
        with staged(self.settings.state_dir / _GATES) as stage:
            own = self.settings.model_copy(update={"state_dir": stage.folder})
            async with open_controller(self.workspace, own) as controller:
                yield controller
