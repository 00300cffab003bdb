"""Scheduled reports: parameters, the run of a notebook, its HTML, its files, its messages, its end."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from wellprod.demo import create_app, running
from wellprod.errors import ReportError, UsageError
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger, Status
from wellprod.reports import StopReport, find_report, list_reports, run_report
from wellprod.reports.files import prune, reserve
from wellprod.settings import Settings

from .conftest import CommandLine
from .lab import until
from .scripted import record, serving
from .test_import import frame_of, tuned

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
KINDS = (".ipynb", ".html", ".pdf")
PARAMETERS = """months: int = 12  # Months to show
share: float | None = None  # Share; # of all
unit = "kbbl"
whole: bool = False
wells: list[int] = [1]"""


def write_notebook(folder: Path, name: str, *cells: str, parameters: str = PARAMETERS) -> None:
    """Write a notebook with a title, a cell of parameters and some code."""
    new = nbformat.v4
    tagged = new.new_code_cell(parameters, metadata={"tags": ["parameters"]})  # type: ignore[no-untyped-call]
    made = [new.new_markdown_cell("# Wells & months"), tagged, *map(new.new_code_cell, cells)]  # type: ignore[no-untyped-call]
    folder.mkdir(exist_ok=True)
    nbformat.write(new.new_notebook(cells=made), folder / f"{name}.ipynb")  # type: ignore[no-untyped-call]


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with notebooks of the test: one that prints what it is given."""
    folder = tmp_path / "note{books}"
    write_notebook(folder, "own", "print(months, share, unit, whole)")
    return tuned(settings, notebooks=folder)


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve an address that takes messages, and give it with the messages that came."""
    came: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    with serving(Handler) as address:
        yield f"json://{address}/hook", came


def assert_fit_to_show(html: str) -> None:
    """Check that a page stands alone, says what it is, and shows neither code nor polars' own marks."""
    loaded = re.findall(r"""(?:src|href)=["']?([^"'>\s]*)|url\(([^)]*)\)|(@import)""", html)
    addresses = [address for found in loaded for address in found if address]
    assert all(re.fullmatch(r"data:.*|#.*|[\w%.-]+\.ipynb", address) for address in addresses), addresses
    assert not re.search(r"<(script|iframe|object|embed|base)\b", html)
    assert '<html lang="en">' in html and "<main>" in html and "<header>" in html
    assert "shape: (" not in html and "import wellprod" not in html


def one_run(result: dict[str, Any]) -> tuple[str, str]:
    """Give the text of the kept notebook and of its HTML."""
    notebook, html = Path(result["notebook"]), Path(result["html"])
    assert notebook.with_suffix(".html") == html
    nbformat.validate(nbformat.read(notebook, as_version=4))  # type: ignore[no-untyped-call]
    assert_fit_to_show(html.read_text("utf-8"))
    return notebook.read_text("utf-8"), html.read_text("utf-8")


# What can be run, and with what


def test_the_reports_are_listed_with_their_parameters(own: Settings) -> None:
    """Title, names, types by annotation or default, defaults and the comment beside."""
    (report,) = list_reports(own)
    assert (report.name, report.title) == ("own", "Wells & months")
    assert [(p.name, p.type, p.default, p.help) for p in report.parameters] == [
        ("months", "int", 12, "Months to show"),
        ("share", "float | None", None, "Share; # of all"),
        ("unit", "str", "kbbl", ""),
        ("whole", "bool", False, ""),
        ("wells", "list[int]", [1], ""),
    ]
    given = {"months": "3", "share": "0.5", "unit": "7", "whole": "true"}
    assert report.parse(given) == {"months": 3, "share": 0.5, "unit": "7", "whole": True}
    assert report.parse({"share": "None", "months": 4}) == {"share": None, "months": 4}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"month": "3"}, ["no parameter 'month'", "Did you mean months?", "Known parameters: months, share"]),
        ({"zzz": "3"}, ["no parameter 'zzz'", "Known parameters: months, share"]),
        ({"months": "three"}, ["'three' is no value for months, which is int", "share (float | None)"]),
        ({"months": "None"}, ["'None' is no value for months"]),
        ({"share": "half"}, ["'half' is no value for share, which is float | None"]),
        ({"whole": "perhaps"}, ["which is bool"]),
        ({"wells": "[2]"}, ["wells is list[int], which cannot be given", "Known types"]),
        ({"unit": "https://ann:s3cret@host/x"}, ["carries a secret", "WELLPROD_FEED_URL"]),
        ({"unit": "s3://ann:s3cret@host/x"}, ["carries a secret"]),
        ({"unit": "https://host/x?api_key=s3cret"}, ["carries a secret"]),
    ],
)
def test_wrong_parameters_are_refused_before_a_kernel_starts(
    own: Settings, given: dict[str, str], says: list[str]
) -> None:
    """The message says what was given and what is known, never a secret; no file is made."""
    with pytest.raises(UsageError) as refused:
        run_report("own", given, own)
    assert refused.value.exit_code == 2
    for words in says:
        assert words in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert not own.reports_path.exists()


