import dataclasses
import re

import pytest
from plan_samples import by_id, changed, demo, interface, many, namespace, plan, process, rebuilt

from netcompose.planner.plan import Difference, Plan
from netcompose.resources import File
from netcompose.views.differences import difference_lines, value_text
from netcompose.views.plan_text import plan_text
from netcompose.views.terminal import Paint

EVERYTHING = """\
demo: 3 to delete, 1 to replace, 3 to update, 2 to create

Removed or replaced:
  -   local/interface/old.eth0  it is not in the topology
  -   local/leftover/web1/tmp0  left half-made by an interrupted run
  -   local/namespace/old  it is not in the topology
  -/+ local/process/web1

Who notices:
  outage: web1

~ local/file/web1/hosts
    content:
        127.0.0.1       localhost
      - 172.18.0.2      web1
      + 172.18.0.9      web1
        172.18.0.3      web2
      + 172.18.0.4      web3

~ local/interface/web1.eth0
    end.mtu: 1500 -> 9000
    end.addresses:
      - 172.18.0.2/16
      + 172.18.0.9/16
    peer.mtu: 1500 -> 9000
    blip for web1 (connections from a removed address end)

~ local/namespace/web2
    sysctls.net.ipv4.conf.all.rp_filter: (unset) -> 2
    sysctls.net.ipv4.ip_forward: 1 -> 0

+ local/namespace/web3
    netns demo-web3
+ local/interface/web3.eth0
    end: namespace web3; name eth0; mac 02:00:00:00:01:03; addresses 172.18.0.4/16, fd00:18::3/64;
         routes default via 172.18.0.1
    peer: name nc3; mac 02:00:00:00:02:01; master bridge/mynet1

-/+ local/process/web1
    command:  (forces replacement: a process runs what it was started with)
      - python3 -m http.server 80
      + sleep '1 day'
    environment.EXTRA: (unset) -> (secret)  (forces replacement: a process keeps its environment)
    environment.PASSWORD: (secret) -> (secret)  (forces replacement: a process keeps its environment)
    environment.TOKEN: (secret) -> (unset)  (forces replacement: a process keeps its environment)
    outage for web1 (it is made anew)
"""


def test_one_plan_with_everything() -> None:
    assert plan_text(changed()) == EVERYTHING


def test_an_empty_plan_is_one_sentence() -> None:
    assert plan_text(plan(demo(), demo()), file="lab.yaml") == "No changes: the live state is as lab.yaml says.\n"


def test_what_follows_a_replacement_says_why() -> None:
    text = plan_text(rebuilt())
    assert (
        "-/+ local/bridge/mynet1\n    name: ncb0 -> ncb1  (forces replacement: the bridge has another name)\n" in text
    )
    assert (
        "~ local/interface/web1.eth0  bridge/mynet1 is replaced\n    peer.master: bridge/mynet1 (set again)\n" in text
    )
    assert "  outage: web1, web2\n" in text


def test_many_alike_new_objects_are_one_line_each_kind() -> None:
    text = plan_text(plan(many(1000)))
    assert "+ 1000 x namespace on local\n    namespace/web[1-1000]\n" in text
    assert "+ 1000 x veth on local\n    interface/web[1-1000].eth0\n" in text
    assert text.count("\n") < 15
    assert "interface/web517.eth0" in plan_text(plan(many(1000)), full=True)


def test_twenty_new_objects_are_shown() -> None:
    assert "local/namespace/web20\n" in plan_text(plan(many(20)))
    assert "21 x namespace" in plan_text(plan(many(21)))


def test_updates_and_removals_are_never_folded() -> None:
    before = many(30)
    after = {**before, **by_id(*(interface(f"web{i}", i, mtu=9000) for i in range(1, 31)))}
    text = plan_text(plan(after, before))
    assert all(f"~ local/interface/web{i}.eth0\n    end.mtu: 1500 -> 9000\n" in text for i in range(1, 31))
    text = plan_text(plan({}, before))
    assert all(f"  -   local/namespace/web{i}  " in text for i in range(1, 31))


def test_problems_come_first() -> None:
    text = plan_text(plan(demo(), foreign={"netdev:/ncb0": "an interface that netcompose did not make"}))
    assert text.startswith(
        "This plan cannot be applied: 1 problem.\n\n"
        "local/bridge/mynet1: /ncb0 is taken: an interface that netcompose did not make\n  hint: rename it"
    )


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("which", [changed, rebuilt, lambda: plan(demo()), lambda: plan({}, demo())])
def test_no_secret_is_ever_shown(which: object, full: bool) -> None:
    text = plan_text(which(), full=full)  # type: ignore[operator]
    assert not [secret for secret in ("hunter2", "t0psecret", "changed") if secret in text]


