"""The table of duties in `docs/odata.md` names the tests that there are, and all of them."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "odata.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| duty ", "| --- "))
]
DUTIES = ("test_odata_duties.py", "test_odata_payloads.py")


def named_tests(*files: str) -> set[str]:
    """Give the names of the tests in some files of the suite, all where none is named."""
    paths = [TESTS / file for file in files] or TESTS.glob("test_*.py")
    return {name for path in paths for name in re.findall(r"(?m)^def (test_\w+)", path.read_text("utf-8"))}


def test_each_duty_has_tests_that_there_are() -> None:
    """A row without one says that the duty does not apply, or that it is not done."""
    known = named_tests()
    assert len(ROWS) > 40
    for duty, _, done, tests in ROWS:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named or done.startswith(("does not apply", "not done")), duty
        assert set(named) <= known, duty


def test_each_test_of_a_duty_is_in_the_table() -> None:
    """None is written that a reader does not find."""
    assert named_tests(*DUTIES) - set(re.findall(r"`(test_\w+)`", TEXT)) == set()
