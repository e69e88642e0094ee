"""The examples of docs/adapters.md, to be run as they stand there."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters.md"


def examples(heading: str, language: str = "python") -> list[str]:
    """The blocks of code below a heading; "" for those above the first."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.MULTILINE)
    sections = {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    return re.findall(rf"^```{language}\n(.*?)^```$", sections[heading], re.MULTILINE | re.DOTALL)
