"""nft(8): tables written in one transaction, and read as lines of nft's own language.

What nft prints for people differs between its versions; its JSON (libnftables-json(5)) does not. So a live table is
rendered from the JSON, by the few rules below, to the very lines that the compiler writes. An expression that they
do not know is rendered as its JSON, which no desired line is equal to: it shows as a difference.
"""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional

from netcompose.agent import programs
from netcompose.agent.kernel.nftdump import exists
from netcompose.errors import HostLacks, KernelRefused

Table = Mapping[str, "tuple[str, ...]"]

_TIMEOUT = 60.0
#: /etc/protocols may be missing; nft prints numbers then.
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
#: What a table has beside its parts that is somebody's: ours has no flags, and "dormant" switches all of it off.
_FLAGGED: Table = {"flags": ("set",)}
_VERDICTS = ("accept", "drop", "return", "continue", "masquerade")


def read(name: str) -> Optional[Table]:
    """The table ``inet NAME`` as its parts; None if it is not there."""
    if not exists(name):
        return None
    done = _nft(["-j", "list", "table", "inet", name], "")
    if done.status != 0:
        # It may have gone in between.
        return None
    try:
        return parts(json.loads(done.stdout)["nftables"])
    except ValueError:
        # As nft 1.0.6 prints a table with flags, sometimes.
        return _FLAGGED


def write(name: str, table: Table) -> None:
    """Put the table in the place of one of that name, in one transaction."""
    _run("add table inet {0}\ndelete table inet {0}\n{1}".format(name, script(name, table)), name)


def delete(name: str) -> None:
    """Remove the table if it is there."""
    if exists(name):
        _run("add table inet {0}\ndelete table inet {0}\n".format(name), name)


def _run(text: str, name: str) -> None:
    done = _nft(["-f", "-"], text)
    if done.status != 0:
        words = done.stderr.strip().splitlines()
        raise KernelRefused(
            "nft refused the table {}: {}".format(name, " ".join(line.strip() for line in words[:2])),
            object_id="firewall/" + name,
        )


def _nft(arguments: list[str], text: str) -> programs.Finished:
    try:
        return programs.run(["nft", *arguments], text, _TIMEOUT)
    except FileNotFoundError:
        raise HostLacks("there is no program nft on this host", hint="it is in the package nftables") from None
    except TimeoutError:
        raise KernelRefused("nft did not answer within {:g} s".format(_TIMEOUT)) from None


def script(name: str, table: Table) -> str:
    """The table in nft's language. Sets and maps come first, because rules name them."""
    lines = ["table inet {} {{".format(name)]
    for title in sorted(table, key=lambda title: title.startswith("chain ")):
        declaration, *rest = table[title]
        lines += ["\t{} {{".format(title)]
        lines += ["\t\t{};".format(line) for line in declaration.split("; ") if line]
        if title.startswith("chain "):
            lines += ["\t\t" + rule for rule in rest]
        elif rest:
            lines.append("\t\telements = {{ {} }}".format(",\n\t\t\t".join(rest)))
        lines.append("\t}")
    return "\n".join([*lines, "}", ""])