@pytest.mark.parametrize("name", ["owm", "../note{books}/own", "own.ipynb", ".hidden", ""])
def test_only_notebooks_of_the_folder_are_reports(own: Settings, name: str) -> None:
    """A name is one of those listed; no path leads elsewhere."""
    (own.notebooks / ".hidden.ipynb").write_text("{}")
    with pytest.raises(UsageError, match="There is no report") as refused:
        find_report(name, own)
    assert "Known reports: own." in refused.value.next


def test_a_folder_that_is_missing_or_holds_no_notebook_is_told(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The setting to change is named; a broken notebook does not hide the others, and is told when asked for."""
    with pytest.raises(UsageError, match="WELLPROD_NOTEBOOKS"):
        list_reports(tuned(own, notebooks=tmp_path / "none"))
    (own.notebooks / "broken.ipynb").write_text("no JSON")
    assert [report.name for report in list_reports(own)] == ["own"]
    assert "notebook_unreadable" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"broken\.ipynb cannot be read as a notebook"):
        find_report("broken", own)


def test_a_dashboard_is_no_report(own: Settings) -> None:
    """Pages for a browser are neither listed nor run."""
    ours = tuned(own, notebooks=Path(__file__).parents[1] / "notebooks")
    assert [report.name for report in list_reports(ours)] == ["field_report", "scheduled_import", "tour"]
    with pytest.raises(UsageError, match="no report 'status'"):
        find_report("status", ours)


def test_a_folder_that_cannot_be_written_is_told(own: Settings, tmp_path: Path) -> None:
    """The error names the folder and what to do; no kernel was started."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"could not be kept in .* set WELLPROD_REPORTS"):
        run_report("own", {}, tuned(own, reports=tmp_path / "file" / "reports"))


# The files of the runs


def test_runs_in_one_second_have_files_of_their_own(tmp_path: Path) -> None:
    """No run overwrites another."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    names = [reserve(tmp_path / "reports", "own", moment).name for _ in range(3)]
    assert names == ["own-20260102-030405.ipynb", "own-20260102-030405-2.ipynb", "own-20260102-030405-3.ipynb"]


def test_old_runs_are_cleared_by_report(tmp_path: Path) -> None:
    """The newest of a name stay, with all their files; other reports, other fields and other files are left alone."""
    others = {"own-more-20260101-000000.ipynb", "own-12-Tupi-20260101-000000.ipynb", "own.ipynb", "own-20260101.ipynb"}
    runs = [f"own-2026010{day}-000000{again}" for day in (1, 2, 3) for again in ("", "-2", "-10")]
    for name in [*others, *(f"{run}{kind}" for run in runs for kind in KINDS)]:
        (tmp_path / name).touch()
    prune(tmp_path, "own", 2)
    left = {f"own-20260103-000000{again}{kind}" for again in ("-2", "-10") for kind in KINDS}
    assert {path.name for path in tmp_path.iterdir()} == others | left


# Runs, each with a kernel of its own


@pytest.mark.slow
def test_the_scheduled_import_runs_silently(run: CommandLine, settings: Settings) -> None:
    """Exit 0, nothing on stderr, no message; the page has figures and charts, and no file has the password."""
    feed = create_app(frame_of([record(n) for n in range(30)]), basic_auth=("ann", "s3cret$$x$HOME"))
    signed_in = {"WELLPROD_FEED_USER": "ann", "WELLPROD_FEED_PASSWORD": "s3cret$$x$HOME"}
    with running(feed) as url, webhook() as (address, came):
        arguments = ["report", "scheduled_import", "-p", "page_size", "10", "--parameter", "max_pages=9", "--json"]
        environment = {
            "WELLPROD_NOTEBOOKS": str(NOTEBOOKS),
            "WELLPROD_FEED_URL": url,
            "WELLPROD_REPORT_NOTIFY": address,
        }
        done = run.apart(*arguments, **environment, **signed_in)
    assert (done.returncode, done.stderr, came) == (0, "", [])
    result = json.loads(done.stdout)
    assert (result["status"], result["outcome"], result["error"]) == ("COMPLETED", "Done", None)
    notebook, html = one_run(result)
    for words in ("<h1>Scheduled import</h1>", "30 new", "page_size", "2024-01", "No row was rejected", "30 read"):
        assert words in html
    assert html.count("data:image/svg+xml;base64") == 2 and 'alt="Chart: Monthly volumes of all wells"' in html
    assert "s3cret" not in notebook + html
    assert Ledger(settings.jobs_path).jobs(limit=9)[0].parameters["page_size"] == 10


@pytest.mark.slow
def test_an_import_with_rejects_ends_with_3(settings: Settings) -> None:
    """The run is done, and its page says with what and shows the reasons; a message is sent when always asked for."""
    rows = [record(1), {**record(2), "production_period": "someday"}]
    with running(create_app(frame_of(rows))) as url, webhook() as (address, came):
        always = type(settings).model_validate(
            {"home": settings.home, "notebooks": NOTEBOOKS, "report_notify": address, "report_notify_on": "always"}
        )
        result = run_report("scheduled_import", {"source": url}, always)
    assert (result.status, result.exit_code, result.error) == (Status.COMPLETED, 3, None)
    _, html = one_run(result.as_dict())
    assert "Done with rejects" in html and "1 rejected" in html and "someday" in html
    assert "done with rejects" in came[0]["title"]


@pytest.mark.slow
def test_a_failed_notebook_is_kept_and_told(run: CommandLine, own: Settings) -> None:
    """Exit 1; notebook and HTML are kept with the error in words and no secret, old runs go, a message is sent."""
    write_notebook(
        own.notebooks,
        "own",
        "raise ValueError('no <b>wells</b> at https://ann:{0}@host/x?sig={0}'.format('s3' + 'cret'))",
        "print(7)",
    )
    own.reports_path.mkdir()
    (own.reports_path / "own-20200101-000000.ipynb").touch()
    with webhook() as (address, came):
        environment = {"WELLPROD_NOTEBOOKS": str(own.notebooks), "WELLPROD_REPORT_NOTIFY": address}
        done = run.apart("report", "own", "-p", "months", "3", WELLPROD_REPORTS_KEPT="1", **environment)
    assert done.returncode == 1
    assert "FAILED" in done.stdout and "The notebook failed: ValueError: no <b>wells</b>" in done.stderr
    html, notebook, _ = sorted(own.reports_path.iterdir())
    kept, page = one_run({"notebook": notebook, "html": html})
    assert "ValueError: no &lt;b&gt;wells&lt;/b&gt; at https://host/x" in page and "<strong>Failed</strong>" in page
    assert "months = 3" in kept
    (message,) = came
    assert message["type"] == "failure" and "Wells & months on " in message["title"]
    assert str(html) in message["message"] and "ValueError" in message["message"]
    assert "s3cret" not in json.dumps(message) + kept + page + done.stdout + done.stderr


@pytest.mark.slow
def test_a_feed_that_is_down_is_told_on_the_page(run: CommandLine) -> None:
    """Exit 1 with what to do, also where nothing was ever stored; a message that cannot be sent changes nothing."""
    environment = {"WELLPROD_NOTEBOOKS": str(NOTEBOOKS), "WELLPROD_FEED_ATTEMPTS": "1"}
    addresses = "json://ann:s3cret@127.0.0.1:1/hook,nosuch://s3cret"
    arguments = ["report", "scheduled_import", "-p", "source", "http://127.0.0.1:1/odata", "--json"]
    done = run.apart(*arguments, WELLPROD_REPORT_NOTIFY=addresses, **environment)
    result = json.loads(done.stdout)
    assert (done.returncode, result["exit_code"]) == (1, 1)
    assert "http://127.0.0.1:1 cannot be reached" in result["error"]["message"]
    assert "wellprod jobs resume" in result["error"]["next"]
    _, html = one_run(result)
    assert "What to do next: Check the address" in html and "The store holds no month yet" in html
    assert "StoreMissing" not in html and "Where the notebook failed: ImportFailed" in html
    assert "report_message_not_sent" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_stopped_report_leaves_a_whole_import_and_no_kernel(run: CommandLine, settings: Settings) -> None:
    """SIGTERM interrupts the notebook: exit 143, the run is kept, the kernel is gone, the import is resumed whole."""
    feed = create_app(frame_of([record(n) for n in range(300)]), delay_seconds=0.1)
    with running(feed) as url:
        process = run.started(
            *("report", "scheduled_import", "-p", "source", url, "-p", "page_size", "10", "--json"),
            WELLPROD_NOTEBOOKS=str(NOTEBOOKS),
            WELLPROD_GROUP_RECORDS="10",
        )
        ledger = Ledger(settings.jobs_path)
        job = until(lambda: next((job for job in ledger.active_jobs() if job.progress), None))
        kernels = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in err) == (143, False)
        assert kernels and not any(kernel.is_running() for kernel in kernels)
        assert ledger.get(job.job_id).status == Status.CANCELLED
        result = json.loads(out)
        assert (result["status"], result["exit_code"]) == ("CANCELLED", 143)
        assert f"wellprod jobs resume {job.job_id}" in result["error"]["next"]
        _, html = one_run(result)
        assert "Stopped on request" in html
        resumed = json.loads(run("jobs", "resume", job.job_id, "--json").stdout)
    assert resumed["import_summary"]["new_records"] == 300


@pytest.mark.slow
def test_a_kernel_that_dies_is_told(own: Settings) -> None:
    """The run has failed, is kept, and the page says so."""
    write_notebook(own.notebooks, "own", "import os; os._exit(9)")
    result = run_report("own", {}, own)
    assert (result.status, result.exit_code) == (Status.FAILED, 1)
    assert result.error and "kernel of the notebook ended" in result.error["message"]
    assert "ran out of memory" in one_run(result.as_dict())[1]


@pytest.mark.slow
def test_a_report_is_followed_and_stopped_from_python(own: Settings) -> None:
    """Progress tells the cells; asked to stop between two of them, no further one begins."""
    write_notebook(own.notebooks, "own", "print('first')", "print('second')")
    told: list[tuple[int, int]] = []
    stop = StopReport()

    def follow(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            stop.ask()

    result = run_report("own", {}, own, on_progress=follow, stop=stop)
    assert told == [(1, 3), (2, 3)]
    assert (result.status, result.exit_code) == (Status.CANCELLED, 1)
    assert "second" not in one_run(result.as_dict())[1]


# The command


def test_the_command_lists_and_refuses(run: CommandLine, own: Settings) -> None:
    """Without a name it lists, as a table and as JSON, no page; wrong use has exit code 2 and one clear message."""
    notebooks = {"WELLPROD_NOTEBOOKS": str(own.notebooks)}
    page = nbformat.v4.new_notebook(metadata={"voila": {"template": "wellprod"}})  # type: ignore[no-untyped-call]
    nbformat.write(page, own.notebooks / "page.ipynb")  # type: ignore[no-untyped-call]
    listed = run("report", **notebooks)
    assert (listed.returncode, listed.stderr) == (0, "")
    for words in ("own", "Wells & months", "months", "int", "12", "Months to show"):
        assert words in listed.stdout
    (report,) = json.loads(run("report", "--json", **notebooks).stdout)["reports"]
    assert report["parameters"][0] == {"name": "months", "type": "int", "default": 12, "help": "Months to show"}
    for arguments, says in (
        (["own", "-p", "month", "3"], "Did you mean months?"),
        (["own", "-p", "months"], "The parameter 'months' has no value."),
        (["own", "-p", "months", "-x"], "'-x' is no value for months"),
        (["-p", "months", "3"], "but no report"),
        (["nothing"], "Known reports: own."),
    ):
        refused = run("report", *arguments, **notebooks)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert says in refused.stderr
    (error,) = json.loads(run("report", "own", "-p", "months", "--json", **notebooks).stdout)["errors"]
    assert error["message"] == "The parameter 'months' has no value."


def test_a_message_address_is_a_secret(run: CommandLine, own: Settings) -> None:
    """A wrong setting of the messages is told by its name; the address in another is not shown."""
    refused = run("report", WELLPROD_REPORT_NOTIFY_ON="s3cret", WELLPROD_REPORT_NOTIFY="json://u:pw99@h")
    assert refused.returncode == 2
    assert "WELLPROD_REPORT_NOTIFY_ON" in refused.stderr and "pw99" not in refused.stderr
    assert "pw99" not in repr(own.model_validate({"home": own.home, "report_notify": "json://u:pw99@h"}))


def test_an_import_shows_itself_in_a_notebook(settings: Settings, tmp_path: Path) -> None:
    """The summary has an HTML table, escaped, and its values for programs with the exit code."""
    path = tmp_path / "<i>.json"
    path.write_text(json.dumps([record(1)]))
    bundle = start_import(ImportRequest(str(path)), settings)._repr_mimebundle_()
    assert "&lt;i&gt;.json" in bundle["text/html"] and "1 new" in bundle["text/html"]
    values = bundle["application/vnd.wellprod.summary+json"]
    assert (values["exit_code"], values["import_summary"]["new_records"]) == (0, 1)
