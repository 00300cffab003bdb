"""Volume units of the field and their exact factors to kbbl and MMscf.

``M`` before a unit is a thousand and ``MM`` a million, the oilfield's roman prefixes, for cubic metres too: ANP's
``Mm³`` is a thousand cubic metres. 1 bbl = 42 x 231 in³ = 0.158987294928 m³ and 1 ft³ = 0.028316846592 m³, exactly.
Metric gas is turned by the plain volume factor; ``m3@15C`` and ``m3@20C`` name gas measured at 15 and 20 °C, 1 atm,
and are corrected to 60 °F by the ratio of the absolute temperatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import polars as pl

_BBL_M3 = Fraction(158987294928, 10**12)
_FT3_M3 = Fraction(28316846592, 10**12)
_60F_KELVIN = (Fraction(60) - 32) * Fraction(5, 9) + Fraction("273.15")
_THOUSAND, _MILLION = 1000, 10**6


def _metric(per_m3: Fraction) -> dict[str, Fraction]:
    prefixes = {"": 1, "k": _THOUSAND, "M": _THOUSAND, "MM": _MILLION}
    return {f"{prefix}{unit}": many * per_m3 for unit in ("m3", "Sm3") for prefix, many in prefixes.items()}


KBBL: dict[str, Fraction] = {
    "bbl": Fraction(1, _THOUSAND),
    "kbbl": Fraction(1),
    "Mbbl": Fraction(1),
    "MMbbl": Fraction(_THOUSAND),
    **_metric(1 / _BBL_M3 / _THOUSAND),
}
"""Thousand barrels in one of each liquid unit."""

MMSCF: dict[str, Fraction] = {
    "scf": Fraction(1, _MILLION),
    "kscf": Fraction(1, _THOUSAND),
    "Mscf": Fraction(1, _THOUSAND),
    "mcf": Fraction(1, _THOUSAND),
    "MMscf": Fraction(1),
    "mmcf": Fraction(1),
    "Bscf": Fraction(_THOUSAND),
    **_metric(1 / _FT3_M3 / _MILLION),
    "m3@15C": 1 / _FT3_M3 / _MILLION * _60F_KELVIN / Fraction("288.15"),
    "m3@20C": 1 / _FT3_M3 / _MILLION * _60F_KELVIN / Fraction("293.15"),
}
"""Million standard cubic feet in one of each gas unit."""

KBOE: dict[str, Fraction] = {
    "boe": Fraction(1, _THOUSAND),
    "kboe": Fraction(1),
    "Mboe": Fraction(1),
    "MMboe": Fraction(_THOUSAND),
}
"""Thousand barrels of oil equivalent in one of each unit."""


@dataclass(frozen=True, slots=True)
class BoeRule:
    """How much gas counts as a barrel of oil: thousand standard cubic feet, exactly, and who says so."""

    mscf: Fraction
    source: str

    def __str__(self) -> str:
        """Give the rule as it stands beside a figure."""
        return f"1 boe = {float(self.mscf):.5g} Mscf of gas ({self.source})"


BOE_RULES = {
    "6:1": BoeRule(Fraction(6), "USGS DDS-69-D, chapter 27"),
    "5.8:1": BoeRule(Fraction("5.8"), "by energy, 5.8 million Btu at 1,000 Btu/scf, 26 USC 45K(d)(5)"),
    "norway": BoeRule(_BBL_M3 / _FT3_M3, "1,000 Sm³ of gas = 1 Sm³ o.e., Norwegian Offshore Directorate"),
}
"""The rules of oil equivalents by name."""

MSCF_PER_BOE = int(BOE_RULES["6:1"].mscf)
"""Thousand cubic feet of gas in a barrel of oil equivalent, where no other rule is named."""

DAYS: dict[str, Fraction] = {"d": Fraction(1), "h": Fraction(1, 24)}
"""Days in one of each unit of producing time."""

_SHORT = {
    "bpd": "bbl/d",
    "bopd": "bbl/d",
    "kbd": "kbbl/d",
    "mbd": "Mbbl/d",
    "mcfd": "mcf/d",
    "mmcfd": "mmcf/d",
}
_PERIODS = ("d", "month")


def units_of(column: str) -> dict[str, Fraction]:
    """Give the units that the figures of one record column, or ``boe``, may have, with their factors to our unit."""
    if column == "days_on_production":
        return DAYS
    if column == "boe":
        return KBOE
    return MMSCF if column.startswith("gas") else KBBL


def parse_unit(column: str, text: str) -> tuple[Fraction, str | None]:
    """Give the factor of a unit such as ``bbl/d``, ``Sm3/month`` or ``MMscf``, and its period (``d``, ``month``, None).

    Raises
    ------
    ValueError
        The unit is unknown for this column; the message lists those allowed.
    """
    amount, slash, period = _SHORT.get(text, text).partition("/")
    units = units_of(column)
    if amount not in units or (slash and (period not in _PERIODS or units is DAYS)):
        periods = "" if units is DAYS else ", each alone or with /d or /month; or kbd, bpd, mcfd, mmcfd"
        raise ValueError(f"unit {text!r} is not known for {column}; allowed: {', '.join(units)}{periods}")
    return units[amount], period or None


def scaled(figure: pl.Expr, factor: Fraction) -> pl.Expr:
    """Give `figure` times an exact factor, correctly rounded wherever numerator or denominator is one."""
    if factor.denominator == 1:
        return figure if factor == 1 else figure * float(factor.numerator)
    if factor.numerator == 1:
        return figure / float(factor.denominator)
    return figure * float(factor)
