"""Figures, their targets, the table and the JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure. With a ``target`` it is to be at most that."""

    what: str
    value: float
    unit: str
    target: float | None = None

    @property
    def verdict(self) -> str:
        """``ok``, ``MISSED``, or nothing to judge."""
        if self.target is None:
            return ""
        return "ok" if self.value <= self.target else "MISSED"


@dataclass
class Report:
    """Everything of one run."""

    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def sample(self, what: str, seconds: Sequence[float]) -> None:
        """Measured times; the median becomes a figure without a target."""
        self.samples[what] = [round(value, 4) for value in seconds]
        self.add(what, statistics.median(seconds), "s")

    def add(self, what: str, value: float, unit: str, target: float | None = None) -> None:
        """A figure."""
        self.figures.append(Figure(what, value, unit, target))

    @property
    def missed(self) -> list[Figure]:
        """What is over its target."""
        return [figure for figure in self.figures if figure.verdict == "MISSED"]

    def table(self) -> str:
        """The table for people."""
        width = max((len(figure.what) for figure in self.figures), default=10)
        lines = [f"{'':{width}}  {'measured':>12}  {'at most':>8}  verdict"]
        for figure in self.figures:
            value = f"{figure.value:.2f}{figure.unit}" if figure.unit == "x" else _with_unit(figure)
            target = "" if figure.target is None else f"{figure.target:g}{'x' if figure.unit == 'x' else ''}"
            lines.append(f"{figure.what:{width}}  {value:>12}  {target:>8}  {figure.verdict}".rstrip())
        lines += [f"skipped: {what}" for what in self.skipped]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """The JSON."""
        content: dict[str, Any] = {
            "format_version": "1.0",
            "machine": {
                "kernel": platform.release(),
                "python": platform.python_version(),
                "cpus": os.cpu_count(),
                "load": os.getloadavg()[0],
            },
            "figures": [
                {
                    "what": figure.what,
                    "value": round(figure.value, 4),
                    "unit": figure.unit,
                    "target": figure.target,
                    "verdict": figure.verdict,
                }
                for figure in self.figures
            ],
            "samples": self.samples,
            "skipped": self.skipped,
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _with_unit(figure: Figure) -> str:
    if figure.unit == "s":
        return f"{figure.value:.3f} s" if figure.value >= 1 else f"{figure.value * 1000:.0f} ms"
    return f"{figure.value:.0f} {figure.unit}"
