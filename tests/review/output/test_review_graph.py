"""The provenance graph: rows, lanes and columns, for true graphs and for any other."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from sample_reviews import differing, empty, hostile, review

from stagewise.review.output.graph import graph_svg, place
from stagewise.review.record import Edge, Node


def node(name: str, label: str | None = None) -> Node:
    return Node(id=name, kind="file", label=name if label is None else label, digest=None, verdict=None)


def edges(text: str) -> list[Edge]:
    return [Edge(source=pair[0], target=pair[1]) for pair in text.split()]


def test_nodes_come_after_what_they_are_made_of():
    made = differing()
    placed = place(made.nodes, made.edges)
    assert len(placed) == len(made.nodes)
    for edge in made.edges:
        assert placed[edge.source].y < placed[edge.target].y
        assert placed[edge.source].x < placed[edge.target].x


def test_columns_are_longest_paths_and_a_late_source_lies_near_its_use():
    placed = place([node(name) for name in "zabcde"], edges("ab bc cd ac zd"))
    assert sorted(placed, key=lambda name: placed[name].y) == ["a", "e", "b", "z", "c", "d"]


@pytest.mark.parametrize("made", [review(), differing(), hostile()], ids=["identical", "differing", "hostile"])
def test_labels_and_lines_do_not_meet_and_stay_inside(made):
    placed = list(place(made.nodes, made.edges).values())
    rows = [item.y for item in placed]
    assert all(below - above >= 20 for above, below in pairwise(rows))
    picture = ET.fromstring(graph_svg(made))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    assert all(item.right <= width and 0 < item.y < height for item in placed)
    paths = [
        re.fullmatch(r"M([\d.]+) ([\d.]+)V([\d.]+)q0 5 5 5H([\d.]+)", path.attrib["d"]) for path in picture.iter("path")
    ]
    assert paths
    for path in paths:
        x, top, bottom, end = map(float, path.groups())
        for item in placed:
            if top < item.y < bottom:  # the lane passes left of every mark between its ends
                assert x <= item.x - 6
            if item.y == bottom + 5:
                assert end < item.x


def test_colours_are_those_of_the_verdicts():
    text = graph_svg(differing())
    assert re.search(r'<rect class="is-differs"[^>]*/><text class="stage"[^>]*>evaluate<', text)
    assert "report.html\noutput, not judged by itself" in text


@pytest.mark.parametrize(
    ("nodes", "links"),
    [
        ("a", ""),
        ("a", "aa"),
        ("ab", "ab ba"),
        ("abc", "ab bc ca"),
        ("abcd", "ab bc cb cd"),
        ("ab", "ax xb ab"),
        ("aab", "ab ab"),
    ],
)
def test_graphs_that_no_pipeline_makes_are_drawn_too(nodes, links):
    placed = place([node(name) for name in nodes], edges(links))
    assert set(placed) == set(nodes)
    assert len({item.y for item in placed.values()}) == len(placed)


def test_a_thousand_nodes_are_placed():
    names = [f"n{number}" for number in range(1000)]
    chain = [Edge(source=a, target=b) for a, b in pairwise(names)]
    assert len(place([node(name) for name in reversed(names)], chain)) == 1000


def test_a_long_label_is_cut_in_its_middle_and_whole_in_its_title():
    name = "reports/" + "x" * 200 + "/metrics.json"
    made = review(nodes=[node("a", name)], edges=[])
    text = graph_svg(made)
    assert f"<title>{name}\n" in text
    assert re.search(r">reports/x+…x+/metrics\.json<", text)


def test_no_graph_is_no_picture():
    assert graph_svg(empty()) == ""
