"""The parts: what is run, on how many records, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import merge
from benchmarks.feed import feed
from benchmarks.measure import Runs, Task, in_turn, run_once
from benchmarks.measures import QUERIES, prepare
from benchmarks.report import Row
from benchmarks.stores import WELL_MONTHS, Order, build
from wellprod.settings import bytes_of


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: records, and runs of each thing."""

    repeats: int = 5
    imported: int = 1_000_000
    imported_least: int = 300_000
    imported_most: int = 3_000_000
    by_dlt: int = 200_000
    stored_few: int = 1_000_000
    stored_many: int = 10_000_000
    exported_in_little: int = 500_000
    exported_as_workbook: int = 1_000_000
    exports_at_once: int = 10
    export_memory: str = "2GB"
    export_threads: int = 4
    watched: int = 600_000
    watchers: int = 200
    declining: int = 1000
    paged: int = 100_000


QUICK = Size(
    repeats=3,
    imported=100_000,
    imported_least=50_000,
    imported_most=200_000,
    by_dlt=20_000,
    stored_few=100_000,
    stored_many=1_000_000,
    exported_in_little=100_000,
    exported_as_workbook=100_000,
    watched=300_000,
    declining=200,
    paged=50_000,
)


def imports(size: Size, folder: Path) -> list[Row]:
    """Measure the import against the floor, against dlt, and its memory."""
    with feed(max(size.imported, size.imported_most, size.by_dlt)) as root:

        def task(name: str, function: str, records: int) -> Task:
            return Task(name, f"imports:{function}", {"url": f"{root}/{records}/WellProduction"})

        runs = in_turn(
            [
                task("floor", "floor", size.imported),
                task("wellprod", "by_wellprod", size.imported),
                task("wellprod, least", "by_wellprod", size.imported_least),
                task("wellprod, most", "by_wellprod", size.imported_most),
            ],
            size.repeats,
        )
        rival = in_turn(
            [task("wellprod", "by_wellprod", size.by_dlt), task("dlt", "by_dlt", size.by_dlt)], size.repeats
        )
    _check({"floor": size.imported, "wellprod": size.imported, "wellprod, most": size.imported_most}, runs)
    _check({"wellprod": size.by_dlt, "dlt": size.by_dlt}, rival)
    least, middle, most = (runs[name] for name in ("wellprod, least", "wellprod", "wellprod, most"))
    growth = most.most_memory_mb / least.most_memory_mb
    return [
        Row(f"import of {size.imported:,} / download and parse", _against(middle, runs["floor"]), _ratio(runs), 2.0),
        Row(
            f"dlt / import, {size.by_dlt:,} records",
            _against(rival["dlt"], rival["wellprod"]),
            rival["dlt"].median / rival["wellprod"].median,
            30.0,
            at_least=True,
        ),
        Row(
            f"peak memory of an import of {size.imported:,}",
            _speed(middle, size.imported),
            middle.most_memory_mb,
            400.0,
            " MB",
        ),
        Row(
            f"peak memory, {size.imported_most:,} / {size.imported_least:,}",
            f"{most.most_memory_mb:.0f} / {least.most_memory_mb:.0f} MB",
            growth,
            1.1,
        ),
    ]


def lanes(size: Size, folder: Path) -> list[Row]:
    """Measure an import on eight lanes against one on one, from a feed that takes 250 ms a page."""
    page_records, delay_seconds = 500, 0.25
    with feed(size.paged, page_records, delay_seconds) as root:
        given = {"url": f"{root}/{size.paged}/WellProduction", "page_records": page_records}
        tasks = [Task(f"lanes: {n}", "imports:on_lanes", {**given, "lanes": n}) for n in (1, 2, 8)]
        runs = in_turn(tasks, size.repeats)
    _check({task.name: size.paged for task in tasks}, runs)
    one, two, eight = runs.values()
    pages = f"{size.paged // page_records:,} pages of 250 ms"
    return [
        Row(f"{pages}, 1 lane / 8", _against(one, eight), one.median / eight.median, 6.0, at_least=True),
        Row(f"{pages}, 1 lane / 2", _against(one, two), one.median / two.median),
        Row(
            "peak memory, 8 lanes / 1",
            f"{eight.most_memory_mb:.0f} / {one.most_memory_mb:.0f} MB",
            eight.most_memory_mb / one.most_memory_mb,
        ),
    ]


