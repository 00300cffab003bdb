"""How charts look and where they are shown: on paper, on a page of a notebook, as a picture.

Every chart is told apart without its colours, and stands on white and on black: on paper it brings its ground along,
on a page it has none and takes the colour of the text around it, so that it follows the theme of JupyterLab and Voila.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple, cast

import altair as alt
from altair.typing import ChartType

from wellprod.analysis.colours import BOE, GAS, LIQUIDS, OIL, WATER

WIDTH = 620
"""Pixels of a chart between its axes, so that it fits into 700 with them."""

FIGURE, SHARE, MONTH = ",.3~f", ".1%", "%b %Y"
"""How tooltips write a figure, a fraction and a month."""

AXIS_FIGURE = ",.10~g"
"""How an axis writes a figure: never with an exponent that a person would have to work out."""

NOTHING = "No figures in this selection"

_LIGHT, _DARK = ("#1f1f1f", "white"), ("#e6e6e6", "#111111")  # ink and ground
_PAGE = ("currentColor", "transparent")
_MENU = {"export": True, "source": False, "compiled": False, "editor": False}  # the editor is on another host
_RENDERER = "wellprod-svg"


class Look(NamedTuple):
    """How a phase is drawn: told by dash and shape where there are no colours."""

    colour: str
    dash: tuple[int, ...]
    shape: str


LOOKS = {
    "oil": Look(OIL, (1, 0), "circle"),
    "water": Look(WATER, (6, 3), "square"),
    "gas": Look(GAS, (8, 3, 2, 3), "triangle-up"),
    "liquids": Look(LIQUIDS, (2, 2), "diamond"),
    "boe": Look(BOE, (12, 3), "cross"),
}
"""How each phase is drawn, in the order in which they are listed."""

_RATIOS = {"gor": "gas", "cgr": "liquids", "wor": "water"}
_OTHER = Look("#757575", (1, 0), "circle")


def look_of(measure: str) -> Look:
    """Give how a measure is drawn: as its phase, a ratio as the phase above the line."""
    words = [_RATIOS.get(word, word) for word in measure.split("_")]
    return next((LOOKS[word] for word in words if word in LOOKS), _OTHER)


def draw_static(*, dark: bool = False) -> None:
    """Draw the charts of this process as pictures, which need no JavaScript and no network: for reports.

    They stand on white, or on black where `dark`, whatever the page around them has.
    """
    _enable("wellprod-dark" if dark else "wellprod-paper", _LIGHT if not dark else _DARK)
    alt.renderers.register(_RENDERER, _picture)
    alt.renderers.enable(_RENDERER)


def draw_on_page() -> None:
    """Have the charts of this process take the colours of the page that they are put into."""
    _enable("wellprod-page", _PAGE)


def draw_interactive() -> None:
    """Draw the charts of this process live, with JavaScript of this machine alone: for JupyterLab and Voila.

    They take the colours of the page. The JavaScript goes along with each chart, so that a page had better have one
    chart of several panels than several charts; an `altair.JupyterChart` works offline too from now on.
    """
    draw_on_page()
    alt.renderers.enable("jupyter", offline=True)
    alt.JupyterChart.enable_offline()


def as_svg(chart: ChartType, description: str) -> str:
    """Draw a chart as an inline SVG that shrinks with its window, with words for ears.

    It takes the colours of the page that it stands in.
    """
    return _labelled(_drawn(chart.to_dict(), _PAGE), description)


def as_png(chart: ChartType, *, scale: float = 2, dark: bool = False) -> bytes:
    """Draw a chart on white, or on black where `dark`, as a PNG with `scale` pixels for each of its own."""
    import vl_convert  # here, since it takes a third of a second to load

    return vl_convert.vegalite_to_png(_dressed(chart.to_dict(), _DARK if dark else _LIGHT), scale=scale)


def month_axis(days: int | None) -> alt.Axis:
    """Give the axis of so many days' months: eight labels at most, each another month."""
    if days is not None and days > _DAYS_NAMED_BY_YEAR:
        return alt.Axis(format="%Y", labelOverlap=True, labelSeparation=8, tickCount=8)
    by_month = days is None or days <= _DAYS_NAMED_BY_MONTH  # eight ticks would name a month of a shorter time twice
    ticks = alt.TimeIntervalStep(interval="month", step=1) if by_month else 8
    return alt.Axis(format=MONTH, labelOverlap=True, labelSeparation=8, tickCount=ticks)


