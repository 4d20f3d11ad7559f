import pytest

from netcompose.views.terminal import Paint, count, fold_names, natural_key, printable, table, width_of


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["db"], "db"),
        (["web1", "web2"], "web1, web2"),
        (["web10", "web9", "web8", "db"], "db, web[8-10]"),
        ([f"web{i}.eth0" for i in (1, 2, 3, 7, 9, 10)], "web[1-3,7,9-10].eth0"),
        (["web1", "web01", "web2", "web3", "web02", "web03"], "web[01-03], web[1-3]"),
        (["a1b", "a2b", "a3b", "a1c"], "a[1-3]b, a1c"),
    ],
)
def test_names_are_folded_without_loss(names: list[str], folded: str) -> None:
    assert fold_names(names) == folded


def test_what_is_left_out_is_counted() -> None:
    assert fold_names(["a", "b", "web1", "web2", "web3"], most=1) == "a, and 4 more"


def test_control_and_direction_characters_are_escaped() -> None:
    assert printable("a\x1b[31mb\u202ec\nd") == "a\\x1b[31mb\\u202ec\\nd"
    assert printable("Zürich 中") == "Zürich 中"


def test_colour_is_only_there_when_asked_for() -> None:
    assert Paint(False)("x", "red") == "x"
    assert Paint(True)("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert Paint(True)("x") == "x"


def test_a_table_aligns_and_takes_several_lines_in_a_cell() -> None:
    assert table(["A", "LONG"], [["xx", "1\n2"], ["", "3"]]) == "A   LONG\nxx  1\n    2\n    3\n"


def test_numbers_sort_by_value() -> None:
    assert sorted(["web10", "web2", "db"], key=natural_key) == ["db", "web2", "web10"]
    assert sorted(["r2.eth10", "r10.eth1", "r2.eth9"], key=natural_key) == ["r2.eth9", "r2.eth10", "r10.eth1"]
    assert natural_key("web1") != natural_key("web01"), "the order of a set would decide"


def test_counts_have_plurals() -> None:
    assert [count(1, "blip"), count(0, "blip"), count(2, "leaf", "leaves")] == ["1 blip", "0 blips", "2 leaves"]


def test_wide_characters_take_two_columns() -> None:
    assert width_of("a中b") == 4
