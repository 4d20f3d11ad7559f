import json
import re
from dataclasses import replace

from netcompose.resources.way import Way
from netcompose.views.matrix import differing, matrix_json, matrix_markdown, matrix_text


def ways(names: list[str], reaches: object = lambda a, b: True, families: tuple[int, ...] = (4, 6)) -> list[Way]:
    """Every pair in every way, measured as promised."""
    return [
        Way(a, b, how, family, reaches(a, b), reaches(a, b))  # type: ignore[operator]
        for a in names
        for b in names
        if a != b
        for how in ("address", "name")
        for family in families
    ]


def with_measured(found: list[Way], source: str, target: str, measured: bool, **only: object) -> list[Way]:
    return [
        replace(c, measured=measured)
        if (c.source, c.target) == (source, target) and all(getattr(c, k) == v for k, v in only.items())
        else c
        for c in found
    ]


def test_a_small_grid() -> None:
    text = matrix_text(ways(["r1", "r2", "db"], lambda a, b: "db" not in (a, b)))
    assert text == (
        "     1 2 3\n"
        "1 db   . .\n"
        "2 r1 .   +\n"
        "3 r2 . +\n"
        "\n"
        "  + reaches, as promised\n"
        "  . does not reach, as promised\n"
        "\n"
        "24 measurements, all as the topology promises.\n"
    )


def test_differences_are_in_the_grid_and_in_words() -> None:
    found = with_measured(ways(["a", "b", "c"]), "a", "b", False, how="name")
    found = with_measured(found, "a", "c", False, how="address", family=6)
    found = [replace(c, promised=False) if (c.source, c.target) == ("c", "b") else c for c in found]
    text = matrix_text(found)
    assert "1 a   ! !\n" in text
    assert "3 c + ?\n" in text
    assert (
        "7 differences from what the topology promises:\n"
        "  a does not reach b by name over IPv4 and IPv6, although it is promised\n"
        "  a does not reach c by address over IPv6, although it is promised\n"
        "  c reaches b by address over IPv4 and IPv6 and by name over IPv4 and IPv6, although it is not promised\n"
    ) in text
    assert len(differing(found)) == 7


def test_a_loss_is_not_hidden_by_an_unpromised_success() -> None:
    found = [Way("a", "b", "address", 4, True, False), Way("a", "b", "name", 4, False, True)]
    assert "1 a   !\n" in matrix_text(found)


def test_ways_that_differ_as_promised_are_listed() -> None:
    found = [
        replace(c, promised=False, measured=False) if c.family == 6 and "c" in (c.source, c.target) else c
        for c in ways(["a", "b", "c"])
    ]
    text = matrix_text(found)
    assert "1 a   + o\n" in text
    assert "  o reaches in some ways, as promised (listed below)\n" in text
    assert "only by address over IPv4 and by name over IPv4: a, b -> c\n" in text
    assert "only by address over IPv4 and by name over IPv4: c -> a, b\n" in text


def test_reached_by_address_without_a_name_has_its_own_symbol() -> None:
    found = [replace(c, promised=c.how == "address", measured=c.how == "address") for c in ways(["a", "b"])]
    text = matrix_text(found)
    assert text.startswith("    1 2\n1 a   a\n2 b a\n\n  a reaches by address, has no name for it, as promised\n")
    assert "only by" not in text
    only4 = [replace(c, promised=False, measured=False) if c.family == 6 else c for c in found]
    assert "1 a   o\n" in matrix_text(only4), "by address, but over one family only"


def test_sixteen_containers_have_a_row_each() -> None:
    names = [f"container{i}" for i in range(1, 17)]
    lines = matrix_text(ways(names, lambda a, b: a != "container7", (4,))).split("\n")
    assert all(len(line) <= 100 for line in lines)
    assert lines[7] == " 7 container7 " + "  ." * 6 + "   " + "  ." * 9
    assert len(lines) == 1 + 16 + 6


def test_thirty_containers_are_a_small_grid_and_one_that_differs_stands_alone() -> None:
    found = ways([*(f"pc{i}" for i in range(1, 29)), "core1", "core2"], lambda a, b: "core2" not in (a, b), (4,))
    text = matrix_text(with_measured(found, "pc3", "core1", False, how="name"))
    assert text.startswith(
        "               1 2 3 4\n"
        "1 core1          . + +\n"
        "2 core2        .   . .\n"
        "3 pc[1-2,4-28] + . + +\n"
        "4 pc3          ! . +\n"
    )


def test_more_are_folded_to_those_that_behave_alike() -> None:
    red, blue = [f"red{i}" for i in range(1, 31)], [f"blue{i}" for i in range(1, 31)]
    names = [*red, *blue, "router"]
    text = matrix_text(ways(names, lambda a, b: "router" in (a, b) or a[0] == b[0], (4,)))
    assert "1 blue[1-30] + . +\n2 red[1-30]  . + +\n3 router     + +\n" in text
    wrong = with_measured(ways(names, lambda a, b: True, (4,)), "red7", "blue3", False)
    text = matrix_text(wrong)
    assert "red7" in text.split("\n\n")[0]
    assert "red7 does not reach blue3 by address over IPv4 and by name over IPv4" in text


def test_many_that_all_reach_each_other_are_a_sentence() -> None:
    text = matrix_text(ways([f"web{i}" for i in range(1, 41)], families=(4,)))
    assert text.startswith("40 containers, each to each other: reaches, as promised\n  web[1-40]\n")


def test_a_pair_that_was_not_measured_is_blank() -> None:
    assert matrix_text([Way("a", "b", "address", 4, True, True)]).startswith("    1 2\n1 a   +\n2 b\n")
    assert matrix_text([]).startswith("Nothing to measure")


def test_json_has_the_cells_and_the_differences() -> None:
    found = with_measured(ways(["a", "b"], families=(4,)), "a", "b", False, how="name")
    data = json.loads(matrix_json(list(reversed(found))))
    assert len(data["cells"]) == 4
    assert data["differences"] == [
        {"source": "a", "target": "b", "how": "name", "family": 4, "promised": True, "measured": False}
    ]
    assert matrix_json(found) == matrix_json(list(reversed(found)))


def test_markdown_is_a_table_with_differences_as_a_list() -> None:
    good = ways(["a", "b"])
    text = matrix_markdown(good)
    assert "| from \\ to | 1 | 2 |\n|---|:-:|:-:|\n| 1 a |   | `+` |\n| 2 b | `+` |   |\n" in text
    assert "8 measurements, all as the topology promises." in text
    text = matrix_markdown(with_measured(good, "a", "b", False))
    assert "| 1 a |   | `!` |" in text
    assert "- a does not reach b by address over IPv4" in text


def test_colour_adds_nothing_to_read() -> None:
    found = with_measured(ways(["a", "b"]), "a", "b", False)
    assert re.sub("\x1b\\[[0-9;]*m", "", matrix_text(found, colour=True)) == matrix_text(found)
    assert "\x1b[31m!\x1b[0m" in matrix_text(found, colour=True)
