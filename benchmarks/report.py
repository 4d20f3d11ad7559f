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
    """One measured figure. With a ``target`` it is to be at most that, or at least that."""

    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """``ok``, ``MISSED``, or nothing to judge."""
        if self.target is None:
            return ""
        good = self.value >= self.target if self.at_least else self.value <= self.target
        return "ok" if good else "MISSED"

    @property
    def bound(self) -> str:
        """The target as the table shows it: ``<= 1.5x``."""
        if self.target is None:
            return ""
        return f"{'>=' if self.at_least else '<='} {self.target:g}{'x' if self.unit == 'x' else ''}"


@dataclass
class Report:
    """Everything of one run."""

    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def sample(self, what: str, seconds: Sequence[float]) -> None:
        """Measured times; the median becomes a figure without a target."""
        self.samples[what] = [round(value, 4) for value in seconds]
        self.add(what, statistics.median(seconds), "s")

    def add(self, what: str, value: float, unit: str, target: float | None = None, *, at_least: bool = False) -> None:
        """A figure."""
        self.figures.append(Figure(what, value, unit, target, at_least))

    def rates(self, what: str, values: Sequence[float], unit: str) -> None:
        """Measured rates; the best becomes a figure without a target, because what disturbs can only slow."""
        self.samples[what] = [round(value, 4) for value in values]
        self.add(what, max(values), unit)

    @property
    def missed(self) -> list[Figure]:
        """What is on the wrong side of its target."""
        return [figure for figure in self.figures if figure.verdict == "MISSED"]

    def table(self) -> str:
        """The table for people."""
        width = max((len(figure.what) for figure in self.figures), default=10)
        lines = [f"{'':{width}}  {'measured':>12}  {'target':>9}  verdict"]
        for figure in self.figures:
            value = f"{figure.value:.2f}{figure.unit}" if figure.unit == "x" else _with_unit(figure)
            lines.append(f"{figure.what:{width}}  {value:>12}  {figure.bound:>9}  {figure.verdict}".rstrip())
        lines += [f"note: {what}" for what in self.notes]
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
                    "at_least": figure.at_least,
                    "verdict": figure.verdict,
                }
                for figure in self.figures
            ],
            "samples": self.samples,
            "skipped": self.skipped,
            "notes": self.notes,
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _with_unit(figure: Figure) -> str:
    if figure.unit == "s":
        return f"{figure.value:.3f} s" if figure.value >= 1 else f"{figure.value * 1000:.0f} ms"
    return f"{figure.value:.{0 if figure.value >= 100 else 1}f} {figure.unit}"
