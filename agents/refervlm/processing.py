"""Words and pictures to what ReferVLM takes: tokens, and pictures of the tower's size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import BatchFeature, ProcessorMixin

IMAGE, DEPTH = "<image>", "<depth>"
"""where a picture and its depth picture stand in a text"""


class ReferVLMProcessor(ProcessorMixin):
    """Writes every `<image>` and `<depth>` of a text as the tokens that its picture takes.

    Attributes:
        image_tokens: tokens of a picture; as many for a depth picture.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        image_tokens: int = 64,
        **kwargs: Any,
    ) -> None:
        """Take the parts."""
        self.image_tokens = image_tokens
        super().__init__(image_processor, tokenizer, **kwargs)

    def __call__(
        self,
        images: Sequence[NDArray[np.uint8]] | None = None,
        text: str | Sequence[str] = "",
        depths: Sequence[NDArray[np.uint8]] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Prepare a batch.

        Args:
            images: pictures [H, W, 3] of all texts, in their order.
            text: with `<image>` and `<depth>` where pictures stand.
            depths: depth pictures [H, W, 3]: relative inverse depth, near is bright.
            kwargs: of the tokenizer.

        Raises:
            ValueError: if texts and pictures do not belong together.
        """
        texts = [text] if isinstance(text, str) else list(text)
        _check_count(texts, IMAGE, images)
        _check_count(texts, DEPTH, depths)
        whole = [t.replace(IMAGE, IMAGE * self.image_tokens).replace(
            DEPTH, DEPTH * self.image_tokens) for t in texts]  # fmt: skip
        data = dict(self.tokenizer(whole, **{"padding": True, "return_tensors": "pt", **kwargs}))
        data.pop("token_type_ids", None)
        for name, pictures in (("pixel_values", images), ("depth_values", depths)):
            if pictures is not None and len(pictures):
                data[name] = self.pictures(pictures)
        return BatchFeature(data)

    def pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Any:
        """Return pixels [I, 3, H, W]; what stands there several times is processed once."""
        keys = [(np.shape(p), np.asarray(p).tobytes()) for p in pictures]
        first = {key: k for k, key in reversed(list(enumerate(keys)))}
        once = sorted(first.values())
        seen = self.image_processor(images=[pictures[k] for k in once], return_tensors="pt")
        places = {k: n for n, k in enumerate(once)}
        return seen["pixel_values"][[places[first[key]] for key in keys]]


def _check_count(
    texts: Sequence[str], marker: str, pictures: Sequence[NDArray[np.uint8]] | None
) -> None:
    asked, given = sum(t.count(marker) for t in texts), len(pictures or ())
    if asked != given:
        raise ValueError(f"text: {marker} stands there {asked} times, for {given} pictures")
