"""Tables that fit a terminal."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from syncfields.management.tables import broken, table
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules

HEADING = ("rule", "kept by", "fed by", "feeds")
ROWS = [
    "shop.Order",
    [["  total"], ["delta"], ["shop.Line (price, quantity)", "shop.Tax (rate)"], ["-"]],
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*labels, **options):
    out = Terminal()
    call_command("syncfields", *labels, stdout=out, no_color=True, **options)
    return out.getvalue()


def test_a_table_with_room():
    assert list(table(HEADING, ROWS, 80)) == [
        "rule     kept by  fed by                       feeds",
        "-------  -------  ---------------------------  -----",
        "shop.Order",
        "  total  delta    shop.Line (price, quantity)  -",
        "                  shop.Tax (rate)",
    ]


def test_a_table_without():
    assert list(table(HEADING, ROWS, 40)) == [
        "rule     kept by  fed by           feeds",
        "-------  -------  ---------------  -----",
        "shop.Order",
        "  total  delta    shop.Line        -",
        "                    (price,",
        "                    quantity)",
        "                  shop.Tax (rate)",
    ]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("", [""]),
        ("one two", ["one two"]),
        ("one two three", ["one two", "  three"]),
        ("shop.Customer.spend", ["shop.", "  Customer.", "  spend"]),
        ("incomprehensibilities", ["incomprehensibilities"]),
    ],
)
def test_where_a_line_is_broken(line, parts):
    assert list(broken(line, 9, 2)) == parts


@pytest.mark.parametrize("columns", [90, 120])
def test_every_rule_is_listed_as_wide_as_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = run().splitlines()

    assert [line for line in lines if len(line) > columns] == []
    assert max(map(len, lines)) > columns - 10
    assert lines[-1].startswith(f"{len(registry.plan().rules)} rule(s).")
    fields = {rule.field_name for rule in registry.plan().rules}
    assert fields <= {line.split()[0] for line in lines if line.startswith("  ")}


def test_a_rule_is_listed_with_what_it_has_to_do(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    out = run("testapp.Blog.comment_total")

    assert "testapp.Blog\n  comment_total  delta    testapp.Post (blog_id)      -\n" in out
    assert "testapp.Post.comment_count  -" not in out
    assert "testapp.Blog.comment_total" in run("testapp.Post.comment_count")


def test_a_pipe_gets_whole_lines(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()

    call_command("syncfields", "testapp.Shelf", stdout=out)

    assert "  page_sum    delta    testapp.Book (pages, shelf_id)  -\n" in out.getvalue()


def test_the_list_as_json():
    (rule,) = json.loads(run("testapp.Blog.comment_total", format="json"))["rules"]

    assert rule == {
        "rule": "testapp.Blog.comment_total",
        "maintenance": "delta",
        "fed_by": [
            {
                "source": "testapp.Post",
                "rule": "testapp.Blog.comment_total",
                "columns": ["blog_id"],
            },
            {
                "source": "testapp.Post.comment_count",
                "rule": "testapp.Blog.comment_total",
                "columns": [],
            },
        ],
        "feeds": [],
    }


@pytest.mark.parametrize("explain", [False, True])
def test_where_there_are_no_rules_it_says_how_one_is_declared(explain, monkeypatch):
    monkeypatch.setattr(registry, "_plan", compile_rules([])[0])

    said = run(explain=explain)

    assert said.startswith("No model declares a rule: wrap a field in synced().")
    assert "start" in said


def test_a_picture():
    assert run("testapp.Shelf", graph="mermaid").startswith("flowchart LR\n")
    assert run("testapp.Shelf", graph="svg").startswith("<svg ")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("testapp.shelf.book_cuont", "Did you mean testapp.Shelf.book_count"),
        ("testapp.Shelv", "Did you mean testapp.Shelf"),
        ("tesstapp", r"Did you mean testapp\?$"),
        ("quite.Another.thing", r"Rules: .* more, which manage\.py syncfields lists\.$"),
    ],
)
def test_what_could_have_been_meant_is_said_in_few_words(label, said):
    with pytest.raises(CommandError, match=said) as caught:
        run(label)

    assert len(str(caught.value)) < 600


def test_what_is_called_wrongly():
    with pytest.raises(CommandError, match="nosuchapp"):
        run("nosuchapp")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("syncfields", "--graph", "png")
