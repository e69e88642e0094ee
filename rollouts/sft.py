"""`refergym sft`: supervised fine-tuning of ReferVLM on generated tasks, or on RefSpatial."""

import contextlib
import functools
import importlib.util
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from rich.console import Console

from refergym.assets import records
from refergym.assets.builder.colours import NAMES
from refergym.assets.errors import AssetError
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.envs.errors import EnvError
from refergym.envs.splits import Only
from refergym.rollouts import arguments, config, generation, output, peers
from refergym.rollouts.bars import Bar
from refergym.rollouts.errors import ConfigError, OutputError, RolloutError
from refergym.rollouts.lessons import Lesson, Mixture, Source
from refergym.rollouts.lessons.making import Plan as LessonPlan
from refergym.rollouts.lessons.shards import Shards
from refergym.rollouts.lessons.sources import Groups
from refergym.rollouts.lessons.written import Written
from refergym.rollouts.plan import SceneSettings, with_dialect
from refergym.rollouts.validation import Score, validate

log = logging.getLogger(__name__)
RESULT = "sft.json"
CHECKPOINT = "checkpoint"
FREE = ("out", "resume", "workers", "tensorboard", "threads", "save_every", "lessons")
"""keys that a resumed run may set anew"""
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft")
EVERY = 20
"""steps between two points of the curve"""
FIRST_SEED = 1_000_000
"""of scenes: no evaluation has them"""
SOURCES = 100
"""seeds that belong to one training: one for each source"""
Whole = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Rate = Annotated[float, msgspec.Meta(ge=0)]


class Stage(Record, frozen=True, kw_only=True):
    """The keys of configs/stage; their meaning stands there."""

    learns: tuple[str, ...]
    answers: bool
    flips: Share
    tower_lr: Rate
    with_depth: Share
    weights: dict[str, float]


class Generated(Record, frozen=True, kw_only=True):
    """A source of generated tasks, in configs/data."""

    weight: Rate
    count: Count | None
    task: dict[str, Any]


class Folder(Record, frozen=True, kw_only=True):
    """A source in RefSpatial's format."""

    weight: Rate
    count: Count | None
    folder: str


class Settings(SceneSettings, frozen=True, kw_only=True):
    """The keys of configs/sft.yaml; their defaults and their meaning stand there."""

    model: dict[str, Any]
    data: dict[str, dict[str, Any]]
    stage: Stage
    only: Only
    pack: str | None
    init: str | None
    depth: Literal["dedicated", "shared", "none"] | None
    depth_from_rgb: bool
    dialect: str
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    scene_seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None
    steps: Count
    batch: Count
    questions: Count
    accumulate: Count
    lr: Rate
    warmup: Share
    floor: Share
    weight_decay: Rate
    clip: Annotated[float, msgspec.Meta(gt=0)]
    precision: Literal["no", "bf16", "fp16"]
    checkpointing: bool
    lora: Whole
    threads: Count
    out: Annotated[str, msgspec.Meta(min_length=1)]
    lessons: str | None
    group: Count
    per_scene: Count
    played: Whole
    disturbed: Share
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    save_every: Count
    evaluate_every: Whole
    episodes: Whole
    resume: bool
    tensorboard: bool


class Point(Record, frozen=True, kw_only=True):
    """A point of the curve: means since the last one."""

    step: int
    seconds: float
    tokens: int
    """of answers, so far"""
    parts: dict[str, float]


class Validated(Record, frozen=True, kw_only=True):
    """An evaluation during training."""

    step: int
    scores: dict[str, Score]


