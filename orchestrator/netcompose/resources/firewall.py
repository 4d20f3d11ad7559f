"""The firewall of a topology on one host: one nft table, which nobody else writes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Mapping

from netcompose.resources.base import IN_PLACE, REPLACE, Resource, attribute


@dataclass(frozen=True)
class Firewall(Resource):
    """``firewall/campus``: the table ``inet netcompose-campus``.

    ``table`` has its parts by ``chain forward``, ``set networks``, ``map published4``. A part is a tuple of lines of
    nft's own language: first how it is declared, then its rules in order, or its elements sorted. It is written as
    a whole in one transaction, so that no packet ever meets half of it; connections that are open stay open.
    """

    kind: ClassVar[str] = "firewall"

    name: str = attribute(changes=REPLACE)
    table: Mapping[str, tuple[str, ...]] = attribute(changes=IN_PLACE, default_factory=dict)

    def claims(self) -> tuple[str, ...]:
        return ("nft table inet:" + self.name,)
