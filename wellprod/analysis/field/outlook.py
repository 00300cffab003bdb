"""What a field's rate is expected to be in the next year, and what last year's expectation was worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from wellprod.analysis.bridge import Phase
from wellprod.analysis.measures import Units


@dataclass(frozen=True, slots=True)
class Outlook:
    """Nothing yet."""

    phase: Phase


def outlook(months: pl.DataFrame, phase: Phase, units: Units, store_month: date) -> Outlook:
    """Nothing yet."""
    return Outlook(phase)
