"""In the places of modules whose work is done in C below: what is below, without what is around it."""

import sys

if False:  # for the type checker
    from typing import Any

from netcompose.agent.standins.later import standin


def json() -> "Any":
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner
    except ImportError:
        return standin("json")

    class Context:
        strict, memo = True, {}  # type: ignore[var-annotated]
        object_hook = object_pairs_hook = None
        parse_float, parse_int = float, int
        parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__

    scan = make_scanner(Context())  # type: ignore[arg-type]

    def really() -> "Any":
        import json

        return json

    def loads(text: "Any", **options: "Any") -> "Any":
        if not options:
            try:
                plain = (text if isinstance(text, str) else str(text, "utf-8")).strip(" \t\n\r")
                value, end = scan(plain, 0)
                if end == len(plain):
                    return value
            except Exception:  # noqa: S110 (whatever it is, the real one says it in its own words)
                pass
        return really().loads(text, **options)

    def refuse(value: object) -> "Any":
        raise TypeError("Object of type {} is not JSON serializable".format(type(value).__name__))

    def dumps(
        value: "Any", *, separators: "Any" = None, sort_keys: bool = False, indent: "Any" = None, **options: "Any"
    ) -> str:
        if options or indent is not None:
            return str(really().dumps(value, separators=separators, sort_keys=sort_keys, indent=indent, **options))
        between, after = separators or (", ", ": ")
        encode = make_encoder({}, refuse, encode_basestring_ascii, None, after, between, sort_keys, False, True)
        return "".join(encode(value, 0))

    def load(file: "Any", **options: "Any") -> "Any":
        return loads(file.read(), **options)

    def dump(value: "Any", file: "Any", **options: "Any") -> None:
        file.write(dumps(value, **options))

    return standin("json", loads=loads, dumps=dumps, load=load, dump=dump)


def socket() -> "Any":
    import _socket

    class Netlink(_socket.socket):
        """A netlink socket has no more to it than C gives it."""

        def __enter__(self) -> "Netlink":
            return self

        def __exit__(self, *error: object) -> None:
            self.close()

    def socket(family: int = -1, type: int = -1, proto: int = -1, fileno: "Any" = None) -> "Any":
        if family == _socket.AF_NETLINK:
            return Netlink(family, type, proto, fileno)
        import socket

        return socket.socket(family, type, proto, fileno)

    has = {name: value for name, value in vars(_socket).items() if isinstance(value, int)}
    for name in ("inet_pton", "inet_ntop", "if_nametoindex", "if_indextoname"):
        has[name] = getattr(_socket, name)
    return standin("socket", True, **has, socket=socket)


def signal() -> "Any":
    import _signal  # type: ignore[import-not-found]

    return standin("signal", **{name: value for name, value in vars(_signal).items() if not name.startswith("_")})


def struct() -> "Any":
    import _struct

    return standin("struct", **{name: value for name, value in vars(_struct).items() if not name.startswith("_")})


def hashlib() -> "Any":
    try:
        return standin("hashlib", sha256=__import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256)
    except ImportError:
        return standin("hashlib")
