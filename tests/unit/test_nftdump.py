"""The digest of a dump, recorded with what nft was given (recorded/nft_table.json): what must not matter does not."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from netcompose.agent.kernel import nftdump
from netcompose.agent.kernel.netlink import attr, attr_text, nested
from netcompose.agent.kernel.nftdump import Dump, digested

RECORDED = json.loads((Path(__file__).parent / "recorded" / "nft_table.json").read_text())
TABLE, CHAIN, RULE, SET, OBJECT, FLOWTABLE = (10 << 8 | kind for kind in (1, 4, 7, 10, 19, 23))
#: What is left out of each kind: (the question that it answers, attribute), by the numbers of nf_tables.h.
LEFT_OUT = {
    *((TABLE, 3), (TABLE, 4), (CHAIN, 2), (CHAIN, 6), (RULE, 3), (RULE, 6), (SET, 16), (SET, 19), (SET, 20)),
    *((OBJECT, 5), (OBJECT, 6), (FLOWTABLE, 4), (FLOWTABLE, 5)),
}
#: Offset of the first attribute in a message: behind struct nfgenmsg.
HEAD = 4


@pytest.fixture
def dump() -> Dump:
    return Dump(
        [(kind, [bytes.fromhex(message) for message in messages]) for kind, messages in RECORDED["objects"]],
        [
            (bytes.fromhex(which), [bytes.fromhex(message) for message in messages])
            for which, messages in RECORDED["elements"]
        ],
    )


def of_all(dump: Dump, change: Callable[[bytes], bytes]) -> Dump:
    """Every message changed."""
    return Dump(
        [(kind, [change(message) for message in messages]) for kind, messages in dump.objects],
        [(which, [change(message) for message in messages]) for which, messages in dump.elements],
    )


def of_kind(dump: Dump, kind: int, change: Callable[[Sequence[bytes]], Sequence[bytes]]) -> Dump:
    """The messages of one kind changed."""
    return dump._replace(objects=[(k, change(m) if k == kind else m) for k, m in dump.objects])


def with_number(message: bytes, kind: int, number: int) -> bytes:
    """A message with this number in the place of an attribute's; it has to have it."""
    for found, start, end in nftdump._attributes(message, HEAD):
        if found == kind:
            return message[: start + 4] + number.to_bytes(end - start - 4, "big") + message[end:]
    raise AssertionError(f"no attribute {kind}")


def repacked(dump: Dump, arrange: Callable[[list[bytes]], list[list[bytes]]]) -> Dump:
    """The elements of each set distributed anew over messages."""
    elements = []
    for which, messages in dump.elements:
        head = messages[0][: messages[0].index(which) + len(which)]
        listed = [element for message in messages for element in nftdump._listed(message)]
        elements.append((which, [head + nested(3, *some) for some in arrange(listed)]))
    return dump._replace(elements=elements)


def test_the_same_is_the_same(dump: Dump) -> None:
    assert digested(dump) == digested(of_all(dump, bytes))
    assert sum(len(nftdump._listed(message)) for _, messages in dump.elements for message in messages) == 13


def test_the_generation_in_each_message_does_not_matter(dump: Dump) -> None:
    assert digested(of_all(dump, lambda message: message[:2] + b"\x12\x34" + message[4:])) == digested(dump)


@pytest.mark.parametrize(
    ("kind", "attribute"), sorted(LEFT_OUT - {(RULE, 6), (SET, 19), (FLOWTABLE, 4), (FLOWTABLE, 5)})
)
def test_handles_and_counts_of_uses_do_not_matter(dump: Dump, kind: int, attribute: int) -> None:
    changed = of_kind(dump, kind, lambda messages: [with_number(message, attribute, 77) for message in messages])
    assert changed != dump
    assert digested(changed) == digested(dump)


def test_the_rule_before_is_told_by_the_order_alone(dump: Dump) -> None:
    position = attr(6, struct.pack("!Q", 99))
    assert digested(of_kind(dump, RULE, lambda rules: [rule + position for rule in rules])) == digested(dump)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda elements: [elements[::-1]],
        lambda elements: [random.Random(3).sample(elements, len(elements))],
        lambda elements: [[element] for element in elements],
        lambda elements: [elements + elements[:1]],
        lambda elements: [elements, elements[::-1]],
    ],
    ids=["backwards", "in any order", "a message each", "one twice", "all twice"],
)
def test_the_order_of_elements_does_not_matter(dump: Dump, arrange: Callable[[list[bytes]], list[list[bytes]]]) -> None:
    assert digested(repacked(dump, arrange)) == digested(dump)


