"""The ledger of jobs: created, claimed by a process, followed, finished or cancelled; kept for ever.

It lies in SQLite beside the store, so that every process sees the progress of a job while the store is busy.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock

from wellprod.errors import BusinessRuleViolation, JobError, JobNotFound
from wellprod.jobs.job import ACTIVE, Job, Status
from wellprod.jobs.process import ProcessMark

SINGLE_IMPORT_RULE = "SINGLE_IMPORT_RULE"
SUMMARY_MIME = "application/vnd.wellprod.summary+json"
"""The type under which a notebook keeps the summary of a job for programs: its values with `exit_code`."""
_SILENT_SECONDS = 60.0
_WAIT_SECONDS = 30
_SHORT_ID = 8


_metadata = sa.MetaData()
_jobs = sa.Table(
    "jobs",
    _metadata,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("completed_at", sa.Double),
    sa.Column("runs", sa.Integer, nullable=False, default=0),
    sa.Column("progress", sa.JSON),
    sa.Column("summary", sa.JSON),
    sa.Column("error", sa.JSON),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_started_at", sa.Double, nullable=False),
    sa.Column("heartbeat_at", sa.Double, nullable=False),
)
_is_active = _jobs.c.status.in_([str(status) for status in ACTIVE])
_changes_store = _jobs.c.kind.in_(["import", "undo", "restore"])
_active_change = sa.and_(_changes_store, _is_active)
_one_change = sa.Index(
    "one_change_at_a_time",
    _changes_store,
    unique=True,
    sqlite_where=_active_change,
    postgresql_where=_active_change,
)


@dataclass(frozen=True, slots=True)
class Totals:
    """The jobs of one kind in one state: how many there are, and their figures added up by name."""

    kind: str
    status: Status
    jobs: int
    sums: dict[str, float]


class Ledger:
    """All jobs of one workbench.

    Parameters
    ----------
    path
        The SQLite file; it and its folder are made when a job is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = sa.create_engine(
            f"sqlite:///{path}", connect_args={"timeout": _WAIT_SECONDS}, poolclass=sa.NullPool
        )
        self._is_made = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the file open while the block lasts, which makes all that many callers do with it several times faster.

        SQLite else folds its log into the file whenever the last connection closes.

        Raises
        ------
        JobError
            The file cannot be made or opened.
        """
        with self._explaining():
            self._make()
            connection = self._engine.connect()
            connection.execute(sa.select(_jobs.c.job_id).limit(1)).all()
            connection.rollback()
        with connection:
            yield

    def create(self, kind: str, parameters: Mapping[str, Any], *, status: Status = Status.RUNNING) -> Job:
        """Enter a job: RUNNING in this process, or PENDING until the process that is to run it claims it.

        Raises
        ------
        BusinessRuleViolation
            It is an import, an undo or a restore, and another of these is pending or running; `details` has rule and
            job_id.
        """
        job_id, now = str(uuid.uuid4()), time.time()
        self._settle()
        fresh = {"job_id": job_id, "kind": kind, "parameters": dict(parameters), "created_at": now, "runs": 0}
        try:
            with self._writing() as connection:
                connection.execute(_jobs.insert().values(**{**fresh, **self._taken(status, now, runs=0)}))
        except sa.exc.IntegrityError:
            raise self._another_change() from None
        return self.get(job_id)

    def claim(
        self, job_id: str, *, status: Status = Status.RUNNING, parameters: Mapping[str, Any] | None = None
    ) -> Job:
        """Take a job that does not run, to run it in this process; a completed one is given back as it is.

        With the status PENDING it is taken for a process that will claim it in turn; `parameters` take the place of its
        own of these names.

        Raises
        ------
        JobNotFound
            There is no such job.
        BusinessRuleViolation
            It runs already, or another import, undo or restore does.
        """
        job = self.get(job_id)
        if job.status == Status.COMPLETED:
            return job
        busy = [Status.RUNNING] if status == Status.RUNNING else list(ACTIVE)
        idle = _jobs.update().where(_jobs.c.job_id == job.job_id, _jobs.c.status.not_in(busy))
        waited = _jobs.c.status == Status.PENDING  # a wish to cancel that came meanwhile stays
        cancel = sa.case((waited, _jobs.c.cancel_requested), else_=False)
        fresh = {"completed_at": None, "error": None, "summary": None, "cancel_requested": cancel}
        asked = {"parameters": {**job.parameters, **(parameters or {})}}
        try:
            with self._writing() as connection:
                taken = connection.execute(
                    idle.values(**{**self._taken(status, time.time(), runs=job.runs), **fresh, **asked})
                ).rowcount
        except sa.exc.IntegrityError:
            raise self._another_change() from None
        if not taken:
            raise BusinessRuleViolation(
                f"The job {job.job_id} runs already.",
                next=f"Follow it with: wellprod jobs show {job.job_id}",
                rule="JOB_RUNS_ONCE",
                job_id=job.job_id,
            )
        return self.get(job_id)

    def hand_over(self, job_id: str, process: ProcessMark) -> None:
        """Note which process is to run a pending job, so that the job is known to live or not."""
        theirs = {"host": process.host, "pid": process.pid, "process_started_at": process.started_at}
        pending = _jobs.update().where(_jobs.c.job_id == job_id, _jobs.c.status == Status.PENDING)
        with self._writing() as connection:
            connection.execute(pending.values(**theirs))

    def report(self, job_id: str, progress: Mapping[str, Any]) -> None:
        """Write how far a job is; the time of it shows that the job lives."""
        self._set(job_id, progress=dict(progress), heartbeat_at=time.time())

    def is_cancel_requested(self, job_id: str) -> bool:
        """Tell whether somebody asked the job to stop."""
        with self._reading() as connection:
            return bool(connection.scalar(sa.select(_jobs.c.cancel_requested).where(_jobs.c.job_id == job_id)))

    def finish(
        self,
        job_id: str,
        status: Status,
        *,
        summary: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """Write how a job ended."""
        values = {"summary": dict(summary) if summary else None, "error": dict(error) if error else None}
        self._set(job_id, status=status, completed_at=time.time(), heartbeat_at=time.time(), **values)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop, which it does within a page; one that has ended is left as it is."""
        job = self.get(job_id)
        if job.status in ACTIVE:
            self._set(job.job_id, cancel_requested=True)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Give one job, by its id or by the first eight characters of it or more.

        Raises
        ------
        JobNotFound
            The id is none, or no job has it.
        """
        self._settle()
        wanted = job_id.strip().lower()
        by_id = _jobs.c.job_id.startswith(wanted, autoescape=True) if len(wanted) >= _SHORT_ID else sa.false()
        with self._reading() as connection:
            rows = connection.execute(sa.select(_jobs).where(by_id).limit(2)).all()
        if len(rows) == 1:
            return _job(rows[0])
        try:
            uuid.UUID(job_id)
        except ValueError:
            raise JobNotFound(
                f"{job_id!r} is no job id; an id looks like {uuid.UUID(int=0)}.",
                next="wellprod jobs list shows them.",
            ) from None
        raise JobNotFound(f"There is no job {job_id}.", next="wellprod jobs list shows those there are.")

    def jobs(self, *, kind: str | None = None, limit: int = 50, offset: int = 0) -> list[Job]:
        """Give the jobs, all or of one kind, newest first."""
        return self._listed(sa.select(_jobs).limit(limit).offset(offset), kind)

    def active_jobs(self, *, kind: str | None = None) -> list[Job]:
        """Give the jobs that are pending or running, all or of one kind, newest first; an old one may be resumed."""
        return self._listed(sa.select(_jobs).where(_is_active), kind)

    def running_import(self) -> Job | None:
        """Give the import that is pending or running, if there is one."""
        return next(iter(self.active_jobs(kind="import")), None)

    def running_change(self) -> Job | None:
        """Give the import, undo or restore that is pending or running, if there is one: there is one at a time."""
        found = self._listed(sa.select(_jobs).where(_active_change), None)
        return next(iter(found), None)

    def undo_of(self, job_id: str) -> Job | None:
        """Give the job that took an import back, or is to, if there is one; the newest."""
        undoes = _jobs.c.parameters["undoes"].as_string() == job_id
        found = self._listed(sa.select(_jobs).where(_jobs.c.kind == "undo", undoes).limit(1), None)
        return next(iter(found), None)

    def undone_imports(self) -> set[str]:
        """Give the ids of the imports that were taken back."""
        undoes = _jobs.c.parameters["undoes"].as_string()
        query = sa.select(undoes).where(_jobs.c.kind == "undo", _jobs.c.status == Status.COMPLETED)
        with self._reading() as connection:
            return set(connection.execute(query).scalars())

    def last_completed(self, kind: str) -> Job | None:
        """Give the job of this kind that completed last, if one has."""
        done = sa.select(_jobs).where(_jobs.c.kind == kind, _jobs.c.status == Status.COMPLETED)
        with self._reading() as connection:
            row = connection.execute(done.order_by(_jobs.c.completed_at.desc()).limit(1)).first()
        return _job(row) if row else None

    def totals(self, figures: Mapping[str, tuple[str, ...]]) -> list[Totals]:
        """Add up figures of all jobs, by kind and state; one query, about 50 ms for 10,000 jobs.

        Parameters
        ----------
        figures
            A name for each, and where a job has it: ``("progress", "new_records")``. A job that lacks it counts as 0.
        """
        self._settle()
        paths = [_jobs.c[column][tuple(path)].as_float() for column, *path in figures.values()]
        sums = [sa.func.coalesce(sa.func.sum(path), 0.0) for path in paths]
        group = _jobs.c.kind, _jobs.c.status
        with self._reading() as connection:
            rows = connection.execute(sa.select(*group, sa.func.count(), *sums).group_by(*group)).all()
        return [
            Totals(kind, Status(status), jobs, dict(zip(figures, found, strict=True)))
            for kind, status, jobs, *found in rows
        ]

    def check_idle(self) -> None:
        """Refuse a further import before anything is done for it.

        Raises
        ------
        BusinessRuleViolation
            An import, undo or restore is pending or running; `details` has rule and job_id.
        """
        if self.running_change():
            raise self._another_change()

    def count(self, *, kind: str) -> int:
        """Count the jobs of one kind."""
        with self._reading() as connection:
            query = sa.select(sa.func.count()).select_from(_jobs).where(_jobs.c.kind == kind)
            return int(connection.scalar(query) or 0)

    def log_path(self, job_id: str) -> Path:
        """Give the file of what a background job logs; there is none for a job that had nothing to say."""
        return self.path.parent / "logs" / f"{job_id}.log"

    def revision(self) -> tuple[int, ...]:
        """Give a mark that changes when anything in the ledger does; it costs no query."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return tuple(stamp for file in files for stamp in _stamps(file))

    def _listed(self, query: sa.Select[Any], kind: str | None) -> list[Job]:
        self._settle()
        query = query.order_by(_jobs.c.created_at.desc(), _jobs.c.job_id)
        if kind:
            query = query.where(_jobs.c.kind == kind)
        with self._reading() as connection:
            return [_job(row) for row in connection.execute(query)]

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._explaining():
            self._make()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._explaining():
            if self.path.exists():
                self._make()
                with self._engine.connect() as connection:
                    yield connection
            else:  # a ledger that is only read leaves no file behind
                with sa.create_engine("sqlite://", poolclass=sa.StaticPool).connect() as connection:
                    _metadata.create_all(connection)
                    yield connection

    def _make(self) -> None:
        """Make the file and its table once; SQLite does not wait while another process does the same."""
        if self._is_made:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock"), timeout=_WAIT_SECONDS), self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            _metadata.create_all(connection)
            connection.execute(sa.schema.CreateIndex(_one_change, if_not_exists=True))  # a ledger of before lacks it
            connection.commit()
        self._is_made = True

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError:
            raise
        except (sa.exc.DatabaseError, OSError) as error:
            raise JobError(
                f"The job ledger {self.path} cannot be used: {getattr(error, 'orig', None) or error}.",
                next="Make room or give the right to write there, or choose another folder with WELLPROD_HOME.",
            ) from None

    def _set(self, job_id: str, **values: Any) -> None:
        with self._writing() as connection:
            connection.execute(_jobs.update().where(_jobs.c.job_id == job_id).values(**values))

    def _taken(self, status: Status, now: float, *, runs: int) -> dict[str, Any]:
        mark = ProcessMark.of()
        starts = status == Status.RUNNING
        return {
            "status": status,
            "started_at": now if starts else None,
            "runs": runs + starts,
            "heartbeat_at": now,
            "cancel_requested": False,
            "host": mark.host,
            "pid": mark.pid,
            "process_started_at": mark.started_at,
        }

    def _settle(self) -> None:
        """Write down as failed the jobs whose process is gone."""
        with self._reading() as connection:
            active = connection.execute(sa.select(_jobs).where(_is_active)).all()
        for row in active:
            mark = ProcessMark(row.host, row.pid, row.process_started_at)
            silent = time.time() - row.heartbeat_at > _SILENT_SECONDS
            if mark.is_alive if mark.is_here else not silent:
                continue
            log = self.log_path(row.job_id)
            error = JobError(
                f"The process of this job (number {row.pid} on {row.host}) has ended without finishing it."
                + (f" Its last words are in {log}." if log.exists() and log.stat().st_size else ""),
                next=f"What was stored is whole; go on with: wellprod jobs resume {row.job_id}"
                if row.kind != "restore"
                else "The store is whole, as it was or as it was to be; restore again if need be.",
            )
            same_run = (
                _jobs.c.job_id == row.job_id,
                _is_active,
                _jobs.c.pid == row.pid,
                _jobs.c.runs == row.runs,
            )
            ended = {"status": Status.FAILED, "completed_at": row.heartbeat_at}
            with self._writing() as connection:
                gone = {**error.as_dict(), "code": "PROCESS_GONE"}
                connection.execute(_jobs.update().where(*same_run).values(**ended, error=gone))

    def _another_change(self) -> BusinessRuleViolation:
        running = self.running_change()
        job_id, kind = (running.job_id, running.kind) if running else ("unknown", "import")
        stop = f", or stop it with: wellprod jobs cancel {job_id}" if kind == "import" else ""
        alone = "Only one import runs at a time." if kind == "import" else "It and imports run one at a time."
        return BusinessRuleViolation(
            f"{'A restore' if kind == 'restore' else f'An {kind}'} is running already: job {job_id}. {alone}",
            next=f"Follow it with: wellprod jobs show {job_id}{stop}",
            rule=SINGLE_IMPORT_RULE,
            job_id=job_id,
        )


def _stamps(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _job(row: Any) -> Job:
    fields = {name: getattr(row, name) for name in Job.__slots__}
    return Job(**{**fields, "status": Status(row.status)})
