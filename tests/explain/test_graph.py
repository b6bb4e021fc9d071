"""What feeds what: rules, the models that they read, and those that read them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from syncfields.explain.drawing import DRAWINGS, columns, dot, mermaid, svg
from syncfields.explain.graph import Edge, Graph, Node, graph
from syncfields.explain.naming import chosen
from syncfields.plan import registry

SVG = "{http://www.w3.org/2000/svg}"


def node(label):
    (found,) = graph(label).nodes
    return found


def test_a_rule_is_fed_by_models_and_by_rules():
    assert node("testapp.Blog.comment_total").fed_by == (
        Edge("testapp.Post", "testapp.Blog.comment_total", ("blog_id",)),
        Edge("testapp.Post.comment_count", "testapp.Blog.comment_total"),
    )


def test_a_rule_feeds_those_that_read_its_field():
    found = node("testapp.Post.comment_count")

    assert found.maintenance == "delta"
    assert {"testapp.Blog.busiest_post", "testapp.Blog.comment_total"} <= set(found.feeds)
    assert node("testapp.Blog.comment_total").feeds == ()


def test_all_rules_are_in_the_whole_graph():
    found = graph()

    assert [each.rule for each in found.nodes] == sorted(
        rule.label for rule in registry.plan().rules
    )
    fed = {(edge.source, edge.rule) for edge in found.edges}
    assert {(n.rule, reader) for n in found.nodes for reader in n.feeds} <= fed


@pytest.mark.parametrize(
    ("labels", "targets", "readers", "sources"),
    [
        (["testapp.Shelf.book_count"], {"Shelf.book_count"}, set(), set()),
        (["TESTAPP.shelf"], {"Shelf.book_count", "Shelf.page_sum"}, set(), set()),
        (
            ["testapp.Dish"],
            {"Dish.place_name"},
            {"Dish.place_name", "Restaurant.dish_count"},
            {"Dish"},
        ),
    ],
)
def test_what_labels_name(labels, targets, readers, sources):
    found = chosen(*labels)

    def names(labels):
        return {each.removeprefix("testapp.") for each in labels}

    assert names(rule.label for rule in found.of_targets) == targets
    assert names(rule.label for rule in found.of_sources) == readers
    assert names(model._meta.label for model in found.sources) == sources


@pytest.mark.parametrize("label", ["testapp.Nothing", "testapp.Book.pages", "nosuchapp"])
def test_what_names_nothing(label):
    with pytest.raises(LookupError, match=label):
        chosen("testapp.Shelf", label)


SMALL = Graph(
    (
        Node("shop.A.n", "delta", (Edge("shop.B", "shop.A.n", ("a_id", "x")),), ("shop.C.n",)),
        Node("shop.C.n", "copy", (Edge("shop.A.n", "shop.C.n"),), ()),
    )
)


def test_mermaid():
    assert list(mermaid(SMALL)) == [
        "flowchart LR",
        '    n0["shop.B"]',
        '    n1(["shop.A.n<br/>delta"])',
        '    n2(["shop.C.n<br/>copy"])',
        '    n0 -->|"a_id, x"| n1',
        "    n1 --> n2",
    ]


def test_dot():
    assert list(dot(SMALL))[2:] == [
        '    "shop.B"',
        '    "shop.A.n" [style=rounded, label="shop.A.n\\ndelta"]',
        '    "shop.C.n" [style=rounded, label="shop.C.n\\ncopy"]',
        '    "shop.B" -> "shop.A.n" [label="a_id, x"]',
        '    "shop.A.n" -> "shop.C.n"',
        "}",
    ]


def test_svg_has_a_box_for_each_and_lines_that_end_at_them():
    tree = ET.fromstring("\n".join(svg(SMALL)))

    boxes = {
        text.text: box
        for box, text in zip(
            tree.iter(f"{SVG}rect"),
            (each for each in tree.iter(f"{SVG}text") if "." in each.text),
            strict=True,
        )
    }
    assert set(boxes) == {"shop.B", "shop.A.n", "shop.C.n"}
    left = {name: int(box.get("x")) for name, box in boxes.items()}
    assert left["shop.B"] < left["shop.A.n"] < left["shop.C.n"]
    assert [path.find(f"{SVG}title").text for path in tree.iter(f"{SVG}path")] == [
        "shop.B: a_id, x",
        "shop.A.n",
    ]


@pytest.mark.parametrize("language", DRAWINGS)
def test_the_zoo_and_nothing_can_be_drawn(language):
    text = "\n".join(DRAWINGS[language](graph()))

    assert all(rule.label in text for rule in registry.plan().rules)
    if language == "svg":
        boxes = [
            (int(box.get("x")), int(box.get("y"))) for box in ET.fromstring(text).iter(f"{SVG}rect")
        ]
        assert len(set(boxes)) == len(boxes)
    assert list(DRAWINGS[language](Graph(())))


def test_columns_follow_the_longest_way():
    assert columns({"a": [], "b": ["a"], "c": ["a", "b"], "d": []}) == [["a", "d"], ["b"], ["c"]]
