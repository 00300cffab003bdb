"""One group of records into the store: new, duplicate or restated, each counted, none lost.

The order of the rows decides: the later one of two with the same key wins, whether they come in one group or in two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from wellprod.schema import CONTENT, KEY, RECORD

_REJECTS = {"page": pl.Int32, "row_number": pl.Int32, "reason": pl.String}
_MET = {"position": pl.UInt32, "stored_day": pl.UInt8, "by_this_job": pl.Boolean, "changed": pl.Boolean}
_FULL_GROUP = 20_000
_RESTATED = (*CONTENT, "day_given")
_STORED = (*RECORD, "day_given", "job_id")


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a group: counts of records, and the rows that contradict what the store holds.

    `compared` counts the records that the store held before this import and the group met, `changed` those of them that
    it restated.
    """

    new: int = 0
    duplicate: int = 0
    restated: int = 0
    compared: int = 0
    changed: int = 0
    rejects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_REJECTS))


def merge(
    connection: duckdb.DuckDBPyConnection,
    records: pl.DataFrame,
    *,
    job_id: str,
    now: datetime,
    well_in_one_field: bool,
) -> Merged:
    """Merge `records` into `production` inside the open transaction.

    Parameters
    ----------
    records
        The content columns of the record, `day_given`, `page` and `row_number`, in the order of the source; and
        `field_text`, `well_text` where codes were made from text.
    well_in_one_field
        A well belongs to one field at a time: a changed field_code restates the record.
    """
    return _Merge(connection, job_id, now, well_in_one_field).run(records)


