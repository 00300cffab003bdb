"""Where the decline begins: after the last lasting peak, past a build-up or a plateau, as early as the months agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wellprod.analysis.decline.models import Floats
from wellprod.analysis.decline.solve import (
    Shape,
    Solution,
    mean_log_rates,
    noise_of,
    solve_roughly,
)

FEWEST = 6
"""Months with production that a decline needs."""

_LEFT_OUT = 2.0
_MOST = 9.0
_GOOD = 1.0
_LATE = 12
_LATE_WEIGHT = 3.0
_LASTING_RISE = 0.3
_PLATEAU = 0.05


def find_start(begin: Floats, end: Floats, log_rates: Floats, shape: Shape) -> tuple[int, Solution | None]:
    """Give the index of the first month of the decline, and a rough fit from there where there is one already.

    A month within the window costs the square of its distance from the decline, in standard deviations of 10 % or of
    one and a half times the noise, at most 9; a month before it costs 2. The start that costs least is taken. So a
    month that agrees is kept, a build-up, a plateau or an older decline is left out, and a few odd months on the way do
    not end the window. The last 12 months count threefold: from them it goes on.
    """
    if len(log_rates) <= FEWEST:
        return 0, None
    scale = max(0.1, 1.5 * noise_of(log_rates))
    weights = np.where(np.arange(len(log_rates)) < len(log_rates) - _LATE, 1.0, _LATE_WEIGHT)
    tried: dict[int, tuple[float, Solution]] = {}
    for starts in _rounds(log_rates):
        for start in starts - tried.keys():
            found = solve_roughly(begin[start:] - begin[start], end[start:] - begin[start], log_rates[start:], shape)
            tried[start] = float(_misfits(found.residuals, scale) @ weights[start:]) + _LEFT_OUT * start, found
        best = min(tried, key=lambda start: tried[start][0])
        misfits = _misfits(tried[best][1].residuals, scale)
        late = misfits[-_LATE:].mean()
        if misfits.mean() < _GOOD and late < 2 * _GOOD and (misfits[:3] < 2 * _LEFT_OUT).all():
            break
    earliest = _extended(best, tried[best][1], begin, end, log_rates, scale)
    return earliest, tried[best][1] if earliest == best else None


def _rounds(log_rates: Floats) -> Iterator[set[int]]:
    """Yield starts to be tried: the first month; peaks and the ends of their plateaus; evenly spaced ones."""
    yield {0}
    last = len(log_rates) - FEWEST
    yield {start for start in [*_peaks(_rolling_median(log_rates)), int(log_rates.argmax())] if start <= last}
    yield set(range(0, last, max(3, last // 8)))


def _peaks(smooth: Floats) -> Iterator[int]:
    """Yield the highest month and, after each rise by a third above the lowest since, the highest from there."""
    first = 0
    while first < len(smooth):
        peak = first + int(smooth[first:].argmax())
        yield peak
        yield int(np.flatnonzero(smooth >= smooth[peak] - _PLATEAU)[-1])
        risen = smooth[peak:] - np.minimum.accumulate(smooth[peak:]) > _LASTING_RISE
        if not risen.any():
            return
        first = peak + int(risen.argmax())


def _extended(start: int, found: Solution, begin: Floats, end: Floats, log_rates: Floats, scale: float) -> int:
    """Give the earliest start from which on the months lie on the decline that was found."""
    back = slice(0, start)
    with np.errstate(invalid="ignore"):
        fitted = mean_log_rates(found.decline, begin[back] - begin[start], end[back] - begin[start])
    gain = np.cumsum((_LEFT_OUT - _misfits(log_rates[back] - fitted, scale))[::-1])
    return start - (int(gain.argmax()) + 1 if start and gain.max() > 0 else 0)


def _misfits(residuals: Floats, scale: float) -> Floats:
    return np.minimum(np.nan_to_num(residuals / scale, nan=np.inf) ** 2, _MOST)


def _rolling_median(values: Floats, half: int = 2) -> Floats:
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    return np.asarray(np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1))
