"""The least squares of a decline: the logarithms of monthly rates, robust to outliers, within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from wellprod.analysis.decline.history import Assumptions
from wellprod.analysis.decline.models import Arps, Floats, ModelName, log_fall, log_fall_slopes

_GAUSS = 1 / math.sqrt(3)
_DECLINES = np.geomspace(0.02, 12, 16)
_EXPONENTS = np.array([0.0, 0.4, 0.8, 1.2, 1.7])
_OUTLYING = 3.5  # robust standard deviations: of normal noise one month in 2,000
_LEAST_NOISE = 0.01
_INSIDE = 1e-3
_ENOUGH = 1e-7
_MOST_STEPS = 60

Used = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """Which declines are looked for."""

    model: ModelName
    b_bounds: tuple[float, float]
    di_bounds: tuple[float, float]
    dmin: float
    b_expected: float
    b_spread: float | None

    @classmethod
    def of(cls, model: ModelName, assumed: Assumptions) -> Shape:
        """Give those of a model: exponential and harmonic have their b, and only the modified hyperbolic has a dmin."""
        b_bounds = {"exponential": (0.0, 0.0), "harmonic": (1.0, 1.0)}.get(model, assumed.b_bounds)
        dmin = assumed.dmin if model == "modified hyperbolic" else 0.0
        return cls(model, b_bounds, assumed.di_bounds, dmin, assumed.b_expected, assumed.b_spread)

    @property
    def is_b_free(self) -> bool:
        """Whether b is looked for."""
        return self.b_bounds[0] < self.b_bounds[1]


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A decline from the start of the first month on.

    `residuals` are ln(rate / fitted rate), `used` says of which months, and `noise` is their standard deviation.
    `covariance` is that of ln qi, ln Di and b; it is widened where residuals are like those of the month before.
    """

    decline: Arps
    residuals: Floats
    used: Used
    noise: float
    covariance: Floats

    @property
    def errors(self) -> tuple[float, float, float]:
        """The standard errors of qi, Di and b."""
        of_qi, of_di, of_b = np.sqrt(np.diag(self.covariance)).tolist()
        return self.decline.qi * of_qi, self.decline.di * of_di, of_b


def mean_log_rates(decline: Arps, begin: Floats, end: Floats) -> Floats:
    """Give ln of the mean rate between two times each, in years; NaN where the decline is not defined so far back.

    The integral is taken at the two points of Gauss and Legendre, which for a month is exact to 1e-4 at a nominal
    decline of 10 per year and to 1e-8 at 1.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        fall = log_fall(_points(begin, end), decline.di, decline.b, decline.dmin)
    return np.asarray(math.log(decline.qi) + np.logaddexp(-fall[0], -fall[1]) - math.log(2))


def noise_of(log_rates: Floats) -> float:
    """Give the standard deviation of the noise from month to month, robustly."""
    return spread_of(np.diff(log_rates)) / math.sqrt(2) if len(log_rates) > 2 else 0.0


def spread_of(values: Floats) -> float:
    """Give the standard deviation of normal values, from their median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def solve_roughly(begin: Floats, end: Floats, log_rates: Floats, shape: Shape) -> Solution:
    """Fit with outliers damped; `begin` and `end` are the times of the months in years, the first begins at 0."""
    noise = max(noise_of(log_rates), _LEAST_NOISE)
    everything = np.ones(len(log_rates), dtype=bool)
    return _least_squares(
        begin, end, log_rates, everything, shape, _first_guess(begin, end, log_rates, shape), noise, True
    )


def solve(begin: Floats, end: Floats, log_rates: Floats, shape: Shape, rough: Solution | None = None) -> Solution:
    """Fit with outliers left out: months further than 3.5 robust standard deviations from the decline."""
    found = rough or solve_roughly(begin, end, log_rates, shape)
    used = np.zeros(len(log_rates), dtype=bool)
    for _ in range(5):
        limit = _OUTLYING * max(spread_of(found.residuals), _LEAST_NOISE)
        now = np.abs(found.residuals - np.median(found.residuals)) <= limit
        if (now == used).all():
            break
        used = now
        start = np.array([math.log(found.decline.qi), math.log(found.decline.di), found.decline.b])
        noise = max(spread_of(found.residuals[used]), _LEAST_NOISE)
        found = _least_squares(begin, end, log_rates, used, shape, start, noise, False)
    return found


