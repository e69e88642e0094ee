"""Ways to say one thing, written as templates, and where in a row of words they end.

In a template `[x]` may be missing, `(x|y)` is one of both, `{slot}` is read by the caller, and
`<name>` stands for another template. Words are compared in the form that `tokens` gives them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from refergym.envs.language.naming.tokens import tokens

Slot = Callable[[str, int], Iterable[int]]
"""name of a slot, first word -> the words after it, one for each way to read it"""

_PART = re.compile(r"[\[\]()|]|\{\w+\}|<\w+>|[^\s\[\]()|{}<>]+")
_MACRO = re.compile(r"<(\w+)>")
_END = 0


class _Node:
    """A place in a pattern: what may come next."""

    def __init__(self, is_end: bool) -> None:
        self.is_end = is_end
        self.words: dict[str, frozenset[int]] = {}
        self.slots: dict[str, frozenset[int]] = {}
        self.nodes: dict[frozenset[int], _Node] = {}


class Pattern:
    """All of several templates at once: an automaton whose nodes are made when they are met."""

    def __init__(self, templates: Iterable[str], macros: Mapping[str, str] | None = None) -> None:
        """Take the templates, and what names in them stand for.

        Args:
            templates: the ways to say it.
            macros: name -> template.
        """
        self._edges: list[tuple[str, frozenset[int]]] = [("", frozenset())]
        self._nodes: dict[frozenset[int], _Node] = {}
        starts: frozenset[int] = frozenset()
        for template in dict.fromkeys(templates):
            parts = _PART.findall(_expanded(template, macros or {}))
            starts |= self._alternatives(parts[::-1], frozenset((_END,)))
        self._start = self._node(starts - {_END})

    def ends(self, words: Sequence[str], at: int, slot: Slot) -> set[int]:
        """Return the words after it, one for each way to read it from a word on.

        Args:
            words: as `tokens` gives them.
            at: the first word.
            slot: reads slots.
        """
        found: set[int] = set()
        start, count = self._start, len(words)
        if at >= count or (not start.slots and words[at] not in start.words):
            return found
        stack, seen = [(start, at)], set()
        while stack:
            node, k = stack.pop()
            if (id(node), k) in seen:
                continue
            seen.add((id(node), k))
            if node.is_end:
                found.add(k)
            if k < count and words[k] in node.words:
                stack.append((self._node(node.words[words[k]]), k + 1))
            for name, follow in node.slots.items():
                after = self._node(follow)
                stack += [(after, end) for end in slot(name, k)]
        return found

    def _node(self, edges: frozenset[int]) -> _Node:
        found = self._nodes.get(edges)
        if found is None:
            found = self._nodes[edges] = _Node(_END in edges)
            for label, follow in (self._edges[e] for e in edges if e != _END):
                kind = found.slots if label.startswith("{") else found.words
                name = label.strip("{}")
                kind[name] = kind.get(name, frozenset()) | follow
        return found

    def _alternatives(self, parts: list[str], follow: frozenset[int]) -> frozenset[int]:
        """Take parts, the next one last, up to a bracket that closes; return where they start."""
        starts: frozenset[int] = frozenset()
        chain: list[str | list[str]] = []
        sequences = [chain]
        while parts:
            part = parts.pop()
            if part in ("]", ")"):
                break
            if part == "|":
                chain = []
                sequences.append(chain)
            elif part in ("[", "("):
                chain.append(_bracket(part, parts))
            else:
                chain.append(part)
        for sequence in sequences:
            starts |= self._chain(sequence, follow)
        return starts

    def _chain(self, sequence: list[str | list[str]], follow: frozenset[int]) -> frozenset[int]:
        for part in reversed(sequence):
            if isinstance(part, list):
                is_optional = part[-1] == "["
                inner = self._alternatives(part[:-1], follow)
                follow = inner | follow if is_optional else inner
            else:
                for label in reversed([part] if part.startswith("{") else _literal(part)):
                    self._edges.append((label, follow))
                    follow = frozenset((len(self._edges) - 1,))
        return follow


def _bracket(opening: str, parts: list[str]) -> list[str]:
    """Take the parts in a bracket off, the next one last again; what opened it comes at the end."""
    inner: list[str] = []
    depth = 1
    while depth:
        part = parts.pop()
        depth += (part in ("[", "(")) - (part in ("]", ")"))
        inner.append(part)
    return [*inner[-2::-1], opening]


def _literal(text: str) -> tuple[str, ...]:
    return (text,) if text in ("~", "'s") else tokens(text)


def _expanded(template: str, macros: Mapping[str, str]) -> str:
    while "<" in template:
        template = _MACRO.sub(lambda m: f"({macros[m[1]]})", template)
    return template
