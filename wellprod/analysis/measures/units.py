"""The units of measures in both systems: the end of a column's name, and the exact factor between them."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, NamedTuple

from wellprod.feed.units import KBBL, MMSCF
from wellprod.text import UNITS

Units = Literal["oilfield", "metric"]
"""The systems of units: kbbl and MMscf, or thousand and million standard cubic metres."""

_KSM3 = 1 / KBBL["kSm3"]
_MMSM3 = 1 / MMSCF["MMSm3"]


class Quantity(NamedTuple):
    """What a figure is of.

    `oilfield` and `metric` end the name of its column; what has no unit there may still be said in words, `plain`.
    An oilfield figure times `factor` is the metric one.
    """

    oilfield: str = ""
    metric: str = ""
    factor: Fraction = Fraction(1)
    plain: str = ""

    def ending(self, units: Units) -> str:
        """Give the end of a column's name, or nothing."""
        return self.oilfield if units == "oilfield" else self.metric

    def told(self, units: Units) -> str:
        """Give the unit as people read it, or nothing for a count."""
        return UNITS.get(self.ending(units), self.plain)

    def times(self, units: Units) -> Fraction:
        """Give what an oilfield figure is to be multiplied with."""
        return self.factor if units == "metric" else Fraction(1)


LIQUID = Quantity("kbbl", "ksm3", _KSM3)
GAS = Quantity("mmscf", "mmsm3", _MMSM3)
BOE = Quantity("kboe", "ksm3oe", _KSM3)
LIQUID_RATE = Quantity("kbd", "ksm3d", _KSM3)
GAS_RATE = Quantity("mmcfd", "mmsm3d", _MMSM3)
BOE_RATE = Quantity("kboed", "ksm3oed", _KSM3)
GAS_PER_LIQUID = Quantity("scf_per_bbl", "sm3_per_sm3", _MMSM3 / _KSM3)
LIQUID_PER_GAS = Quantity("bbl_per_mmscf", "sm3_per_mmsm3", _KSM3 / _MMSM3)
FRACTION = Quantity(plain="fraction")
VOLUME_RATIO = Quantity(plain="ratio")
MONTHS = Quantity(plain="months")
COUNT = Quantity()
