"""From raw data to package: what was made from what."""

import json
from pathlib import Path

from stagewise.review.pipeline import Pipeline, within
from stagewise.review.record import Edge, Node, Stage


def graph(pipeline: Pipeline, stages: list[Stage], reproduced: Path) -> tuple[list[Node], list[Edge]]:
    """The nodes and edges of the provenance graph; the resolved files of build/ are left out, they are the stages'.

    Args:
        stages: the verdicts.
        reproduced: the checkout in which the chain ran.
    """
    verdicts = {stage.name: stage.verdict for stage in stages}
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []

    def add(node: Node) -> str:
        nodes.setdefault(node.id, node)
        return node.id

    for stage in pipeline.stages:
        name = add(
            Node(
                id=f"stage {stage.name}", kind="stage", label=stage.name, digest=None, verdict=verdicts.get(stage.name)
            )
        )
        for dep in stage.deps:
            if dep.startswith("build/"):
                continue
            out = next((out for other in pipeline.stages for out in other.outs if within(dep, out.path)), None)
            kind, path, digest = ("output", out.path, out.md5) if out else ("file", dep, None)
            source = Node.model_validate({"id": path, "kind": kind, "label": path, "digest": digest, "verdict": None})
            edges.append(Edge(source=add(source), target=name))
        if any(path.startswith("build/") for path in stage.params) and "configure" in verdicts:
            edges.append(Edge(source="stage configure", target=name))
        for out in stage.outs:
            if not out.path.startswith("build/"):
                made = Node(
                    id=out.path, kind="output", label=out.path, digest=out.md5, verdict=verdicts.get(stage.name)
                )
                nodes[made.id] = made
                edges.append(Edge(source=name, target=made.id))
        for source in _sources([out.path for out in stage.outs], reproduced):
            edges.append(Edge(source=add(source), target=name))
    unique = dict.fromkeys((edge.source, edge.target) for edge in edges)
    return list(nodes.values()), [Edge(source=source, target=target) for source, target in unique]


def _sources(outs: list[str], project: Path) -> list[Node]:
    """The raw files that an ingest stage fetched, as its ingest.json lists them."""
    found = []
    for out in outs:
        file = project / out / "ingest.json"
        try:
            listed = json.loads(file.read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for item in listed[:20]:
            address = next(iter(item.get("urls") or []), item.get("name", ""))
            found.append(
                Node(id=f"source {address}", kind="source", label=str(address), digest=item.get("sha256"), verdict=None)
            )
    return found
