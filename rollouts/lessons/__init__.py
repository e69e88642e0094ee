"""What imitation learns from: pictures, questions about them, and perfect answers."""

from refergym.rollouts.lessons.lesson import Lesson, Question
from refergym.rollouts.lessons.sources import Mixture, Source

__all__ = ["Lesson", "Mixture", "Question", "Source"]
