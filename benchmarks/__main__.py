"""`python -m benchmarks`: run the parts, print the results, and keep them in the README on request."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.parts import PARTS, QUICK, Size
from benchmarks.report import machine, table

_README = Path(__file__).with_name("README.md")
_MARK = "<!-- results: written by `python -m benchmarks --write` -->"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all unless given")
    parser.add_argument("--quick", action="store_true", help="a tenth of the records, three runs")
    parser.add_argument("--repeats", type=int, help="runs of each thing")
    parser.add_argument("--dlt-records", type=int, help="records for the comparison with dlt")
    parser.add_argument("--write", action="store_true", help="keep the results in benchmarks/README.md")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    size = QUICK if given.quick else Size()
    size = replace(size, repeats=given.repeats or size.repeats, by_dlt=given.dlt_records or size.by_dlt)
    print(machine())
    written = [f"{datetime.now(UTC):%Y-%m-%d}, medians of {size.repeats}: {machine()}"]
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            written.append(f"### {name}\n\n{table(PARTS[name](size, Path(folder)))}")
        print(f"\n{written[-1]}", flush=True)
    if given.write:
        head = _README.read_text("utf-8").partition(_MARK)[0]
        _README.write_text("\n\n".join([head + _MARK, *written]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
