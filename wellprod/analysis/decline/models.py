"""Arps' declines: exponential, hyperbolic, harmonic, and modified hyperbolic with a terminal decline.

Time is in years of 365.25 days, a nominal decline is per year, and a rate is per day, so that a volume is what flows at
the rate: kbbl of kbd, MMscf of mmcfd. Sources: Arps, "Analysis of decline curves", Trans. AIME 160 (1945); Robertson,
"Generalized hyperbolic equation", SPE-18731 (1988), for the terminal decline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
import numpy.typing as npt
from scipy.special import exprel

from wellprod.errors import UsageError

Floats = npt.NDArray[np.float64]

DAYS_A_YEAR = 365.25
"""Days in a year of decline, so that calendar months fall where they lie."""

ModelName = Literal["exponential", "hyperbolic", "harmonic", "modified hyperbolic"]

EffectiveKind = Literal["secant", "tangent"]
"""How an effective decline is meant: of the rates a year apart, or of the slope at the start."""

_TINY = 1e-6  # of b D t, below which two terms of the series are exact to 1e-12


@dataclass(frozen=True, slots=True)
class Arps:
    """A decline; exponential with b = 0, harmonic with b = 1, modified hyperbolic with a terminal decline.

    q(t) = qi / (1 + b Di t)^(1/b), and qi e^(-Di t) for b = 0. Its nominal decline Di / (1 + b Di t) falls to `dmin`
    at ts = (Di/Dmin - 1) / (b Di), and from there on the decline is exponential at `dmin`. A decline that is slower
    than `dmin` from the start is exponential at its own.

    Parameters
    ----------
    qi
        The rate at the start, per day.
    di
        The nominal decline at the start, per year.
    b
        The exponent, 0 or more.
    dmin
        The terminal nominal decline, per year; 0 for none.

    Raises
    ------
    UsageError
        A parameter is negative or no number.
    """

    qi: float
    di: float
    b: float = 0.0
    dmin: float = 0.0

    def __post_init__(self) -> None:
        for name in ("qi", "di", "b", "dmin"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise UsageError(f"A decline cannot have {name} = {value!r}.", next="Give 0 or more.")

    @property
    def model(self) -> ModelName:
        """The name of the model."""
        if self.b == 0:
            return "exponential"
        if self.dmin > 0:
            return "modified hyperbolic"
        return "harmonic" if self.b == 1 else "hyperbolic"

    @property
    def years_to_terminal(self) -> float:
        """The years after which the decline is exponential at `dmin`; infinite where it never is."""
        if self.b == 0 or self.dmin == 0:
            return math.inf
        return max(0.0, (self.di / self.dmin - 1) / (self.b * self.di)) if self.di else 0.0

    @overload
    def rate(self, years: float) -> float: ...
    @overload
    def rate(self, years: Floats) -> Floats: ...
    def rate(self, years: float | Floats) -> float | Floats:
        """Give the rate at a time, per day."""
        return _like(years, self.qi * np.exp(-log_fall(np.asarray(years, dtype=float), self.di, self.b, self.dmin)))

    @overload
    def nominal_decline(self, years: float) -> float: ...
    @overload
    def nominal_decline(self, years: Floats) -> Floats: ...
    def nominal_decline(self, years: float | Floats) -> float | Floats:
        """Give the nominal decline at a time, per year: D(t) = Di / (1 + b Di t), and never below `dmin`."""
        decline = self.di / (1 + self.b * self.di * np.asarray(years, dtype=float))
        return _like(years, np.maximum(decline, min(self.dmin, self.di)))

    @overload
    def cumulative(self, years: float) -> float: ...
    @overload
    def cumulative(self, years: Floats) -> Floats: ...
    def cumulative(self, years: float | Floats) -> float | Floats:
        """Give the volume from the start to a time: the integral of the rate.

        For b between: qi^b / ((1-b) Di) (qi^(1-b) - q^(1-b)); b = 0: (qi - q) / Di; b = 1: qi/Di ln(qi/q).
        """
        t = np.asarray(years, dtype=float)
        terminal, slow = self.years_to_terminal, self.b if self.di > self.dmin else 0.0
        early = np.minimum(t, terminal)
        fall = log_fall(early, self.di, slow, 0.0)
        # one form of the three, exact where b is near 0 or 1: exprel(z) = (e^z - 1) / z
        volume = self.qi * early * _log1p_ratio(slow * self.di * early) * exprel((slow - 1) * fall)
        if self.di > self.dmin and math.isfinite(terminal):
            late = np.maximum(t - terminal, 0)
            at_terminal = self.qi * np.exp(-log_fall(np.asarray(terminal), self.di, self.b, 0.0))
            volume = volume + at_terminal * late * exprel(-self.dmin * late)
        elif self.di <= self.dmin:
            volume = self.qi * t * exprel(-self.di * t)
        return _like(years, volume * DAYS_A_YEAR)

    def years_to(self, rate: float) -> float:
        """Give the years until the rate has fallen to `rate`: 0 where it is below, infinite where it never is."""
        if rate >= self.qi:
            return 0.0
        if rate <= 0 or self.di == 0:
            return math.inf
        fall = math.log(self.qi / rate)
        if self.di <= self.dmin:
            return fall / self.di
        years = fall / self.di * float(exprel(self.b * fall))
        terminal = self.years_to_terminal
        if years <= terminal:
            return years
        return terminal + (fall - float(log_fall(np.asarray(terminal), self.di, self.b, 0.0))) / self.dmin

    def effective_decline(self, kind: EffectiveKind = "secant") -> float:
        """Give the effective decline of the first year, as a fraction."""
        return effective_of(self.di, self.b, kind)


def effective_of(nominal: float, b: float = 0.0, kind: EffectiveKind = "secant") -> float:
    """Give the effective decline a year, as a fraction, of a nominal one per year.

    Secant: 1 - q(1 year) / qi = 1 - (1 + b Dn)^(-1/b). Tangent: 1 - e^(-Dn), whatever b is. Source: petbox-dca;
    Enersight, "Decline Rate Types".
    """
    if kind == "tangent":
        b = 0.0
    return -math.expm1(-float(log_fall(np.asarray(1.0), nominal, b, 0.0)))


def nominal_of(effective: float, b: float = 0.0, kind: EffectiveKind = "secant") -> float:
    """Give the nominal decline per year of an effective one a year, a fraction below 1.

    Secant: ((1 - De)^(-b) - 1) / b. Tangent: -ln(1 - De). With b = 1.2, 80 % a year is 4.92 or 1.61 per year.

    Raises
    ------
    UsageError
        The effective decline is no fraction from 0 to below 1.
    """
    if not 0 <= effective < 1:
        raise UsageError(
            f"{effective!r} is no effective decline.", next="Give a fraction, such as 0.8 for 80 % a year."
        )
    fall = -math.log1p(-effective)
    return fall if kind == "tangent" else fall * float(exprel(b * fall))


def log_fall(years: Floats, di: float | Floats, b: float | Floats, dmin: float) -> Floats:
    """Give ln(qi / q) after `years`, for one decline or, by broadcasting, for many."""
    di, b = np.asarray(di, dtype=float), np.asarray(b, dtype=float)
    fall: Floats = di * years * _log1p_ratio(b * di * years)
    if dmin <= 0:
        return fall
    is_late = (b > 0) & (di > dmin) & (di < dmin * (1 + b * di * years))
    with np.errstate(divide="ignore", invalid="ignore"):
        late = (np.log(di / dmin) - (1 - dmin / di)) / b + dmin * years
    return np.where(di <= dmin, di * years, np.where(is_late, late, fall))


def log_fall_slopes(years: Floats, di: float, b: float, dmin: float) -> tuple[Floats, Floats, Floats]:
    """Give ln(qi / q) after `years`, and its derivatives by ln Di and by b."""
    fall = log_fall(years, di, b, dmin)
    if di <= dmin:
        return fall, fall, np.zeros_like(fall)
    x, exponential = b * di * years, di * years
    by_di = exponential / (1 + x)
    if b * di * float(years.max(initial=0.0)) < 1e-4:
        by_b = exponential**2 * (-0.5 + 2 / 3 * x)
    else:
        by_b = (by_di - fall) / b
    if dmin > 0 and b > 0:
        is_late = di < dmin * (1 + x)
        if is_late.any():
            rest = 1 - dmin / di
            by_di = np.where(is_late, rest / b, by_di)
            by_b = np.where(is_late, -(math.log(di / dmin) - rest) / b**2, by_b)
    return fall, by_di, by_b


def _log1p_ratio(x: Floats) -> Floats:
    """Give ln(1 + x) / x, which is 1 at 0."""
    is_tiny = np.abs(x) < _TINY
    safe = np.where(is_tiny, 1.0, x)
    return np.where(is_tiny, 1 - x / 2 + x * x / 3, np.log1p(safe) / safe)


def _like(years: float | Floats, value: Floats) -> float | Floats:
    return value if isinstance(years, np.ndarray) else float(value)