def test_an_element_more_or_less_matters(dump: Dump) -> None:
    assert digested(repacked(dump, lambda elements: [elements[1:]])) != digested(dump)
    more = struct.pack("=HH", 8, 0x8001) + b"\0\0\0\0"
    assert digested(repacked(dump, lambda elements: [[*elements, more]])) != digested(dump)


@pytest.mark.parametrize("kind", [CHAIN, RULE, SET])
def test_the_order_of_objects_and_their_number_matter(dump: Dump, kind: int) -> None:
    for change in (
        lambda messages: messages[::-1],
        lambda messages: messages[1:],
        lambda messages: [*messages, *messages],
    ):
        assert digested(of_kind(dump, kind, change)) != digested(dump)


def test_an_element_in_another_set_matters(dump: Dump) -> None:
    (one, first), (other, second), *rest = dump.elements
    assert digested(dump._replace(elements=[(one, second), (other, first), *rest])) != digested(dump)
    assert digested(dump._replace(elements=[(other, first), (one, second), *rest])) != digested(dump)


def test_an_object_of_another_kind_matters(dump: Dump) -> None:
    """A counter and a set of the same bytes are not the same."""
    (seen,) = dict(dump.objects)[OBJECT]
    # Where no attribute of either is left out.
    seen = seen[: HEAD + len(attr_text(1, "recorded"))]
    dump = of_kind(dump, OBJECT, lambda _: [seen])
    moved = of_kind(of_kind(dump, OBJECT, lambda _: []), FLOWTABLE, lambda _: [seen])
    assert digested(moved) != digested(dump)


def test_every_other_byte_matters(dump: Dump) -> None:
    """In what is digested: that of any attribute that is not left out, its length and its padding."""
    before = digested(dump)
    for place, (kind, messages) in enumerate(dump.objects):
        for number, message in enumerate(messages):
            left_out = {
                byte
                for found, start, end in nftdump._attributes(message, HEAD)
                if (kind, found) in LEFT_OUT
                for byte in range(start, end)
            }
            for byte in set(range(HEAD, len(message))) - left_out:
                changed = [list(item) for _, item in dump.objects]
                changed[place][number] = flipped(message, byte)
                objects = [(kind, item) for (kind, _), item in zip(dump.objects, changed, strict=True)]
                assert differs(dump._replace(objects=objects), before), (kind, number, byte)


def test_every_byte_of_an_element_matters(dump: Dump) -> None:
    before = digested(dump)
    for place, (which, messages) in enumerate(dump.elements):
        for number, message in enumerate(messages):
            # The list's own header, the table's and the set's name come first.
            for byte in range(message.index(which) + len(which) + 4, len(message)):
                changed = list(messages)
                changed[number] = flipped(message, byte)
                elements = list(dump.elements)
                elements[place] = (which, changed)
                assert differs(dump._replace(elements=elements), before), (which, byte)


def flipped(message: bytes, byte: int) -> bytes:
    return message[:byte] + bytes([message[byte] ^ 1]) + message[byte + 1 :]


def differs(dump: Dump, before: bytes) -> bool:
    try:
        return digested(dump) != before
    except ValueError:
        # Its lengths make no sense any more: nft is asked.
        return True


def test_what_is_cut_off_has_no_digest(dump: Dump) -> None:
    for kind in (CHAIN, RULE, SET, OBJECT):
        with pytest.raises((ValueError, struct.error)):
            digested(of_kind(dump, kind, lambda messages: [message[:-5] for message in messages]))


def test_only_what_is_of_the_table_counts(dump: Dump) -> None:
    chains = list(dict(dump.objects)[CHAIN])
    table, longer, shorter = (attr_text(1, name) for name in ("recorded", "recorded2", "record"))
    others = [chain.replace(table, name, 1) for chain in chains for name in (longer, shorter)]
    assert nftdump.of_table(table, [others[0], *chains, *others]) == chains
    assert nftdump.of_table(table, others) == []


def test_what_does_not_say_first_whose_it_is_is_not_understood(dump: Dump) -> None:
    """An unknown kernel's messages are never taken for those of other tables, nor its elements for none."""
    table = attr_text(1, "recorded")
    for _, messages in dump.objects[1:]:
        for message in messages:
            turned = message[:HEAD] + message[HEAD + len(table) :] + table
            with pytest.raises(ValueError, match="begin"):
                nftdump.of_table(table, [turned])
    with pytest.raises(ValueError, match="without elements"):
        digested(dump._replace(elements=[(dump.elements[0][0], [dump.elements[0][1][0][: HEAD + len(table)]])]))
