"""Charts: a table in, an altair chart out, no query.

The tables are those of `analysis.measures`, type wells, declines, quality marks and bridges. `draw_static` or
`draw_interactive` says how a process shows them.
"""

from __future__ import annotations

from wellprod.analysis.charts.bridges import volume_bridge
from wellprod.analysis.charts.checks import quality_map
from wellprod.analysis.charts.cumulatives import rate_cumulative, wor_cumulative
from wellprod.analysis.charts.imports import import_counts, import_speed
from wellprod.analysis.charts.look import as_png, as_svg, draw_interactive, draw_static
from wellprod.analysis.charts.rates import linked, monthly_volumes, rate_time, ratios
from wellprod.analysis.charts.typewells import type_well
from wellprod.analysis.charts.wells import bubbles, ranked, stacked

__all__ = [
    "as_png",
    "as_svg",
    "bubbles",
    "draw_interactive",
    "draw_static",
    "import_counts",
    "import_speed",
    "linked",
    "monthly_volumes",
    "quality_map",
    "ranked",
    "rate_cumulative",
    "rate_time",
    "ratios",
    "stacked",
    "type_well",
    "volume_bridge",
    "wor_cumulative",
]