def parts(listed: list[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The parts of one table from nft's JSON."""
    found: dict[str, list[str]] = {}
    for item in listed:
        for what, data in item.items():
            if what == "chain":
                found["chain " + data["name"]] = [_chain(data)]
            elif what == "rule":
                found["chain " + data["chain"]].append(_rule(data))
            elif what in ("set", "map"):
                found["{} {}".format(what, data["name"])] = _set(data)
            elif what == "table":
                # Not which: nft 1.0.6 prints whatever is in memory there.
                if "flags" in data:
                    found.update({title: [*lines] for title, lines in _FLAGGED.items()})
            elif what != "metainfo":
                found["{} {}".format(what, data.get("name", ""))] = [_unknown(data)]
    return {title: tuple(lines) for title, lines in found.items()}


def _chain(data: Mapping[str, Any]) -> str:
    if "hook" not in data:
        return ""
    return "type {} hook {} priority {}; policy {}".format(data["type"], data["hook"], data["prio"], data["policy"])


def _set(data: Mapping[str, Any]) -> list[str]:
    types = data["type"] if isinstance(data["type"], list) else [data["type"]]
    declaration = "type " + " . ".join(types)
    if "map" in data:
        declaration += " : " + data["map"]
    if data.get("flags"):
        declaration += "; flags " + ",".join(data["flags"])
    targets = data.get("map", "").split(" . ")
    elements = []
    for element in data.get("elem", ()):
        if "map" in data:
            elements.append("{} : {}".format(_element(element[0], types), _element(element[1], targets)))
        else:
            elements.append(_element(element, types))
    return [declaration, *sorted(elements)]


def _element(element: Any, types: list[str]) -> str:
    comment = ""
    if isinstance(element, dict) and "elem" in element:
        inner = element["elem"]
        comment = _quoted_comment(inner)
        if set(inner) - {"val", "comment"}:
            return _unknown(element)
        element = inner["val"]
    if types == ["verdict"]:
        return _expression(element)
    values = element["concat"] if isinstance(element, dict) and "concat" in element else [element]
    return " . ".join(map(_typed, values, types)) + comment


def _typed(value: Any, kind: str) -> str:
    if kind == "ifname":
        return '"{}"'.format(value)
    if kind == "inet_proto" and isinstance(value, int):
        return _PROTOCOLS.get(value, str(value))
    return _value(value)


def _rule(data: Mapping[str, Any]) -> str:
    return " ".join(_expression(expression) for expression in data["expr"]) + _quoted_comment(data)


def _quoted_comment(data: Mapping[str, Any]) -> str:
    return ' comment "{}"'.format(data["comment"]) if data.get("comment") else ""


def _expression(expression: Any) -> str:
    """One statement of a rule."""
    if isinstance(expression, dict) and len(expression) == 1:
        ((what, data),) = expression.items()
        if what in _VERDICTS and data is None:
            return str(what)
        if what in ("goto", "jump"):
            return "{} {}".format(what, data["target"])
        if what == "match":
            return _match(data)
        if what == "vmap":
            return "{} vmap {}".format(_value(data["key"]), _value(data["data"]))
        if what == "dnat" and set(data) == {"family", "addr"} and "map" in data["addr"]:
            target = data["addr"]["map"]
            return "dnat {} to {} map {}".format(data["family"], _value(target["key"]), _value(target["data"]))
        if what == "dnat" and set(data) == {"port"} and isinstance(data["port"], int):
            return "dnat to :{}".format(data["port"])
    return _unknown(expression)


def _match(data: Mapping[str, Any]) -> str:
    left, right = data["left"], data["right"]
    word = {"==": "", "in": "", "!=": "!= "}.get(data["op"])
    if word is None:
        return _unknown({"match": data})
    if isinstance(left, dict) and left.get("meta", {}).get("key") in ("iifname", "oifname") and isinstance(right, str):
        shown = right if right.startswith("@") else '"{}"'.format(right)
    elif isinstance(right, list):
        # Flags of a bit mask, in no order of their own.
        shown = ",".join(sorted(map(_value, right)))
    elif data["op"] == "==" and isinstance(right, dict) and "set" in right:
        protocols = isinstance(left, dict) and left.get("meta", {}).get("key") == "l4proto"
        values = [_typed(value, "inet_proto" if protocols else "") for value in right["set"]]
        shown = "{{ {} }}".format(", ".join(sorted(values)))
    else:
        shown = _value(right)
    return "{} {}{}".format(_value(left), word, shown)


def _value(value: Any) -> str:
    """A value, or what of a packet is looked at."""
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, dict) and len(value) == 1:
        ((what, data),) = value.items()
        if what == "prefix":
            return "{}/{}".format(data["addr"], data["len"])
        if what == "concat":
            return " . ".join(map(_value, data))
        if what == "payload" and set(data) == {"protocol", "field"}:
            return "{} {}".format(data["protocol"], data["field"])
        if what == "meta":
            return str(data["key"]) if data["key"] in ("iifname", "oifname") else "meta {}".format(data["key"])
        if what == "ct" and set(data) == {"key"}:
            return "ct {}".format(data["key"])
        if what == "fib":
            return "fib {} {}".format(" . ".join(data["flags"]), data["result"])
    return _unknown(value)


def _unknown(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
