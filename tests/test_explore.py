"""The explore page as people use it, its address, and what it asks: a real browser, server and store."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellprod.analysis.selection import Selection
from wellprod.errors import SelectionError
from wellprod.pages.address import LONGEST_QUERY, read_address, write_address
from wellprod.pages.lookform import allowed

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PATIENCE = 60_000

names = st.lists(st.text(min_size=1, max_size=20).map(str.strip).filter(bool), unique=True, max_size=4).map(tuple)
months = st.sampled_from([None, "2019-12", "2023-01"])


@given(names, names, names, months, st.sampled_from(sorted(allowed("measure")["measure"])))
def test_an_address_says_what_was_chosen(
    fields: tuple[str, ...], wells: tuple[str, ...], groups: tuple[str, ...], first: str | None, measure: str
) -> None:
    """Whatever the names are, what is written into an address is what is read from it."""
    chosen = Selection(fields, wells, first, "2024-05", groups=groups)
    query = write_address(chosen, {"measure": measure}, [("theme", "dark")])
    asked = read_address(query, allowed(), Path("none"))
    assert (asked.selection, asked.choices, asked.others) == (chosen, {"measure": measure}, (("theme", "dark"),))
    assert not asked.problems


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("units=furlong", "units='furlong', which is not allowed. Allowed are: metric, oilfield."),
        ("from=2024-13", "'2024-13' is no month."),
        ("from=2024-05&to=2023-01", "The last month 2023-01 lies before the first"),
        ("fild=Tupi", "'fild', which means nothing here. It may say: selection, group, field, well, from, to, view"),
        ("view=rates&view=ranked", "view 2 times. The last one counts."),
        ("selection=nobody", "There is no selection 'nobody'"),
        ("measure=%00", "which is not allowed"),
    ],
)
def test_what_is_wrong_in_an_address_is_told(query: str, told: str, tmp_path: Path) -> None:
    """It is said in words with what is allowed, and the rest of the address counts."""
    asked = read_address(f"field=Tupi&{query}&token=s3cret", allowed(), tmp_path)
    assert [str(error) for error in asked.problems if told in str(error)]
    assert len(asked.problems) == 1 and "s3cret" not in str(asked.problems)
    assert asked.selection.fields == ("Tupi",)


def test_an_address_has_an_end() -> None:
    """What no program takes is refused with what to do in its place; a saved selection fits, whatever it holds."""
    many = tuple(f"Well {number}" for number in range(1000))
    with pytest.raises(SelectionError, match="Save the selection under a name"):
        write_address(Selection(wells=many), {})
    assert len(write_address(Selection(wells=many, name="Many"), {})) < LONGEST_QUERY
