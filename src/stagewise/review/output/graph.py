"""The provenance graph as SVG: from the sources at the top left to what nothing is made of at the bottom right.

Every node has a row of its own, and every node that something is made of has a lane of its own, further right the later
its row. An edge runs down its source's lane and right along its target's row. So no line touches a label and no label
another one, whatever the graph; columns of lanes are the longest paths from the sources.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from stagewise.report.plain_text import clean, clip
from stagewise.review.record import Edge, Node, Review

_ROW, _LANE, _COLUMN, _MARGIN = 24.0, 11.0, 10.0, 12.0
_CHARACTER = 7.4
"""Width of a character of the style sheet's 12 px monospaced type, rounded up."""
_LABEL = 44
"""Characters of a label; a longer one is cut in its middle and is whole in its title."""


@dataclass(frozen=True)
class Placed:
    """A node and where its mark lies."""

    node: Node
    label: str
    x: float
    y: float

    @property
    def right(self) -> float:
        """Where its label ends at the latest."""
        return self.x + 14 + _CHARACTER * _width(self.label)


def graph_svg(review: Review) -> Markup:
    """The whole graph, coloured by verdict; empty where there are no nodes."""
    placed = place(review.nodes, review.edges)
    if not placed:
        return Markup("")
    width = max(item.right for item in placed.values()) + _MARGIN
    height = _ROW * len(placed) + 8
    parts = [*_lines(placed, review.edges), *(_mark(item) for item in placed.values())]
    head = Markup('<svg class="graph" viewBox="0 0 {:g} {:g}" width="{:g}" height="{:g}" role="img" aria-label="{}">')
    title = f"provenance graph of {len(placed)} nodes"
    return head.format(width, height, width, height, title) + Markup("").join(parts) + Markup("</svg>")


def place(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, Placed]:
    """Rows and lanes of all nodes by id: by longest path from the sources, then in their order.

    A node that nothing leads to lies just before the first that is made of it. Edges between unknown nodes, and those
    that would close a circle, do not count.
    """
    unique = {node.id: node for node in nodes}
    depths = _depths(list(unique), edges)
    spreads = {
        edge.source for edge in edges if edge.target in unique and depths.get(edge.source, 0) < depths[edge.target]
    }
    placed: dict[str, Placed] = {}
    x, last = _MARGIN, 0
    for row, name in enumerate(sorted(unique, key=depths.__getitem__)):
        x += _COLUMN * (depths[name] - last)
        last = depths[name]
        label = clip(clean(unique[name].label), _LABEL)
        placed[name] = Placed(unique[name], label, round(x, 1), _ROW * row + _ROW / 2 + 4)
        x += _LANE if name in spreads else 0
    return placed


def _depths(names: list[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Longest path to every node; sources moved up to the nodes that need them first."""
    known = set(names)
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        if edge.source in known and edge.target in known and edge.source != edge.target:
            before[edge.target].append(edge.source)
            after[edge.source].append(edge.target)
    depths: dict[str, int] = {}
    for name in _sorted_topologically(names, before, after):
        depths[name] = max((depths[source] + 1 for source in before[name] if source in depths), default=0)
    for name in names:
        if not before[name] and after[name]:
            depths[name] = max(min(depths[target] for target in after[name]) - 1, 0)
    return depths


def _sorted_topologically(
    names: list[str], before: Mapping[str, list[str]], after: Mapping[str, list[str]]
) -> Iterable[str]:
    """Every name after those that lead to it; a circle, which no true graph has, is opened at its first name."""
    open_edges = {name: len(before[name]) for name in names}
    ready = [name for name in names if not open_edges[name]]
    done: set[str] = set()
    while len(done) < len(names):
        name = ready.pop(0) if ready else next(name for name in names if name not in done)
        if name in done:
            continue
        done.add(name)
        yield name
        for target in after[name]:
            open_edges[target] -= 1
            if open_edges[target] == 0:
                ready.append(target)


def _lines(placed: Mapping[str, Placed], edges: Sequence[Edge]) -> Iterable[Markup]:
    """Down the lane of the source, round the corner, along the row of the target."""
    shape = Markup('<path class="edge {}" d="M{:g} {:g}V{:g}q0 5 5 5H{:g}"/>')
    for edge in sorted({(edge.source, edge.target) for edge in edges}):
        source, target = placed.get(edge[0]), placed.get(edge[1])
        if source and target and source.y < target.y and source.x < target.x:
            yield shape.format(_style(source.node), source.x, source.y, target.y - 5, target.x - 5)


def _mark(item: Placed) -> Markup:
    node = item.node
    verdict = node.verdict.value.lower() if node.verdict else "not judged by itself"
    told = "\n".join([clean(node.label), f"{node.kind}, {verdict}", *([clean(node.digest)] if node.digest else [])])
    if node.kind == "stage":
        shape = Markup('<rect class="{}" x="{:g}" y="{:g}" width="11" height="11" rx="2"/>')
        mark = shape.format(_style(node), item.x - 5.5, item.y - 5.5)
    else:
        mark = Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="4.5"/>').format(_style(node), item.x, item.y)
    text = Markup('<text class="{}" x="{:g}" y="{:g}">{}</text>').format(node.kind, item.x + 12, item.y + 4, item.label)
    return Markup("<g><title>{}</title>{}{}</g>").format(told, mark, text)


def _style(node: Node) -> str:
    return f"is-{node.verdict.name.lower()}" if node.verdict else f"is-{node.kind}"


def _width(text: str) -> int:
    """Columns of a monospaced type; wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
