"""Stores of many invented records, put together by SQL in the real tables."""

from __future__ import annotations

from pathlib import Path

from wellprod.store import Store


def fill(path: Path, records: int) -> None:
    """Make a store of 5,000 wells in 37 fields, whose records lie month by month, so that the wells are scattered."""
    columns = {
        "field_code": "i % 37",
        "field_name": "'Field ' || i % 37",
        "well_code": "i % 5000",
        "well_reference": "'W-' || i % 5000",
        "well_name": "'A well with a long name, number ' || i % 5000",
        "production_period": "(DATE '2010-01-01' + to_months((i // 5000)::INT))::DATE",
        "oil_production_kbd": "hash(i) / 1e19",
        "data_source": "'large'",
        "created_at": "now()::TIMESTAMP",
        "updated_at": "now()::TIMESTAMP",
        "day_given": "1",
        "job_id": "uuid()",
    }
    select = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    with Store(path, memory="1GB").write() as writing:
        writing.connection.execute(f"INSERT INTO production BY NAME SELECT {select} FROM range({records}) t(i)")
