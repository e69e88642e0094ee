"""Write tasks as the simulated part of RefSpatial: metadata.json, image/ and depth/."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
from PIL import Image

from refergym.envs.disparity import relative_inverse_depth
from refergym.envs.key_steps import key_steps
from refergym.rollouts.refspatial.questions import Question, question_type
from refergym.rollouts.refspatial.reading import SIMULATED
from refergym.rollouts.refspatial.scenes import Scene
from refergym.rollouts.refspatial.schema import SUFFIX, Sample, Thought, Turn, encode


def write_refspatial(
    folder: Path,
    scenes: Iterable[Scene],
    turns: int,
    on_sample: Callable[[Sample], None] = lambda _: None,
) -> None:
    """Write a picture's questions as one sample of several turns; of many, as more samples.

    Args:
        folder: that exists, without an export.
        scenes: what is asked, picture by picture.
        turns: questions in one sample, at most.
        on_sample: told of each sample that was written.
    """
    for kind in ("image", "depth"):
        (folder / kind).mkdir(exist_ok=True)
    part = folder / f"{SIMULATED}.part"
    with part.open("wb") as file:
        file.write(b"[")
        between = b"\n"
        for scene in scenes:
            image, depth = f"image/{scene.name}.jpg", f"depth/{scene.name}.png"
            shutil.copyfile(scene.rgb, folder / image)
            picture = relative_inverse_depth(scene.view.frame.depth)
            Image.fromarray(picture).save(folder / depth)
            for sample in _samples(scene, folder, image, depth, turns):
                file.write(between + encode(sample))
                between = b",\n"
                on_sample(sample)
        file.write(b"\n]\n")
    part.replace(folder / SIMULATED)


def answer(point: tuple[float, float]) -> str:
    """Write a point as an answer: "[(0.275, 0.443)]"."""
    return f"[({point[0]:.3f}, {point[1]:.3f})]"


def thinking(scene: Scene, question: Question) -> str:
    """Write the key steps of a question, a line each: "Step 1: [Position] [the cup]: ...".

    The step that finds what is asked for gives the very point of the answer.
    """
    lines = []
    for k, step in enumerate(key_steps(question.task, scene.view), 1):
        if (step.perception, step.target) == ("Position", question.target):
            step = msgspec.structs.replace(step, value=question.point)
        lines.append(f"Step {k}: {step.text}")
    return "\n".join(lines)


def _samples(scene: Scene, folder: Path, image: str, depth: str, most: int) -> Iterator[Sample]:
    made = [
        Turn(
            question=f"{question.text} {SUFFIX}",
            answer=answer(question.point),
            thought=Thought(
                question_type=question_type(question.task.program),
                thinking=thinking(scene, question),
            ),
        )
        for question in scene.questions
    ]
    for k in range(0, len(made), most):
        yield Sample(
            part=f"{folder.resolve().name}/{Path(SIMULATED).stem}",
            id=scene.name if len(made) <= most else f"{scene.name}_{k // most}",
            images=(str(folder / image),),
            depths=(str(folder / depth),),
            turns=tuple(made[k : k + most]),
        )
