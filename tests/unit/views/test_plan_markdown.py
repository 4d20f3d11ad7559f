import re

from plan_samples import by_id, changed, demo, interface, many, namespace, plan, rebuilt

from netcompose.views.plan_markdown import code, escape, plan_markdown


def test_counts_and_removals_come_first_and_details_are_folded() -> None:
    text = plan_markdown(changed())
    head, _, details = text.partition("<details>")
    assert "| delete | replace | update | create |\n|---:|---:|---:|---:|\n| 3 | 1 | 3 | 2 |\n" in head
    assert "- `-` `local/namespace/old` it is not in the topology\n" in head
    assert "- outage: web1\n" in head
    assert details.count("<summary>") == 3
    assert text.count("<details>") == text.count("</details>") == 3
    assert "    end.mtu: 1500 -> 9000\n" in details


def test_an_empty_plan() -> None:
    text = plan_markdown(plan(demo(), demo()), file="lab.yaml")
    assert text == "### netcompose plan: demo\n\nNo changes: the live state is as `lab.yaml` says.\n"


def test_no_secret_is_shown() -> None:
    for made in (changed(), rebuilt(), plan(demo()), plan({}, demo())):
        assert not re.search("hunter2|t0psecret", plan_markdown(made))


def test_a_huge_plan_fits_a_comment() -> None:
    before = many(800)
    after = {**before, **by_id(*(interface(f"web{i}", i, mtu=9000) for i in range(1, 801)))}
    grown, taken_down = plan(after, before), plan({}, before)
    for made in (grown, taken_down, plan(many(1500))):
        text = plan_markdown(made, full=True)
        assert len(text) <= 60_000
        assert text.count("<details>") == text.count("</details>")
    assert "left out for length" in plan_markdown(grown)
    assert "Cut here: 1601 to delete in all." in plan_markdown(taken_down, limit=5_000)


def test_problems_are_shown() -> None:
    text = plan_markdown(plan(demo(), foreign={"netdev:/ncb0": "made by *someone* else"}))
    assert "**This plan cannot be applied: 1 problem.**" in text
    assert "- `local/bridge/mynet1`: /ncb0 is taken: made by \\*someone\\* else *Hint: " in text


def test_values_cannot_leave_their_fence_or_become_markup() -> None:
    live = by_id(interface("web1", 1, name="```</details>"), namespace("web1"))
    text = plan_markdown(plan(by_id(interface("web1", 1), namespace("web1")), live))
    assert "````diff\n" in text
    assert text.rstrip().endswith("````\n\n</details>")
    assert escape("<b> @all [x](y) a_b") == "\\<b\\> &#64;all \\[x\\]\\(y\\) a\\_b"
    assert code("a`b") == "``a`b``"
    assert code("`") == "`` ` ``"