class Training(Record, frozen=True, kw_only=True):
    """What `sft` writes to sft.json, at each checkpoint."""

    is_done: bool
    parameters: int
    step: int
    curve: tuple[Point, ...]
    validated: tuple[Validated, ...]
    config: dict[str, Any]
    choices: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What a training gave."""

    folder: Path
    training: Training


Tell = Callable[[Point], None]
"""told every few steps"""


def sft(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: Tell = lambda *_: None,
) -> Taught:
    """Teach as the command does, and write everything to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: told every few steps.

    Raises:
        ConfigError: if a key, a choice or a value is wrong, or a package is missing.
        DataError: if a folder of lessons cannot be read.
        OutputError: if the folder holds another run, or a damaged one.
    """
    composed = config.compose("sft", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    needed = ["torch", "transformers", "tokenizers", "accelerate"]
    needed += ["peft"] * bool(settings.lora) + ["tensorboard"] * settings.tensorboard
    for package in needed:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"sft needs {package}, of the extra vlm: pip install 'refergym[vlm]' (EXTRAS=vlm)"
            )
    folder = Path(settings.out)
    info = output.RunInfo(
        config={k: v for k, v in composed.config.items() if k not in FREE},
        choices=composed.choices,
        backend=settings.backend.get("_target_", ""),
        renderer=settings.renderer.get("_target_", ""),
        pack=open_pack(settings.pack).digest,
        versions={**output.package_versions(), **output.versions_of(PACKAGES)},
    )
    with peers.together(), contextlib.ExitStack() as held:

        def enter() -> None:
            output.open_folder(folder, info, resume=settings.resume)
            held.enter_context(output.alone_in(folder))
            held.enter_context(output.kept_if_begun(folder, CHECKPOINT))

        peers.main_first(enter)
        with contextlib.closing(_Run(settings, composed, config_dir, on_progress)) as run:
            training = run.go()
    return Taught(folder=folder, training=training)


class _Run:
    """One training, in one of its processes."""

    def __init__(
        self,
        settings: Settings,
        composed: config.Composed,
        config_dir: str | Path | None,
        tell: Tell,
    ) -> None:
        self.settings, self.composed, self.tell = settings, composed, tell
        self.folder = Path(settings.out)
        self.checkpoint = self.folder / CHECKPOINT
        self.env = settings.env
        self.dialect = config.choice("dialect", settings.dialect, config_dir)
        self.policy = with_dialect(config.choice("policy", "nano", config_dir), config_dir)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.curve: list[Point] = []
        self.validated: list[Validated] = []
        self.since: dict[str, list[float]] = {}  # sum and number
        self.shards: list[Shards] = []
        self.seconds, self.tokens = 0.0, 0

    def close(self) -> None:
        for shards in self.shards:
            shards.close()

    def go(self) -> Training:
        import torch

        from refergym.agents.folders import recover
        from refergym.agents.sft.preparing import Recipe, prepare

        settings, stage = self.settings, self.settings.stage
        torch.set_num_threads(settings.threads)
        peers.main_first(lambda: recover(self.checkpoint))
        resumed = settings.resume and self.checkpoint.exists()
        if settings.resume and not resumed:
            log.info("resume: nothing was saved in %s yet, so it begins anew", self.folder)
        mixture = self._mixture()
        categories = {a.category for a in open_pack(settings.pack).manifest.assets}
        recipe = Recipe(
            size=settings.model,
            init=str(self.checkpoint) if resumed else settings.init,
            depth=None if resumed else settings.depth,
            depth_from_rgb=settings.depth_from_rgb and not resumed,
            lora=settings.lora,
            checkpointing=settings.checkpointing,
            weights=stage.weights,
            categories=sorted(categories),
            colours=NAMES,
            seed=settings.seed,
        )
        try:
            self.taught = prepare(
                recipe, mixture.texts, steps=settings.steps, lr=settings.lr,
                tower_lr=stage.tower_lr, weight_decay=settings.weight_decay,
                warmup=settings.warmup, floor=settings.floor, clip=settings.clip,
                accumulate=settings.accumulate, with_depth=stage.with_depth, learns=stage.learns,
                precision=settings.precision,
            )  # fmt: skip
            if resumed:
                self._resume(mixture)
        except (RolloutError, EnvError, AssetError):
            raise  # it explains itself
        except ValueError as e:
            raise ConfigError(f"sft: {e}") from e
        side = self.taught.objective.model.config.picture_size
        if side != self.env["scene"]["width"]:
            raise ConfigError(f"init: that model sees {side} x {side} px, and `model` another size")
        return self._loop(mixture)

    def _resume(self, mixture: Mixture) -> None:
        state = self.taught.learner.load(self.checkpoint)
        mixture.restore(state["mixture"])
        self.since = state["since"]
        self.seconds, self.tokens = state["seconds"], state["tokens"]
        # what the checkpoint says, since a kill may have come before sft.json was written
        self.curve = [records.convert(p, Point, error=OutputError) for p in state["curve"]]
        before = _read(self.folder / RESULT)
        if before is not None:
            step = self.taught.learner.step
            self.validated = [v for v in before.validated if v.step <= step]

    def _mixture(self) -> Mixture:
        settings = self.settings
        side = settings.model["vision_config"]["image_size"] * settings.model.get("scales", 1)
        if (self.env["scene"]["width"], self.env["scene"]["height"]) != (side, side):
            raise ConfigError(f"scene.width, scene.height: the model sees {side} x {side} px")
        sources = {}
        for number, (name, node) in enumerate(settings.data.items()):
            if "folder" in node:
                folder = records.convert(node, Folder, error=ConfigError)
                weight, count = folder.weight, folder.count
                make: Callable[[], Groups] = functools.partial(
                    Written, folder.folder, size=settings.group, pixels=side
                )
            else:
                generated = records.convert(node, Generated, error=ConfigError)
                weight, count = generated.weight, generated.count
                make = functools.partial(self._shards, name, number, generated)
            if weight > 0:
                sources[name] = (weight, Source(name, make(), seed=settings.seed, count=count))
        return Mixture(sources, settings.seed)

    def _shards(self, name: str, number: int, source: Generated) -> Shards:
        settings = self.settings
        seed = settings.seed if settings.scene_seed is None else settings.scene_seed
        tasks = generation.Plan(
            env={**self.env, "task": source.task}, pack=settings.pack,
            seed=FIRST_SEED + SOURCES * seed + number, per_scene=settings.per_scene,
            prove=False, only=settings.only, folder=None,
        )  # fmt: skip
        plan = LessonPlan(
            tasks=tasks, dialect=self.dialect, played=settings.played, disturbed=settings.disturbed
        )
        kept = Path(settings.lessons) if settings.lessons else self.folder / "lessons"
        self.tasks[name] = source.task
        self.shards.append(Shards(kept / name, plan, settings.group, settings.workers))
        return self.shards[-1]

    def _loop(self, mixture: Mixture) -> Training:
        settings, learner = self.settings, self.taught.learner
        began = time.monotonic() - self.seconds
        with _writer(self.folder, learner.step, settings.tensorboard and peers.is_main()) as writer:
            self._validate(writer)  # a kill may have come just before
            while not learner.is_done:
                told = learner.learn([self._batch(mixture) for _ in range(learner.batches)])
                self.seconds = time.monotonic() - began
                self.tokens += int(told.pop("tokens"))
                self._note(told)
                if learner.step % EVERY == 0 or learner.is_done:
                    self._point(writer)
                if self._is_due or learner.step % settings.save_every == 0:
                    self._save(mixture)
                self._validate(writer)
        return self._write(is_done=True)

    @property
    def _is_due(self) -> bool:
        """Whether an evaluation follows this step."""
        every, learner = self.settings.evaluate_every, self.taught.learner
        return learner.is_done or bool(every and learner.step and learner.step % every == 0)

    def _note(self, told: dict[str, float]) -> None:
        """Add to what the next point is the mean of; what is not finite has none."""
        for name, value in told.items():
            if math.isfinite(value):
                total, count = self.since.get(name, (0.0, 0))
                self.since[name] = [total + value, count + 1]

    def _batch(self, mixture: Mixture) -> Any:
        from refergym.agents.sft.objective import Pictures

        settings = self.settings
        lessons = mixture.draw(settings.batch, settings.questions)
        rng = generator(settings.seed, "flips", mixture.drawn)
        flips = rng.random(len(lessons)) < settings.stage.flips
        shown = [_flipped(x) if flip else x for x, flip in zip(lessons, flips, strict=True)]
        asked = [[(q.words, q.answer) for q in x.questions] for x in shown]
        return Pictures(
            rgb=np.stack([x.rgb for x in shown]),
            disparity=np.stack([x.disparity for x in shown]),
            ids=np.stack([x.ids for x in shown]),
            names=[x.names for x in shown],
            questions=asked if settings.stage.answers else [[] for _ in shown],
        )

    def _point(self, writer: Any) -> None:
        point = Point(
            step=self.taught.learner.step, seconds=self.seconds, tokens=self.tokens,
            parts={name: total / count for name, (total, count) in self.since.items()},
        )  # fmt: skip
        self.curve.append(point)
        self.since = {}
        for name, value in point.parts.items():
            writer.add_scalar(f"train/{name}", value, point.step)
        if peers.is_main():
            self.tell(point)

    def _save(self, mixture: Mixture) -> None:
        state = {"mixture": mixture.state(), "since": self.since, "seconds": self.seconds,
                 "tokens": self.tokens, "curve": msgspec.to_builtins(self.curve)}  # fmt: skip
        self.taught.learner.save(self.checkpoint, self.taught.processor, state)
        self._write(is_done=False)

    def _validate(self, writer: Any) -> None:
        """Evaluate, where it is due and was not done; the main process alone."""
        step = self.taught.learner.step
        wanted = self._is_due and self.settings.episodes and self.settings.stage.answers
        done = any(v.step == step for v in self.validated)
        if not (wanted and self.tasks and peers.is_main()) or done:
            return
        policy = {**self.policy, "path": str(self.checkpoint.resolve())}
        scores = validate(self.env, self.tasks, policy, pack=self.settings.pack,
                          episodes=self.settings.episodes)  # fmt: skip
        self.validated.append(Validated(step=step, scores=scores))
        for name, score in scores.items():
            writer.add_scalar(f"validation/{name}", score.rate, step)
        self._write(is_done=False)

    def _write(self, *, is_done: bool) -> Training:
        training = Training(
            is_done=is_done,
            parameters=sum(p.numel() for p in self.taught.objective.model.parameters()),
            step=self.taught.learner.step,
            curve=tuple(self.curve),
            validated=tuple(self.validated),
            config=self.composed.config,
            choices=self.composed.choices,
            versions=output.versions_of(PACKAGES),
        )
        if peers.is_main():
            output.write_json(self.folder / RESULT, training)
        return training


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "sft" on the command line.

    Returns:
        Exit status 0.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("sft", "sft", argv)
    console, errors = Console(), Console(stderr=True)
    plain = config.compose("sft", words.overrides, words.config_dir).config
    total = plain["steps"]
    bar = Bar("steps", errors, total=total)
    logged = 0

    def show(now: Point) -> None:
        nonlocal logged
        speed = now.tokens / max(now.seconds, 1e-9)
        note = f"loss {now.parts.get('loss', math.nan):.3f}  {speed:.0f} tokens/s"
        if errors.is_terminal:
            bar.show(now.step, note=note)
        elif now.step == total or now.step - logged >= plain["save_every"]:
            logged = now.step
            log.info("step %d of %d: %s", now.step, total, note)

    try:
        with bar:
            done = sft(words.overrides, words.config_dir, show)
    except KeyboardInterrupt:
        errors.print("What was saved is kept; the same command with resume=true goes on.")
        raise
    if peers.is_main():
        console.print(_conclusion(done), markup=False, highlight=False, soft_wrap=True)
    return 0


def _flipped(lesson: Lesson) -> Lesson:
    """Mirror a picture; what is said about it would be wrong then."""
    return replace(
        lesson,
        rgb=lesson.rgb[:, ::-1],
        disparity=lesson.disparity[:, ::-1],
        ids=lesson.ids[:, ::-1],
        questions=(),
    )


@contextlib.contextmanager
def _writer(folder: Path, step: int, is_wanted: bool) -> Iterator[Any]:
    """Open what takes scalars for tensorboard, or nothing; those after `step` are forgotten."""
    if not is_wanted:
        yield _Nowhere()
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder / "tensorboard", purge_step=step + 1 if step else None) as writer:
        yield writer


class _Nowhere:
    """Takes scalars where none are written."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Pass over one."""


def _read(path: Path) -> Training | None:
    try:
        return records.decode(path.read_bytes(), Training, error=OutputError)
    except FileNotFoundError:
        return None
    except OutputError as e:
        raise OutputError(f"resume: {path}: {e}") from e


def _conclusion(done: Taught) -> str:
    training = done.training
    said = f"{training.step} steps"
    if training.curve:
        last = training.curve[-1]
        said += f", {last.tokens} tokens, {last.seconds / 60:.1f} minutes"
    lines = []
    if training.validated:
        scores = training.validated[-1].scores
        lines.append("solved: " + ", ".join(f"{n} {s.successes}/{s.n}" for n, s in scores.items()))
    path = done.folder / CHECKPOINT
    lines.append(
        f"Wrote {CHECKPOINT} ({training.parameters / 1e6:.2f} million parameters, {said}) and"
        f" {RESULT} to {done.folder}; evaluate it: refergym evaluate policy=nano"
        f" policy.path={path} scene=nano"
    )
    return "\n".join(lines)
