import json

from netcompose.errors import Locked, PlanRefused, TopologyError
from netcompose.planner.plan import PlanProblem
from netcompose.topology.source import Position, Problem
from netcompose.views.problems import error_text, problems_json, problems_text


def problem(text: str, column: int, *, line: int = 12, hint: str = "") -> Problem:
    return Problem("unknown key 'adress'", Position("topology.yaml", line, column, text), hint, ("networks", 0))


def test_a_problem_shows_its_line_and_what_to_do() -> None:
    text = problems_text([problem("      adress: 10.0.0.1", 7, hint="did you mean 'address'?")])
    assert text == (
        "topology.yaml:12:7: unknown key 'adress'\n"
        "  12 |       adress: 10.0.0.1\n"
        "     |       ^^^^^^\n"
        "  hint: did you mean 'address'?\n"
        "\n"
        "1 problem in topology.yaml\n"
    )


def test_no_block_has_a_blank_line_and_the_count_is_last() -> None:
    text = problems_text([problem("a: 1", 1), problem("", 1), Problem("no place", None)])
    blocks = text.rstrip("\n").split("\n\n")
    assert len(blocks) == 4
    assert blocks[1:] == ["topology.yaml:12:1: unknown key 'adress'", "no place", "3 problems in topology.yaml"]


def caret(text: str, column: int) -> str:
    """What the caret underlines."""
    shown, below = problems_text([problem(text, column)]).split("\n")[1:3]
    return shown[below.index("^") : below.rindex("^") + 1]


def test_the_caret_is_below_the_value() -> None:
    assert caret("a: [10.0.0.1/24, b]", 5) == "10.0.0.1/24"
    assert caret("ipv6: fd00::1, x", 7) == "fd00::1"
    assert caret("web1: {x: 1}", 1) == "web1"
    assert caret('  - "web1:eth0" # x', 5) == '"web1:eth0"'
    assert caret("\tkey: 1", 2) == "key"
    assert caret("a" * 300 + " wrong " + "b" * 300, 302) == "wrong"


def test_a_long_line_is_cut_on_the_side_that_is_left_out() -> None:
    def shown(text: str, column: int) -> str:
        return problems_text([problem(text, column)]).split("\n")[1].partition("| ")[2]

    first, middle, last = (
        shown("wrong " + "b" * 300, 1),
        shown("a" * 300 + " wrong " + "b" * 300, 302),
        shown("a" * 300, 300),
    )
    assert (first.startswith("wrong"), first.endswith("b...")) == (True, True)
    assert (middle.startswith("...a"), middle.endswith("b...")) == (True, True)
    assert (last.startswith("...a"), last.endswith("aa")) == (True, True)


def test_a_column_behind_the_line_and_an_open_quote_are_harmless() -> None:
    assert "^" in problems_text([problem("key:", 99)])
    assert caret('a: "open', 4) == '"open'


def test_wide_characters_before_the_value_move_the_caret() -> None:
    below = problems_text([problem("中中: wrong", 5)]).split("\n")[2]
    assert below == "     |       ^^^^^"


def test_a_hostile_line_cannot_move_the_cursor() -> None:
    assert "\x1b" not in problems_text([problem("a: \x1b[2Jx", 4)])


def test_colour_adds_nothing_to_read() -> None:
    import re

    problems = [problem("a: 1", 1, hint="x")]
    coloured = problems_text(problems, colour=True)
    assert coloured != problems_text(problems)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == problems_text(problems)


def test_problems_as_json() -> None:
    found = json.loads(problems_json([problem("a: 1", 3, hint="h"), Problem("no place")]))
    assert found == [
        {"message": "unknown key 'adress'", "hint": "h", "path": ["networks", 0]}
        | {"file": "topology.yaml", "line": 12, "column": 3},
        {"message": "no place", "hint": "", "path": []},
    ]


def test_errors_say_what_and_what_to_do() -> None:
    error = Locked("server4 is locked by root@x (pid 7)\nsince 10:00", hint="wait for it")
    text = "error: server4 is locked by root@x (pid 7)\n  since 10:00\nhint: wait for it\n"
    assert error_text(error) == text


def test_a_refused_plan_lists_why() -> None:
    error = PlanRefused([PlanProblem("local/bridge/x", "nc0 is taken", "rename it"), PlanProblem("", "no room")])
    assert error_text(error) == (
        "local/bridge/x: nc0 is taken\n  hint: rename it\nno room\n\n"
        "error: the plan has 2 problems; nothing was changed\n"
    )


def test_an_invalid_topology_shows_its_problems() -> None:
    error = TopologyError([problem("a: 1", 1)])
    assert error_text(error) == problems_text(error.problems)