def merges(size: Size, folder: Path) -> list[Row]:
    """Measure one commit into a small and a large store, for each order and kind."""
    rows: list[Row] = []
    orders: tuple[Order, ...] = ("well", "month")
    for order in orders:
        stores = {records: folder / f"{order}-{records}.duckdb" for records in (size.stored_few, size.stored_many)}
        for records, path in stores.items():
            build(path, records, order)
        for kind in merge.KINDS:
            few, many = (
                Task(
                    f"{kind}, {order}, {records:,}",
                    "merge:commit",
                    {"path": str(path), "kind": kind, "wells": records // WELL_MONTHS},
                )
                for records, path in stores.items()
            )
            runs = in_turn([few, many], size.repeats)
            sizes = f"{size.stored_many:,} / {size.stored_few:,}"
            what = f"commit of {merge.GROUP_RECORDS:,} {kind}, store by {order}, {sizes}"
            value = runs[many.name].median / runs[few.name].median
            rows.append(Row(what, _against(runs[many.name], runs[few.name]), value, 1.5))
        for path in stores.values():
            path.unlink()
    return rows


def exports(size: Size, folder: Path) -> list[Row]:
    """Measure the exports against COPY, their memory, several at once, and that little memory gives the same file."""
    homes = {"large": size.stored_many, "middle": size.exported_as_workbook, "small": size.exported_in_little}
    for name, records in homes.items():
        (folder / name).mkdir()
        build(folder / name / "wells_production.duckdb", records, "month")

    def task(home: str, function: str, format: str = "csv", memory: str = size.export_memory) -> Task:
        given = {"home": str(folder / home), "memory": memory, "threads": size.export_threads, "format": format}
        return Task(f"{function} {format}", f"export:{function}", given)

    def ratio(home: str, format: str, copied: str, target: float) -> tuple[Row, Runs, Runs]:
        ours, theirs = in_turn(
            [task(home, "by_wellprod", format), task(home, "by_copy", copied)], size.repeats
        ).values()
        what = f"{format} of {homes[home]:,} / COPY{'' if format == copied else f' as {copied}'}"
        return Row(what, _against(ours, theirs), ours.median / theirs.median, target), ours, theirs

    plain, ours, theirs = ratio("large", "csv", "csv", 1.1)
    gzip, *_ = ratio("middle", "csv.gz", "csv.gz", 0.5)
    zstd, *_ = ratio("middle", "csv.zst", "csv", 1.5)
    parquet, *_ = ratio("large", "parquet", "parquet", 1.1)
    workbook = run_once(task("middle", "by_wellprod", "excel"))
    with ThreadPoolExecutor(size.exports_at_once) as pool:
        together = list(pool.map(run_once, [task("small", "by_wellprod", memory="512MB")] * size.exports_at_once))
    little = run_once(task("small", "by_wellprod", memory="64MB"))
    return [
        plain,
        Row(
            f"peak memory of the export, limit {size.export_memory}",
            f"COPY: {theirs.most_memory_mb:.0f} MB",
            ours.most_memory_mb,
            bytes_of(size.export_memory) / 1e6,
            " MB",
        ),
        parquet,
        gzip,
        zstd,
        Row(
            f"peak memory of a workbook of {homes['middle']:,}, limit {size.export_memory}",
            f"{workbook['seconds']:.0f} s, {workbook['size_mb']:.0f} MB",
            workbook["memory_mb"],
            500.0,
            " MB",
        ),
        Row(
            f"{size.exports_at_once} exports of {homes['small']:,} at once: most memory of one, limit 512MB",
            f"{max(result['seconds'] for result in together):.1f} s, {len({r['digest'] for r in together})} digest",
            max(result["memory_mb"] for result in together),
            512.0,
            " MB",
        ),
        Row(
            f"{homes['small']:,} records with 64MB: the same bytes",
            f"batches of {little['smallest_batch']:,} or more",
            float(little["digest"] == together[0]["digest"]),
            1.0,
            at_least=True,
        ),
    ]


def jobs(size: Size, folder: Path) -> list[Row]:
    """Measure how long it takes to start an import in the background."""
    history = 200
    with feed(1000) as root:
        task = Task("trigger", "jobs:trigger", {"url": f"{root}/1000/WellProduction", "history": history})
        runs = in_turn([task], size.repeats)["trigger"]
    if wrong := [result["status"] for result in runs.results if result["status"] != "COMPLETED"]:
        raise SystemExit(f"An import that was triggered ended as {wrong[0]}.")
    return [Row(f"trigger of an import, {history} jobs before it", runs.spread, 1000 * runs.median, 100.0, " ms")]


def api(size: Size, folder: Path) -> list[Row]:
    """Measure what an import loses while many callers ask how far it is, and how long a trigger by REST takes."""
    with feed(size.watched) as root:
        given = {"url": f"{root}/{size.watched}/WellProduction", "seconds_between": 1.0}
        alone, watched = in_turn(
            [
                Task(name, "api:watched_import", {**given, "clients": clients})
                for name, clients in {"alone": 0, "watched": size.watchers}.items()
            ],
            size.repeats,
        ).values()
        _check({"alone": size.watched, "watched": size.watched}, {"alone": alone, "watched": watched})
        little = Task("trigger", "api:trigger", {"url": f"{root}/1000/WellProduction"})
        triggers = in_turn([little], size.repeats)["trigger"]
    slow = max(result["slow_ms"] for result in watched.results)
    rate = min(result["asked_a_second"] for result in watched.results)
    return [
        Row(
            f"import of {size.watched:,} with {size.watchers} callers of its status / without",
            f"{_against(watched, alone)}; {rate:.0f} answers a second, 99 of 100 within {slow:.0f} ms",
            watched.median / alone.median,
            1.1,
        ),
        Row("trigger of an import by REST", triggers.spread, 1000 * triggers.median, 100.0, " ms"),
    ]


def measures(size: Size, folder: Path) -> list[Row]:
    """Measure each kind of measure over all records, some by field and by well, against SQL written by hand."""
    path = folder / "wells_production.duckdb"
    build(path, size.stored_many, "month")
    prepare(path)
    some = {"field": ("oil_rate", "gor", "cum_oil", "oil_yoy", "wells"), "well": ("oil_rate", "cum_oil", "oil_yoy")}
    rows: list[Row] = []
    for by, names in {"all": tuple(QUERIES), **some}.items():
        for name in names:
            given = {"home": str(folder), "measure": name, "by": by}
            ours, theirs = in_turn(
                [Task(f"{name} by {by}, {who}", f"measures:{who}", given) for who in ("by_wellprod", "by_hand")],
                size.repeats,
            ).values()
            one, other = ours.results[0], theirs.results[0]
            if one["rows"] != other["rows"] or abs(one["sum"] - other["sum"]) > 1e-9 * abs(other["sum"]):
                raise SystemExit(f"{name} by {by} is not what was computed by hand: {one}, {other}.")
            what = f"{name} by {by} of {size.stored_many:,} / by hand"
            rows.append(Row(what, _against(ours, theirs), ours.median / theirs.median, 1.2))
    return rows


def declines(size: Size, folder: Path) -> list[Row]:
    """Measure how many known declines are found again, by the length of the history, and how long that takes."""

    def task(months: tuple[int, int], rough: bool = False, workers: int | None = None) -> Task:
        given = {"months": months, "rough": rough, "wells": size.declining, "workers": workers}
        years = f"{months[0]}" if months[0] == months[1] else f"{months[0]} to {months[1]}"
        name = f"{size.declining:,} {'rough ' if rough else ''}wells with {years} months"
        return Task(name, "declines:fit", {"path": str(folder / "known.duckdb"), **given})

    rows: list[Row] = []
    for months in ((120, 120), (60, 120), (36, 120), (24, 36)):
        for rough in (False, True):
            result = run_once(one := task(months, rough))
            told = "EUR within 5 %: {eur:.1%}, b within 0.1: {b:.1%}, failed: {failed:.1%}".format(**result)
            told += f", median backtest error {result['tested']:.1%}; {result['seconds']:.1f} s"
            limit = 95.0 if months == (120, 120) else None
            rows.append(Row(f"{one.name}: both", told, 100 * result["both"], limit, " %", at_least=True))
    alone, together = in_turn(
        [replace(task((120, 120), workers=1), name="one"), replace(task((120, 120)), name="all")], size.repeats
    ).values()
    rows.append(
        Row("all cores / one process, with the query", _against(together, alone), together.median / alone.median)
    )
    return rows


PARTS: dict[str, Callable[[Size, Path], list[Row]]] = {
    "imports": imports,
    "lanes": lanes,
    "merges": merges,
    "exports": exports,
    "jobs": jobs,
    "api": api,
    "measures": measures,
    "declines": declines,
}
"""Every part by its name."""


def _ratio(runs: dict[str, Runs]) -> float:
    return runs["wellprod"].median / runs["floor"].median


def _against(one: Runs, other: Runs) -> str:
    return f"{one.median:.3g} s ({one.spread}) / {other.median:.3g} s ({other.spread})"


def _speed(runs: Runs, records: int) -> str:
    return f"{records / runs.median:,.0f} records a second"


def _check(records: dict[str, int], runs: dict[str, Runs]) -> None:
    for name, wanted in records.items():
        if wrong := [r["records"] for r in runs[name].results if r["records"] != wanted]:
            raise SystemExit(f"{name}: {wrong[0]:,} records came, not {wanted:,}.")