@dataclass(slots=True)
class _Merge:
    connection: duckdb.DuckDBPyConnection
    job_id: str
    now: datetime
    well_in_one_field: bool
    rejects: list[pl.DataFrame] = field(default_factory=list)

    @property
    def key(self) -> list[str]:
        return [name for name in KEY if not (self.well_in_one_field and name == "field_code")]

    @property
    def same_key(self) -> str:
        return " AND ".join(f"p.{name} = i.{name}" for name in self.key)

    def run(self, records: pl.DataFrame) -> Merged:
        total = records.height
        records = self._without_ambiguous_codes(records)
        records = self._without_second_days(records)
        first, later = self._versions(records)
        first = first.with_row_index("position")
        met = self._met(first)
        clash = self._days_of_this_import(first, met)
        if not clash.is_empty():
            self._reject_not_monthly(records.join(clash.select(*self.key, "other_day"), on=self.key))
            first, later = (rows.join(clash, on=self.key, how="anti") for rows in (first, later))
        known = first.join(met, on="position", maintain_order="left")
        compared = known.filter(~pl.col("by_this_job"))
        unchanged = compared.filter(~pl.col("changed")).join(later, on=self.key, how="anti")
        new, restated = self._merge_first(first, known)
        restated += self._merge_later(later)
        rejects = pl.concat([pl.DataFrame(schema=_REJECTS), *self.rejects])
        return Merged(
            new=new,
            restated=restated,
            duplicate=total - new - restated - rejects.height,
            compared=compared.height,
            changed=compared.height - unchanged.height,
            rejects=rejects,
        )

    def _sql(self, query: str, *parameters: Any, **frames: pl.DataFrame) -> duckdb.DuckDBPyConnection:
        for name, frame in frames.items():
            self.connection.register(name, frame)
        result = self.connection.execute(query, parameters)
        return result

    def _reject(self, rows: pl.DataFrame, reason: pl.Expr) -> None:
        self.rejects.append(rows.select("page", "row_number", reason=reason).cast(_REJECTS))  # type: ignore[arg-type]

    def _without_ambiguous_codes(self, records: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows whose code stands for one text only; the first text to come has the code."""
        for kind in ("field", "well"):
            text, code = f"{kind}_text", f"{kind}_code"
            if text not in records.columns:
                continue
            given = records.select("data_source", code=code, text=text).unique(
                ["data_source", "code"], keep="first", maintain_order=True
            )
            known = self._sql(
                "SELECT i.data_source, i.code, coalesce(c.text, i.text) AS known_text, c.text IS NULL AS fresh"
                " FROM given i LEFT JOIN code_texts c"
                " ON c.kind = ? AND c.data_source = i.data_source AND c.code = i.code",
                kind,
                given=given,
            ).pl()
            self._sql(
                "INSERT INTO code_texts SELECT data_source, ?, code, known_text FROM known WHERE fresh",
                kind,
                known=known,
            )
            records = records.join(
                known.drop("fresh"),
                left_on=["data_source", code],
                right_on=["data_source", "code"],
                how="left",
                maintain_order="left",
            )
            clash = pl.col(text) != pl.col("known_text")
            self._reject(
                records.filter(clash),
                pl.format(f"{kind} code {{}} stands for two texts: '{{}}' and '{{}}'", code, "known_text", text),
            )
            records = records.filter(~clash).drop("known_text")
        return records.drop("field_text", "well_text", strict=False)

    def _without_second_days(self, records: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows whose date is the first one given for the well and month in this group."""
        if records.is_empty() or records["day_given"].n_unique() == 1:
            return records
        first = pl.col("day_given").first().over(self.key)
        self._reject_not_monthly(records.with_columns(other_day=first).filter(pl.col("day_given") != first))
        return records.filter(pl.col("day_given") == first)

    def _reject_not_monthly(self, rows: pl.DataFrame) -> None:
        month = pl.col("production_period").dt.strftime("%Y-%m")
        two = [pl.col(day).cast(pl.String).str.zfill(2) for day in ("other_day", "day_given")]
        self._reject(
            rows,
            pl.format(
                "not monthly: {}-{} and {}-{} both given for well {} in one import",
                month,
                two[0],
                month,
                two[1],
                "well_code",
            ),
        )

    def _versions(self, records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Part the rows into the first version of each key and later versions that differ from the one before."""
        repeated = records.select(self.key).is_duplicated()
        if not repeated.any():
            return records, records.clear()
        several = records.filter(repeated)
        content = pl.struct(*CONTENT)
        place = pl.int_range(pl.len()).over(self.key)
        changed = content.ne_missing(content.shift().over(self.key))
        first = pl.concat([records.filter(~repeated), several.filter(place == 0)])
        return first, several.filter((place > 0) & changed)

    def _met(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give what the store holds of these keys: position, stored_day, by_this_job, changed."""
        differs = " OR ".join(f"p.{name} IS DISTINCT FROM i.{name}" for name in CONTENT if name not in self.key)
        first = self._sql(  # the keys alone tell quickly that all are new
            f"SELECT 1 FROM keys i JOIN production p ON {self.same_key} LIMIT 1", keys=rows.select(self.key)
        )
        if first.fetchone() is None:
            return pl.DataFrame(schema=_MET)
        return self._sql(
            f"SELECT i.position, p.day_given AS stored_day, p.job_id = ?::UUID AS by_this_job, {differs} AS changed"
            f" FROM incoming i JOIN production p ON {self.same_key}",
            self.job_id,
            incoming=rows,
        ).pl()

    def _days_of_this_import(self, rows: pl.DataFrame, met: pl.DataFrame) -> pl.DataFrame:
        """Give the rows that this import has met before under another date of the same month, and that date."""
        suspects = rows.join(met, on="position").filter(pl.col("day_given") != pl.col("stored_day"))
        if suspects.is_empty():
            return suspects
        confirmed = self._sql(
            "SELECT i.position, min(p.day_given) AS confirmed_day FROM suspects i"
            f" JOIN import_confirmed p ON p.job_id = ?::UUID AND {self.same_key} GROUP BY i.position",
            self.job_id,
            suspects=suspects,
        ).pl()
        met_under = pl.coalesce("confirmed_day", pl.when("by_this_job").then("stored_day"))
        return (
            suspects.join(confirmed, on="position", how="left")
            .with_columns(other_day=met_under)
            .filter(pl.col("other_day") != pl.col("day_given"))
        )

    def _merge_first(self, rows: pl.DataFrame, known: pl.DataFrame) -> tuple[int, int]:
        """Merge at most one row a key, of which the store holds the `known`; give the counts of new and restated."""
        if known.is_empty():
            self._insert(rows)
            return rows.height, 0
        fresh = rows.join(known, on="position", how="anti", maintain_order="left")
        restated, unchanged = known.filter("changed"), known.filter(~pl.col("changed"))
        self._insert(fresh)
        self._replace(restated)
        if not unchanged.is_empty():
            self._sql(
                "INSERT INTO import_confirmed SELECT ?::UUID, data_source, field_code, well_code, production_period,"
                " day_given FROM unchanged",
                self.job_id,
                unchanged=unchanged,
            )
        return fresh.height, restated.height

    def _merge_later(self, versions: pl.DataFrame) -> int:
        """Restate by further versions in one group: the last one stays, those between go to history at once."""
        if versions.is_empty():
            return 0
        last = versions.unique(self.key, keep="last", maintain_order=True)
        between = versions.join(last, on=["page", "row_number"], how="anti", maintain_order="left")
        self._replace(last)
        self._sql(
            f"INSERT INTO production_history BY NAME SELECT {', '.join(CONTENT)}, day_given, ?::UUID AS job_id,"
            " ?::TIMESTAMP AS created_at, ?::TIMESTAMP AS updated_at, ?::TIMESTAMP AS replaced_at,"
            " ?::UUID AS replaced_by FROM between_versions",
            self.job_id,
            self.now,
            self.now,
            self.now,
            self.job_id,
            between_versions=between,
        )
        return versions.height

    def _insert(self, rows: pl.DataFrame) -> None:
        if not rows.is_empty():
            if rows.height >= _FULL_GROUP:
                self._sql("SET max_vacuum_tasks = 0")  # full groups need no merging with their neighbours
            self._sql("SET threads = 1")  # so few rows are stored quicker by one than shared out
            self._sql(
                f"INSERT INTO production BY NAME SELECT {', '.join(CONTENT)}, day_given, ?::UUID AS job_id,"
                " ?::TIMESTAMP AS created_at, ?::TIMESTAMP AS updated_at FROM fresh",
                self.job_id,
                self.now,
                self.now,
                fresh=rows,
            )

    def _replace(self, rows: pl.DataFrame) -> None:
        """Move the stored versions of these keys to history and write the given ones in their place."""
        if rows.is_empty():
            return
        columns = ", ".join(f"p.{name}" for name in _STORED)
        self._sql(
            f"INSERT INTO production_history BY NAME SELECT {columns}, ?::TIMESTAMP AS replaced_at,"
            f" ?::UUID AS replaced_by FROM production p JOIN newer i ON {self.same_key}",
            self.now,
            self.job_id,
            newer=rows,
        )
        changed = self._sql(
            f"SELECT {', '.join(f'bool_or(p.{name} IS DISTINCT FROM i.{name}) AS {name}' for name in _RESTATED)}"
            f" FROM production p JOIN newer i ON {self.same_key}"
        ).pl()
        values = "".join(f"{name} = i.{name}, " for name in _RESTATED if changed[name][0])
        self._sql(
            f"MERGE INTO production p USING newer i ON {self.same_key}"
            f" WHEN MATCHED THEN UPDATE SET {values}job_id = ?::UUID, updated_at = ?::TIMESTAMP",
            self.job_id,
            self.now,
        )
