"""The workbench of an analyst: one object over the store, the jobs and the files of one home."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl

from wellprod.analysis import overview as totals
from wellprod.analysis.measures import Units
from wellprod.analysis.overview import Overview
from wellprod.analysis.saved import SavedSelections, delete_selection, list_selections, save_selection, selection_of
from wellprod.analysis.selection import Selection, selected_records
from wellprod.errors import WellprodError
from wellprod.export import (
    ExportRequest,
    ExportResult,
    Link,
    export_link,
    export_records,
    trigger_export,
)
from wellprod.ingest import (
    DryRun,
    ImportRequest,
    ImportSummary,
    Progress,
    dry_run,
    start_import,
    trigger_import,
)
from wellprod.jobs import Ledger
from wellprod.past import Past
from wellprod.selected import Selected
from wellprod.settings import load_settings
from wellprod.store import Store
from wellprod.text import html_pairs, size

Names = str | int | Iterable[str | int]
"""One name or code, or several."""

Paging = Literal["server", "skip"]


class Workbench(Past):
    """What is in the store, what ran, and what goes in and out; frames are polars.

    >>> bench = Workbench()                                       # doctest: +SKIP
    >>> bench.start_import("https://host/odata/WellProduction")   # doctest: +SKIP
    >>> bench.wells(fields="Tupi")                                # doctest: +SKIP

    Rates are calendar-day rates in kbd (thousand barrels a day) and mmcfd (million standard cubic feet a day),
    volumes are kbbl and MMscf; null means not reported, which is not zero. All failures are `WellprodError` and say
    what to do next.

    Parameters
    ----------
    home
        Folder of the store; None for `WELLPROD_HOME`, else `data/` beside the nearest `notebooks/`.
    settings
        Any other setting by its name in small letters, such as ``page_size=5000``.

    Attributes
    ----------
    settings, store, ledger
        The settings, the store of the records, and the ledger of the jobs.

    Raises
    ------
    SettingsError
        A setting is not allowed.
    """

    def __init__(self, home: str | Path | None = None, **settings: Any) -> None:
        self.settings = load_settings(home=home, **settings)
        self.store = Store(self.settings.store_path, self.settings.store_wait_seconds)
        self.ledger = Ledger(self.settings.jobs_path)

    # What is there

    def overview(self) -> Overview:
        """Count the records, fields, wells and months of the store, the restated versions and the rejected rows.

        Raises
        ------
        StoreMissing
            Nothing was imported yet; so for each method that reads.
        """
        with self.store.read() as reading:
            return totals.overview(reading)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Answer a query in DuckDB's SQL; ``?`` takes the parameters one by one. It reads only.

        Tables are `production` (the records: field_code, field_name, well_code, well_reference, well_name,
        production_period, days_on_production, oil_production_kbd, gas_production_mmcfd, liquids_production_kbd,
        water_production_kbd, data_source, source_data, partition_0, created_at, updated_at, job_id),
        `production_history` (what records said before, with replaced_at, replaced_by and change) and
        `rejected_rows` (job_id, page, row_number, reason, raw_row, rejected_at).

        Raises
        ------
        UsageError
            DuckDB cannot answer the query; the message says where.
        """
        with self.store.read() as reading:
            return reading.answer(sql, parameters)

    def records(
        self,
        *,
        selection: Selection | str | None = None,
        fields: Names = (),
        wells: Names = (),
        groups: Names = (),
        first_month: str | None = None,
        last_month: str | None = None,
    ) -> pl.DataFrame:
        """Give records whole, in the order of the key: data source, field, well, month.

        Parameters
        ----------
        selection
            A saved selection by its name, or one made here; what else is given replaces its own.
        fields, wells
            Codes or names, in any letter case; all if none are given. A field is also what `groups.toml` says it was.
        groups
            Names of groups, as `groups.toml` beside the store has them.
        first_month, last_month
            Months such as ``"2024-01"``, both included.

        Raises
        ------
        SelectionError
            A saved selection, field, well, group or month is not there; the message names the nearest. So for all.
        """
        with self.store.read() as reading:
            return selected_records(reading, self._selected(selection, fields, wells, groups, first_month, last_month))

    def fields(self) -> pl.DataFrame:
        """Give the fields, the one with the most oil first.

        Columns field_code, field_name, data_source, wells, months, first_month, last_month, cum_oil_kbbl,
        cum_gas_mmscf, cum_water_kbbl.
        """
        with self.store.read() as reading:
            return totals.field_totals(reading)

    def wells(
        self,
        *,
        selection: Selection | str | None = None,
        fields: Names = (),
        wells: Names = (),
        groups: Names = (),
        first_month: str | None = None,
        last_month: str | None = None,
    ) -> pl.DataFrame:
        """Give the wells of a selection as for `records`, the one with the most oil first.

        Columns well_code, well_reference, well_name, field_name, data_source, months, first_month, last_month,
        cum_oil_kbbl, cum_gas_mmscf, cum_water_kbbl.
        """
        chosen = self._selected(selection, fields, wells, groups, first_month, last_month)
        with self.store.read() as reading:
            return totals.well_totals(reading, chosen)

    def select(
        self,
        *,
        selection: Selection | str | None = None,
        fields: Names = (),
        wells: Names = (),
        groups: Names = (),
        first_month: str | None = None,
        last_month: str | None = None,
        units: Units = "oilfield",
        boe: str = "6:1",
        as_known_on: str | None = None,
    ) -> Selected:
        """Give a selection as for `records` to ask for measures, declines, type wells and charts.

        Parameters
        ----------
        units
            ``"oilfield"`` (kbbl, MMscf) or ``"metric"`` (10³ and 10⁶ Sm³).
        boe
            How gas counts as oil: ``"6:1"``, ``"5.8:1"`` or ``"norway"``.
        as_known_on
            A day such as ``"2024-05-31"``: as the store had it at the end of that day, UTC.
        """
        chosen = self._selected(selection, fields, wells, groups, first_month, last_month)
        return Selected(self.store, chosen, units=units, boe=boe, as_known_on=as_known_on)

    # Selections that were saved

    def selections(self) -> SavedSelections:
        """Give the saved selections by name; what is wrong with a file is told with it."""
        return list_selections(self.settings.selections_path)

    def save_selection(
        self,
        name: str,
        *,
        fields: Names = (),
        wells: Names = (),
        groups: Names = (),
        first_month: str | None = None,
        last_month: str | None = None,
        description: str = "",
        client: str = "",
        replace: bool = False,
    ) -> Selection:
        """Save a selection as for `records` under a name, to give as `selection` from then on.

        Raises
        ------
        SelectionError
            The name is not allowed or, without `replace`, taken; or a field or well is not in the store.
        """
        chosen = (_several(fields), _several(wells), first_month, last_month)
        asked = Selection(*chosen, name, description, client, _several(groups))
        with self.store.read() as reading:
            return save_selection(asked, self.settings.selections_path, reading, replace=replace)

    def delete_selection(self, name: str) -> None:
        """Delete a saved selection; what was exported stays.

        Raises
        ------
        SelectionError
            There is none with this name.
        """
        delete_selection(name, self.settings.selections_path)

    # What comes in

    def dry_run(
        self,
        source: str | Path | None = None,
        *,
        profile: str | None = None,
        page_size: int | None = None,
        paging: Paging = "server",
        start_page: int = 1,
        since: str | None = None,
        shown_rows: int = 20,
    ) -> DryRun:
        """Read the first page as an import would, and store nothing; parameters are those of `start_import`.

        Raises
        ------
        FeedError, ProfileError, UsageError
            The page cannot be had, no profile fits, or a value is not allowed.
        """
        asked = self._asked(
            source, profile=profile, page_size=page_size, paging=paging, start_page=start_page, since=since
        )
        return dry_run(asked, self.settings, shown_rows=shown_rows)

    def start_import(
        self,
        source: str | Path | None = None,
        *,
        profile: str | None = None,
        page_size: int | None = None,
        paging: Paging = "server",
        start_page: int = 1,
        max_pages: int | None = None,
        since: str | None = None,
        changes: bool = False,
        accept_restatements: bool = False,
        accept_drift: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> ImportSummary:
        """Import a feed or a file, and wait for its end; Kernel > Interrupt stops it, and `resume` goes on.

        Parameters
        ----------
        source
            Address of an OData feed, or path of a JSON, CSV, Excel or Parquet file; None for `WELLPROD_FEED_URL`.
        profile
            Name of a feed profile or path of a TOML file; None to recognise it from the first page.
        page_size
            Records a page to ask for, 1 to 5000; None for `WELLPROD_PAGE_SIZE`.
        paging
            ``"server"`` follows next links; ``"skip"`` asks for numbered pages.
        start_page, max_pages
            First page, from 1, which needs numbered pages or a file; and how many at most.
        since
            First production month, such as ``"2024-01"``.
        changes
            Read only what may have changed since the last import of this feed.
        accept_restatements
            Whether it may change any share of the months that the store holds; else see `WELLPROD_RESTATED_SHARE`.
        accept_drift
            Whether it goes on where the feed removed or retyped a property that the profile reads.
        on_progress
            Told how far it is while it runs.

        Raises
        ------
        BusinessRuleViolation
            Another import runs.
        UsageError, ProfileError
            A value is not allowed, or there is no such profile. How the feed failed is in the summary.
        """
        asked = self._asked(
            source,
            profile=profile,
            page_size=page_size,
            paging=paging,
            start_page=start_page,
            max_pages=max_pages,
            since=since,
            changes=changes,
            accept_restatements=accept_restatements,
            accept_drift=accept_drift,
        )
        return start_import(asked, self.settings, on_progress=on_progress)

    def trigger_import(
        self,
        source: str | Path | None = None,
        *,
        profile: str | None = None,
        page_size: int | None = None,
        paging: Paging = "server",
        start_page: int = 1,
        max_pages: int | None = None,
        since: str | None = None,
        changes: bool = False,
        accept_restatements: bool = False,
        accept_drift: bool = False,
    ) -> str:
        """Start an import that runs by itself, also when the kernel ends, and give its job id; see `start_import`.

        `job` then shows how far it is, and `cancel` stops it.
        """
        asked = self._asked(
            source,
            profile=profile,
            page_size=page_size,
            paging=paging,
            start_page=start_page,
            max_pages=max_pages,
            since=since,
            changes=changes,
            accept_restatements=accept_restatements,
            accept_drift=accept_drift,
        )
        return trigger_import(asked, self.settings)

    # What goes out

    def export(
        self,
        output: str | Path | None = None,
        format: str | None = None,
        *,
        selection: Selection | str | None = None,
        fields: Names = (),
        wells: Names = (),
        groups: Names = (),
        first_month: str | None = None,
        last_month: str | None = None,
        columns: Sequence[str] = (),
        preset: str | None = None,
        formulas_as_text: bool = False,
    ) -> ExportResult:
        """Write a selection as for `records` to a file, which is whole or not there.

        Parameters
        ----------
        output
            A file, a folder or an address such as ``s3://bucket/prefix``; None for `wells_prod.csv` in the home.
        format
            Name of a format; None for the one that the name of the output tells, else CSV.
        columns
            Columns of the record; all if none are given.
        preset
            Name of the layout of other software, such as ``"enverus"``, in place of columns: monthly volumes in its
            names and units. `wellprod presets` lists them.
        formulas_as_text
            Whether CSV has an apostrophe before text that a spreadsheet would run as a formula.

        Raises
        ------
        UsageError, ExportError
            A value is not allowed, the selection is empty, or the file cannot be written.
        """
        chosen = self._selected(selection, fields, wells, groups, first_month, last_month)
        request = ExportRequest(chosen, format, output, tuple(columns), formulas_as_text, preset)
        return export_records(request, self.settings)

    def trigger_export(
        self,
        output: str | Path | None = None,
        format: str | None = None,
        *,
        selection: Selection | str | None = None,
        fields: Names = (),
        wells: Names = (),
        groups: Names = (),
        first_month: str | None = None,
        last_month: str | None = None,
        columns: Sequence[str] = (),
        preset: str | None = None,
        formulas_as_text: bool = False,
    ) -> str:
        """Start an export that runs by itself, also when the kernel ends, and give its job id; see `export`.

        Without an output it goes to `WELLPROD_EXPORT_TARGET`, else to `downloads/` in the home; `job` shows how far it
        is, and `link` gives a link to the file.
        """
        chosen = self._selected(selection, fields, wells, groups, first_month, last_month)
        request = ExportRequest(chosen, format, output, tuple(columns), formulas_as_text, preset)
        return trigger_export(request, self.settings)

    def link(self, job_id: str, seconds: int | None = None) -> Link:
        """Give a link to the file of an export, which opens it without a login until it expires.

        Parameters
        ----------
        seconds
            Its life, up to 7 days; None for `WELLPROD_EXPORT_LINK_SECONDS`.

        Raises
        ------
        UsageError, ExportError
            The life is not allowed, the export is not done, or its file is gone.
        """
        return export_link(job_id, self.settings, seconds)

    def _selected(
        self,
        selection: Selection | str | None,
        fields: Names,
        wells: Names,
        groups: Names,
        first_month: str | None,
        last_month: str | None,
    ) -> Selection:
        chosen = (_several(fields), _several(wells), first_month, last_month, _several(groups))
        if isinstance(selection, Selection):
            return selection.narrowed(*chosen)
        return selection_of(selection, self.settings.selections_path, *chosen)

    def _asked(self, source: str | Path | None, **given: Any) -> ImportRequest:
        return ImportRequest.from_settings(self.settings, str(source) if source else None, **given)

    def __repr__(self) -> str:
        return f"<Workbench at {self.settings.home}>"

    def _repr_html_(self) -> str:
        home = str(self.settings.home)
        try:
            found = self.overview().as_pairs()
        except WellprodError as error:  # to show a workbench must not fail
            return html_pairs({"Home": home, "Store": error.message, "Next": error.next})
        path = self.store.path
        return html_pairs({**found, "Store": f"{path.name} ({size(path.stat().st_size)})", "Home": home})


def _several(names: Names) -> tuple[str, ...]:
    return (str(names),) if isinstance(names, str | int) else tuple(map(str, names))