_DAYS_NAMED_BY_MONTH, _DAYS_NAMED_BY_YEAR = 366, 12 * 366


def nothing(words: str = NOTHING, *, width: int = WIDTH, height: int = 160) -> alt.Chart:
    """Draw an empty panel that says so."""
    ground: alt.Chart = alt.Chart(alt.InlineData(values=[{}])).mark_text(text=words, fontSize=14)
    return ground.properties(width=width, height=height, view=alt.ViewBackground(stroke="#808080", strokeOpacity=0.4))


def told(chart: ChartType, description: str, title: str = "", said: Sequence[str] = ()) -> ChartType:
    """Give a chart its words: for ears, above it, and what it leaves out."""
    whole = ". ".join([*([title] if title else []), description, *said])
    words: dict[str, alt.TitleParams] = {}
    if title:
        words["title"] = alt.TitleParams(text=title, subtitle=list(said))
    elif said:
        words["title"] = alt.TitleParams(text=list(said), fontSize=13, fontWeight="normal")
    with_words: ChartType = chart.properties(description=whole, **words)
    return with_words


def _enable(name: str, colours: tuple[str, str]) -> None:
    alt.theme.register(name, enable=True)(lambda: cast(alt.theme.ThemeConfig, _theme(*colours)))


def _theme(ink: str, ground: str) -> dict[str, Any]:
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal"}
    lines = {"gridColor": ink, "gridOpacity": 0.12, "domainColor": ink, "domainOpacity": 0.5}
    return {
        "background": ground,
        "config": {
            "view": {"stroke": None, "continuousWidth": WIDTH},
            "axis": {**text, **lines, "tickColor": ink, "tickOpacity": 0.5, "titlePadding": 8},
            "legend": {**text, "labelLimit": 170},
            "title": {
                "anchor": "start",
                "color": ink,
                "fontSize": 15,
                "fontWeight": "bold",
                "subtitleColor": ink,
                "subtitleFontSize": 13,
            },
            "text": {"color": ink, "fontSize": 12},
            "rule": {"color": ink},
            "style": {"fit": {"color": ink}},
        },
        "usermeta": {"embedOptions": {"actions": _MENU, "renderer": "svg"}},  # SVG, which ears and themes can read
    }


def _dressed(spec: dict[str, Any], colours: tuple[str, str]) -> dict[str, Any]:
    """Give a chart in these colours, whichever theme the process has."""
    theme = _theme(*colours)
    own = spec.get("config", {})
    config = {**own, **{name: {**own.get(name, {}), **values} for name, values in theme["config"].items()}}
    return {**spec, "background": theme["background"], "config": config}


def _drawn(spec: dict[str, Any], colours: tuple[str, str]) -> str:
    import vl_convert  # here, since it takes a third of a second to load

    return vl_convert.vegalite_to_svg(_dressed(spec, colours))


def _labelled(svg: str, description: str) -> str:
    start = svg.index("<svg") + len("<svg")
    return (
        f"{svg[:start]} role='img' aria-label='{escape(description, quote=True)}'"
        f" style='max-width:100%;height:auto'{svg[start:]}"
    )


def _picture(spec: dict[str, Any], **_: Any) -> dict[str, str]:
    """Draw a chart as it is told, for Jupyter."""
    import vl_convert  # here, since it takes a third of a second to load

    return {"image/svg+xml": _labelled(vl_convert.vegalite_to_svg(spec), spec.get("description", ""))}
