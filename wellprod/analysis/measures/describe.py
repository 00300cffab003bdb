"""All measures as a page of documentation, made of their docstrings."""

from __future__ import annotations

from itertools import groupby

from wellprod.analysis.measures.measure import MEASURES, Measure

_INTRODUCTION = """\
# Measures

A measure is a figure of each month, for everything together (`by="all"`), each field, well or group. It is formed of
the month's sums: volumes are added up first, ratios are formed of the sums, never averaged. What was not reported is
null, which is not zero, and adds nothing; no measure is infinite or NaN. A month without a record has no row.

Rates are calendar-day rates, volumes those times the days of the month. The metric system turns barrels and cubic feet
into cubic metres by the exact factors, 1 bbl = 0.158987294928 m³ and 1 ft³ = 0.028316846592 m³, each at its own
standard conditions. How gas counts as oil is a rule by name: 6:1, 5.8:1 or norway.

A well is one well code of one data source, in whichever fields it was over the years. Cumulatives, changes and months
on production see the months before the first that is asked for. `top` gives the largest wells or fields by a volume or
a rate, and all others together.

<!-- made by wellprod.analysis.measures.describe; a test holds it -->

| measure | columns: oilfield, metric | what it is | formula | null | source |
| --- | --- | --- | --- | --- | --- |
"""


def as_markdown() -> str:
    """Give the page: a table of all measures, those of several phases in one row."""
    families = (list(family) for _, family in groupby(MEASURES.values(), key=lambda measure: measure.about))
    return _INTRODUCTION + "".join(map(_row, families))


def _row(family: list[Measure]) -> str:
    said = family[0].told
    names = "<br>".join(f"`{measure.name}`" for measure in family)
    columns = "<br>".join(
        ", ".join(f"`{name}`" for name in dict.fromkeys((measure.column("oilfield"), measure.column("metric"))))
        for measure in family
    )
    texts = (text.replace("|", "\\|") for text in (said[""], said["Formula"], said["Null"], said["Source"]))
    return f"| {names} | {columns} | {' | '.join(texts)} |\n"
