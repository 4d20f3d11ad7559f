"""Templates: variables and their order, positions in the source, and bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netcompose.errors import TopologyError, UsageError
from netcompose.topology import rendering
from netcompose.topology.load import load_text
from netcompose.topology.sourcetext import SourceText
from netcompose.topology.template import fill, is_template, own_variables


def filled(text: str, timeout: float = 10.0, **variables: str) -> str:
    return fill(SourceText("t.yaml", text), variables=variables, timeout=timeout).text


def first_problem(text: str, timeout: float = 10.0, **variables: str) -> str:
    with pytest.raises(TopologyError) as caught:
        filled(text, timeout, **variables)
    (problem,) = caught.value.problems
    return f"{problem.position.line}:{problem.position.column}: {problem.message} / {problem.hint}"


def test_a_text_without_template_is_itself_and_jinja_is_not_loaded() -> None:
    source = SourceText("t.yaml", "a: {b: 1}\n")
    before = set(sys.modules)
    assert fill(source, variables={}) is source
    assert not any(name.startswith("jinja2") for name in set(sys.modules) - before)
    assert not is_template("a: {b: [1]}")
    assert all(is_template(text) for text in ("{{ a }}", "{% a %}", "{# a #}"))


def test_loading_a_template_leaves_jinja_in_its_own_process() -> None:
    code = (
        "import sys; from netcompose.topology.load import load_text\n"
        "load_text('containers: {w{{ 1 }}: {}}')\n"
        "assert not [m for m in sys.modules if m.startswith(('jinja2', 'jsonschema', 'fastjsonschema'))]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_precedence_of_variables(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("b: one\nc: one\nd: one\n")
    two.write_text("c: two\nd: two\n")
    text = "vars: {a: own, b: own, c: own, d: own}\nx-is: '{{ a }} {{ b }} {{ c }} {{ d }}'\n"
    result = fill(SourceText("t", text), variables={"d": "var"}, vars_files=[str(one), str(two)])
    assert result.text.splitlines()[1] == "x-is: 'own one two var'"


@pytest.mark.parametrize(
    ("written", "shown"),
    [("3", "4"), ("[1, 2]", "2"), ("{a: 1}", "1"), ("'3'", "3"), ("a b: c", "a b: c"), ("true", "True")],
)
def test_variables_of_the_command_line_are_yaml(written: str, shown: str) -> None:
    template = (
        "{% if v is integer %}{{ v + 1 }}{% elif v is sequence and v is not string %}{{ v | length }}{% else %}{{ v }}"
    )
    template += "{% endif %}"
    assert filled(template, v=written) == shown


def test_variables_that_nothing_uses_are_refused() -> None:
    with pytest.raises(UsageError, match="no variable 'spine'") as caught:
        filled("vars: {spines: 2}\n", spine="3")
    assert caught.value.hint == "did you mean 'spines'?"
    assert filled("vars: {spines: 2}\n", spines="3")
    assert filled("{{ spines }}", spines="3") == "3"
    with pytest.raises(UsageError, match="cannot be a variable's name"):
        filled("a", **{"a-b": "1"})
    with pytest.raises(UsageError, match=r"is missing|value was expected"):
        filled("{{ a }}", a="[1")


def test_own_variables_in_every_layout() -> None:
    texts = (
        "vars: {a: 1, b: [x]}\nrest: {{ a }}\n",
        "vars:\n  a: 1\n  # comment\n\n  b:\n  - x\nrest: {{ a }}\n",
        "first: 1\n'vars':\n    a: 1\n    b: [x]\n{% if a %}\nrest: 1\n{% endif %}\n",
        "vars: {\n  a: 1,\n  b: [x]\n}\nrest: {{ a }}\n",
    )
    for text in texts:
        assert own_variables(SourceText("t", text)) == {"a": 1, "b": ["x"]}, text
    assert own_variables(SourceText("t", "a: {vars: 1}\n  vars: 2\n")) == {}
    assert own_variables(SourceText("t", "vars:\nrest: {{ a }}")) == {}


def test_problems_in_own_variables_have_their_line() -> None:
    assert first_problem("a: {{ x }}\nvars:\n  b: 1\n  b: 2\n").startswith("4:3: the key 'b' stands here twice")
    assert first_problem("a: {{ x }}\n\nvars:\n  b: '{% x %}'\n").startswith("4:7: there is a template in 'vars'")


def test_positions_are_those_of_the_source() -> None:
    text = """vars: {names: [a, b]}
{# a comment
   of two lines #}
containers:
{% for name in names %}
  {{ name }}:
    {% if name == "b" %}
    hostname: "{{ name }}"
    {% endif %}
    dns: [nowhere-{{ name }}]
{% endfor %}
  last: {dns: [x]}
"""
    with pytest.raises(TopologyError) as caught:
        load_text(text)
    places = [(p.position.line, p.position.column, p.position.text) for p in caught.value.problems]
    line = "    dns: [nowhere-{{ name }}]"
    assert places == [(10, 11, line), (10, 11, line), (12, 16, "  last: {dns: [x]}")]


def test_markers_do_not_change_what_the_template_sees() -> None:
    text = """{% set block %}
one
{{ 2 }}
{% endset %}
{% macro m(x) %}
[{{ x }}]
{% endmacro %}
{% filter upper %}
low {{ "er" }}
{% endfilter %}
{{ block | length }} {{ block == "one\\n2\\n" }} {{ m(1) | trim }}
"""
    answer = rendering.render(text, {})
    assert answer["text"] == "LOW ER\n6 True [1]\n"
    assert answer["lines"][1] == 11


def test_rendering_without_line_statements_keeps_every_line() -> None:
    text = "a: {{ 1 }}\r\nb: 2\n\nc: {% raw %}{{ x }}{% endraw %} x\n"
    answer = rendering.render(text, {})
    assert answer["text"] == "a: 1\nb: 2\n\nc: {{ x }} x\n"
    assert answer["lines"] == [1, 2, 3, 4, 5]


def test_a_line_is_from_where_it_starts() -> None:
    answer = rendering.render("a: {{ 1 }} {# over\nlines #} # {{ 2 }}\nb: 1\n", {})
    assert answer["text"] == "a: 1  # 2\nb: 1\n"
    assert answer["lines"] == [1, 3, 4]


def test_functions_for_addresses() -> None:
    def shown(expression: str) -> str:
        answer = rendering.render("{{ " + expression + " }}", {})
        return str(answer["text"] if "text" in answer else answer["problem"]["message"])

    assert shown('"10.0.0.0/16" | subnet(8, 3)') == "10.0.3.0/24"
    assert shown('subnet("fd00::/48", 16, 5)') == "fd00:0:0:5::/64"
    assert shown('host("10.0.3.0/24", 1)') == "10.0.3.1"
    assert shown('host("10.0.3.0/24", -2)') == "10.0.3.254"
    assert shown('"10.0.3.0/24" | prefixlen') == "24"
    assert shown('subnet("10.0.0.0/16", 8, 256)') == "10.0.0.0/16 has no subnet number 256 with 8 more bits"
    assert shown('host("10.0.0.0/30", 4)') == "10.0.0.0/30 has no address number 4"
    assert "does not appear to be" in shown('host("nonsense", 4)')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {{ spine }}", "2:7: the variable 'spine' is not defined / did you mean 'spines'?"),
        (
            "b: {{ range(other) }}",
            "1:13: the variable 'other' is not defined / define it under 'vars:', or give it with",
        ),
        ("b: {{ spines.x }}", "1:4: the template uses what is not there"),
        ("b: {{ 1 + }}", "1:4: the template is wrong here"),
        ("{% for %}", "1:1: the template is wrong here"),
        ("a: 1\n{% if spines %}", "2:1: the template is wrong here"),
        ("b: {{ 1 / 0 }}", "1:4: the template is wrong here: division by zero"),
        ("b: {{ 1 | nope }}", "1:4: the template is wrong here: No filter named 'nope'"),
        ("{% import 'x' as y %}", "1:1: a topology cannot include or import other files"),
        ("{% extends 'x' %}", "1:1: a topology cannot include or import other files"),
        ("b: {{ ''.__class__ }}", "1:4: the template does what it may not"),
        ("b: {{ spines.__init__.__globals__ }}", "1:4: the template does what it may not"),
        (
            "b: {{ cycler.__init__ }}",
            "1:4: the template does what it may not: access to attribute '__init__' of '_Undefined'",
        ),
        ("{% for x in range(1000000) %}{% endfor %}", "1:1: the template is wrong here: Range too big"),
        ("{{ 'x' * 10 ** 10 }}", "1:1: the template needs too much memory"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "1:1: a macro of the template calls itself without end"),
        ("{% for x in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", "1:1: the template makes more than 8 MiB of text"),
    ],
)
def test_what_goes_wrong_in_a_template(text: str, said: str) -> None:
    assert first_problem(text, spines="2").startswith(said)


ENDLESS = ["{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}", "{{ 3 ** (10 ** 10) }}"]


@pytest.mark.parametrize("text", ENDLESS)
@pytest.mark.timeout(60)
def test_a_template_that_does_not_end_is_ended(text: str) -> None:
    assert "takes longer than 0.2 seconds" in first_problem(text, timeout=0.2)


def rendering_processes() -> list[str]:
    """The processes that this one has started to render, ended ones that nobody waited for included."""
    argv = ["ps", "--ppid", str(os.getpid()), "-o", "stat,args", "--no-headers"]
    said = subprocess.run(argv, capture_output=True, text=True).stdout
    return [line for line in said.splitlines() if "netcompose.topology.rendering" in line or line.startswith("Z")]


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("rendering_is_started")
def test_the_process_of_a_template_that_does_not_end_is_gone() -> None:
    assert "takes longer than 0.3 seconds" in first_problem(ENDLESS[0], timeout=0.3)
    assert rendering_processes() == []


@pytest.mark.usefixtures("rendering_is_started")
def test_a_file_in_the_current_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert filled("{{ 1 }}") == "1"
