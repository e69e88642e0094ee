"""From a policy's words to one point: the blocks, then the dialect, then one of several points."""

from dataclasses import dataclass

from refergym.envs.dialects.base import Dialect, PointSeen, Several, choose
from refergym.envs.errors import AnswerError
from refergym.envs.replies import Reply, read_reply


@dataclass(frozen=True, kw_only=True)
class ReadAnswer:
    """What was read in a policy's words."""

    reply: Reply | None = None
    """the words taken apart; none where that failed"""
    points: tuple[PointSeen, ...] = ()
    """all points of the answer"""
    point_uv: tuple[float, float] | None = None
    """the one to act on, in [0, 1]; none without"""
    problem: str = ""
    """why there is none (an `errors.AnswerFault`); empty where there is one"""
    detail: str = ""
    """the same for people"""


@dataclass(frozen=True, kw_only=True)
class AnswerReader:
    """Reads what a kind of policy writes.

    Attributes:
        dialect: how it writes points; declared, never guessed from the numbers.
        several: which point of several: "first", their "mean", or "reject" the answer.
    """

    dialect: Dialect
    several: Several = "first"

    def read(self, text: str, image_size: tuple[int, int]) -> ReadAnswer:
        """Read an answer; whatever it is, this returns.

        Args:
            text: the policy's raw words.
            image_size: px (width, height) of the picture as the policy saw it.
        """
        reply: Reply | None = None
        points: tuple[PointSeen, ...] = ()
        try:
            reply = read_reply(text)
            points = self.dialect.parse(reply.answer, image_size)
            point = choose(points, self.several)
        except AnswerError as e:
            return ReadAnswer(reply=reply, points=points, problem=e.kind, detail=str(e))
        return ReadAnswer(reply=reply, points=points, point_uv=(point.u, point.v))