def _least_squares(
    begin: Floats, end: Floats, y: Floats, used: Used, shape: Shape, start: Floats, noise: float, is_damped: bool
) -> Solution:
    """Minimise over ln qi, ln Di and, where it is free, b; a normal prior on b is one more residual."""
    free = 3 if shape.is_b_free else 2
    low = np.array([-np.inf, math.log(shape.di_bounds[0]), shape.b_bounds[0]])
    high = np.array([np.inf, math.log(shape.di_bounds[1]), shape.b_bounds[1]])
    points, observed = _points(begin[used], end[used]), y[used]
    spread = shape.b_spread if free == 3 else None
    damping = max(noise, 0.02) if is_damped else math.inf
    known: list[tuple[bytes, Floats, Floats]] = []

    def both(given: Floats) -> tuple[Floats, Floats]:
        if known and known[0][0] == given.tobytes():
            return known[0][1:]
        p = np.clip(np.append(given, shape.b_bounds[0])[:3], low, high)
        fall, by_di, by_b = log_fall_slopes(points, math.exp(p[1]), float(p[2]), shape.dmin)
        share = 1 / (1 + np.exp(fall[0] - fall[1]))  # of the first point in the mean of both
        residuals = p[0] + np.logaddexp(-fall[0], -fall[1]) - math.log(2) - observed
        jacobian = np.ones((len(observed), 3))
        jacobian[:, 1] = -share * by_di[0] - (1 - share) * by_di[1]
        jacobian[:, 2] = -share * by_b[0] - (1 - share) * by_b[1]
        if is_damped:
            residuals, weight = _damped(residuals, damping)
            jacobian *= weight[:, None]
        if spread:
            residuals = np.append(residuals, noise / spread * (p[2] - shape.b_expected))
            jacobian = np.vstack([jacobian, [0.0, 0.0, noise / spread]])
        jacobian = jacobian[:, :free] * (p[:free] == given)  # at a bound a parameter stays
        known[:] = [(given.tobytes(), residuals, jacobian)]
        return residuals, jacobian

    inside = np.clip(start[:free], low[:free] + _INSIDE, high[:free] - _INSIDE)
    given: dict[str, Any] = {"jac": lambda p: both(p)[1], "xtol": _ENOUGH, "ftol": _ENOUGH, "max_nfev": _MOST_STEPS}
    found = least_squares(lambda p: both(p)[0], inside, method="lm", **given)
    if ((found.x <= low[:free]) | (found.x >= high[:free])).any():  # three times as slow, and sure within bounds
        found = least_squares(lambda p: both(p)[0], inside, bounds=(low[:free], high[:free]), **given)
    p = np.clip(np.append(found.x, shape.b_bounds[0])[:3], low, high)
    decline = Arps(math.exp(p[0]), math.exp(p[1]), float(p[2]) if p[2] > _INSIDE / 10 else 0.0, shape.dmin)
    residuals = y - mean_log_rates(decline, begin, end)
    spare = max(int(used.sum()) - free, 1)
    rms = math.sqrt(float(np.sum(residuals[used] ** 2)) / spare)
    covariance = np.zeros((3, 3))
    covariance[:free, :free] = np.linalg.pinv(found.jac.T @ found.jac) * max(rms, 1e-12) ** 2
    return Solution(decline, residuals, used, rms, covariance * _widening(residuals[used]))


def _widening(residuals: Floats) -> float:
    """Give by how much the variances of a fit are larger for residuals that follow each other: (1 + r) / (1 - r)."""
    if (squares := float(residuals @ residuals)) == 0:
        return 1.0
    likeness = min(max(float(residuals[1:] @ residuals[:-1]) / squares, 0.0), 0.9)
    return (1 + likeness) / (1 - likeness)


def _damped(residuals: Floats, scale: float) -> tuple[Floats, Floats]:
    """Give what has the squares 2 s² (√(1 + (r/s)²) - 1), which grow as |r| for large r, and its derivative by r."""
    root = np.sqrt(1 + (residuals / scale) ** 2)
    return residuals * np.sqrt(2 / (root + 1)), np.sqrt((root + 1) / 2) / root


def _first_guess(begin: Floats, end: Floats, y: Floats, shape: Shape) -> Floats:
    """Give the best of a grid of declines, by the sum of absolute deviations: outliers do not lead it astray."""
    exponents = _EXPONENTS if shape.is_b_free else np.array(shape.b_bounds[:1])
    di, b = (grid.reshape(-1, 1) for grid in np.meshgrid(_DECLINES, exponents))
    above = y + log_fall((begin + end) / 2, di, b, shape.dmin)
    log_qi = np.median(above, axis=1)
    best = int(np.abs(above - log_qi[:, None]).sum(axis=1).argmin())
    return np.array([log_qi[best], math.log(di[best, 0]), b[best, 0]])


def _points(begin: Floats, end: Floats) -> Floats:
    """Give the two points of Gauss and Legendre in each month, as two rows."""
    middle, half = (begin + end) / 2, (end - begin) / 2 * _GAUSS
    return np.stack([middle - half, middle + half])
