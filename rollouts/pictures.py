"""Drawing for reports: a point on a picture, captions, rows and columns. Arrays in and out."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Points = NDArray[np.float64]

INK: Colour = (30, 30, 30)
PAPER: Colour = (255, 255, 255)
GOOD: Colour = (20, 120, 50)
BAD: Colour = (180, 40, 30)
MUTED: Colour = (110, 110, 110)
MARK: Colour = (255, 0, 200)
GAP = 6


def mark_point(picture: Picture, point_uv: tuple[float, float] | None) -> Picture:
    """Draw a cross-hair whose middle stays open, so that what was pointed at is seen.

    Args:
        picture: [H, W, 3].
        point_uv: in [0, 1]; none draws nothing.

    Returns:
        [H, W, 3], a copy.
    """
    if point_uv is None:
        return picture.copy()
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    x, y = point_uv[0] * image.width, point_uv[1] * image.height
    inner, outer = max(4, image.width // 50), max(8, image.width // 22)
    for colour, width in ((PAPER, max(4, image.width // 60)), (MARK, max(2, image.width // 110))):
        draw.ellipse((x - inner, y - inner, x + inner, y + inner), outline=colour, width=width // 2)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            ends = (x + dx * inner, y + dy * inner, x + dx * outer, y + dy * outer)
            draw.line(ends, fill=colour, width=width)
    return np.asarray(image)


def labels(picture: Picture, px: Points, texts: Sequence[str], size: int = 11) -> Picture:
    """Write texts on small white fields, each centred on a pixel.

    Args:
        picture: [H, W, 3].
        px: [N, 2] where.
        texts: N of them.
        size: of the letters, px.

    Returns:
        [H, W, 3], a copy.
    """
    image = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for (x, y), text in zip(px.tolist(), texts, strict=True):
        left, top, right, bottom = draw.textbbox((x, y), text, font=font, anchor="mm")
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=PAPER)
        draw.text((x, y), text, fill=INK, font=font, anchor="mm")
    return np.asarray(image)


def arrows(picture: Picture, starts: Points, ends: Points) -> Picture:
    """Draw a line from each start [N, 2] px to its end, which bears a dot; a copy."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for (x, y), (u, v) in zip(starts.tolist(), ends.tolist(), strict=True):
        draw.line((x, y, u, v), fill=MARK, width=2)
        draw.ellipse((u - 2, v - 2, u + 2, v + 2), fill=MARK, outline=PAPER)
    return np.asarray(image)


def caption(picture: Picture, text: str, colour: Colour = INK, size: int = 14) -> Picture:
    """Put wrapped text on a white band above a picture.

    Args:
        picture: [H, W, 3].
        text: broken into as many lines as the width asks for.
        colour: of the text, sRGB.
        size: of the letters, px.

    Returns:
        [H + band, W, 3].
    """
    height, width = picture.shape[:2]
    band = text_block(text, width, colour, size)
    return np.concatenate([band, picture]) if height else band


def text_block(
    text: str, width: int, colour: Colour = INK, size: int = 14, lines: int | None = None
) -> Picture:
    """Write wrapped text on white.

    Args:
        text: what to write.
        width: px.
        colour: of the text, sRGB.
        size: of the letters, px.
        lines: height in lines, longer text is cut; None takes as many as are needed.

    Returns:
        [h, width, 3].
    """
    font = ImageFont.load_default(size)
    average = font.getlength(text) / max(1, len(text)) or size
    letters = max(8, int(0.95 * (width - 2 * GAP) / average))
    wrapped = textwrap.wrap(text, letters, max_lines=lines, placeholder=" ...") or [""]
    step = round(size * 1.35)
    image = Image.new("RGB", (width, (lines or len(wrapped)) * step + GAP), PAPER)
    ImageDraw.Draw(image).multiline_text(
        (GAP, GAP / 2), "\n".join(wrapped), fill=colour, font=font, spacing=step - size
    )
    return np.asarray(image)


def row(pictures: Sequence[Picture]) -> Picture:
    """Put pictures side by side on white, tops aligned."""
    height = max(p.shape[0] for p in pictures)
    parts: list[Picture] = []
    for picture in pictures:
        if parts:
            parts.append(_blank(height, GAP))
        lower = _blank(height - picture.shape[0], picture.shape[1])
        parts.append(np.concatenate([picture, lower]))
    return np.concatenate(parts, axis=1)


def column(pictures: Sequence[Picture]) -> Picture:
    """Put pictures below one another on white, left sides aligned."""
    width = max(p.shape[1] for p in pictures)
    parts: list[Picture] = []
    for picture in pictures:
        if parts:
            parts.append(_blank(GAP, width))
        right = _blank(picture.shape[0], width - picture.shape[1])
        parts.append(np.concatenate([picture, right], axis=1))
    return np.concatenate(parts)


def resized(picture: Picture, scale: float) -> Picture:
    """Scale a picture, keeping its shape."""
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def save(picture: Picture, path: Path) -> None:
    """Write a PNG in one piece: a killed run leaves the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    Image.fromarray(picture).save(part, format="PNG")
    part.replace(path)


def load(path: Path) -> Picture:
    """Read a picture as [H, W, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _blank(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 255, np.uint8)