def test_an_undeclared_flag_does_not_uncover_a_declared_secret() -> None:
    made = changed()
    careless = [
        dataclasses.replace(c, differences=tuple(dataclasses.replace(d, secret=False) for d in c.differences))
        for c in made.changes
    ]
    assert "hunter2" not in plan_text(dataclasses.replace(made, changes=tuple(careless)))


def test_a_flag_covers_what_no_declaration_does() -> None:
    (change,) = (c for c in changed().changes if c.kind == "process")
    flagged = Difference("hostname", "hunter2", "hunter3", secret=True)
    assert difference_lines(change, flagged, Paint(False)) == ["hostname: (secret) -> (secret)"]


def test_a_secret_mapping_shows_which_variables_differ() -> None:
    (change,) = (c for c in changed().changes if c.kind == "process")
    whole = Difference("environment", {"A": "x", "B": "y", "C": "z"}, {"B": "other", "C": "z", "D": "w"}, secret=True)
    (line,) = difference_lines(change, whole, Paint(False))
    assert line.startswith("environment: - A, ~ B, + D (secret)")


def test_colour_adds_nothing_to_read() -> None:
    coloured = plan_text(changed(), colour=True)
    assert "\x1b[" in coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == EVERYTHING


def test_hostile_live_values_cannot_move_the_cursor() -> None:
    live = by_id(interface("web1", 1, name="e\x1b[2J"), namespace("web1"))
    assert "\x1b" not in plan_text(plan(by_id(interface("web1", 1), namespace("web1")), live))


def test_lines_fit_a_terminal_where_the_values_do() -> None:
    for made in (changed(), rebuilt(), plan(demo()), plan(many(20))):
        assert all(len(line) <= 100 for line in plan_text(made).split("\n") if "forces replacement" not in line)


def test_a_long_text_is_cut_unless_all_is_asked_for() -> None:
    lines = "".join(f"10.0.0.{i} web{i}\n" for i in range(200))
    file = File(id="file/web1/hosts", container="web1", path="/x", content="a\n")
    made = plan(by_id(dataclasses.replace(file, content=lines)), by_id(file))
    assert "... and 161 more lines" in plan_text(made)
    assert "10.0.0.199 web199" in plan_text(made, full=True)


def test_a_moved_object_is_no_replacement() -> None:
    live, wanted = interface("web1", 1), interface("web1", 1, name="lan0")
    wanted = dataclasses.replace(wanted, id="interface/web1.lan0")
    made = plan(by_id(wanted), by_id(live), moved={wanted.id: live.id})
    assert "~ local/interface/web1.lan0\n    end.name: eth0 -> lan0\n" in plan_text(made)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(unset)"),
        (True, "yes"),
        ("", '""'),
        (" x", '" x"'),
        ([], "(none)"),
        ([["ip", "link"], ["echo", "a b"]], "ip link; echo 'a b'"),
        ([{"to": "::/0", "via": "fd00::1", "metric": 5}], "default via fd00::1 metric 5"),
        ([{"to": "10.0.0.0/8", "via": "", "metric": 0}], "10.0.0.0/8 on-link"),
        ({"b": 1, "a": "x"}, "a=x, b=1"),
        (9.5, "9.5"),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert value_text(value) == text


def test_reordered_lists_and_mappings() -> None:
    (change,) = (c for c in changed().changes if c.kind == "veth" and c.actions == ("update",))

    def lines(before: object, after: object) -> list[str]:
        return difference_lines(change, Difference("end.x", before, after), Paint(False))

    assert lines(["a", "b"], ["b", "a"]) == ["end.x: a, b -> b, a"]
    assert lines(["a"], ["b"]) == ["end.x: a -> b"]
    assert lines(["a", "b"], ["b", "c"]) == ["end.x:", "  - a", "  + c"]
    assert lines({"k": 1, "same": 0}, {"k": 2, "new": 3, "same": 0}) == ["end.x.k: 1 -> 2", "end.x.new: (unset) -> 3"]
    assert lines("a\n", "a") == ["end.x:", "  ~ only the line ends differ"]


def test_an_empty_topology_with_nothing_to_do() -> None:
    assert plan_text(Plan("x", ())) == "No changes: the live state is as topology.yaml says.\n"


def test_a_new_process_says_what_it_runs() -> None:
    text = plan_text(plan(by_id(process("web1", user="nobody"))))
    assert "command python3 -m http.server 80; namespace web1; netns demo-web1;\n" in text
    assert "environment PASSWORD=(secret), TOKEN=(secret); user nobody; hostname web1\n" in text
