"""A notebook run by papermill, in a kernel that is the Python which runs us."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from wellprod.errors import redact
from wellprod.reports.stop import StopReport

_SLOW_SECONDS = 120  # what a cold start, or the last words of a cell, may take on a busy machine


class Stopped(Exception):
    """Somebody asked the report to stop."""


_QUIET = "--log-level=CRITICAL"  # an idle kernel logs the interrupt that Jupyter ends it with, which cron would mail


class _OurPython(KernelSpecManager):  # type: ignore[misc,unused-ignore]
    """Gives the Python that runs us, with some environment, whatever kernels are registered."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.environment = environment

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        # Jupyter takes a dollar sign in these for the name of a variable; a password may have one.
        given = {name: value.replace("$", "$$") for name, value in self.environment.items()}
        return KernelSpec(**get_kernel_dict([_QUIET]), env=given)


class _Engine(NBClientEngine):  # type: ignore[misc]
    """Papermill's own engine with a kernel of ours."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, kernel: Any, on_cell: Callable[..., None], **_: Any
    ) -> None:
        """Run the cells; the kernel ends with them, however they end."""
        client = PapermillNotebookClient(
            nb_man,
            km=kernel,
            kernel_name=kernel_name,
            startup_timeout=_SLOW_SECONDS,
            iopub_timeout=_SLOW_SECONDS,
            on_cell_start=on_cell,
        )
        client.execute(cleanup_kc=True)


def run_notebook(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    on_progress: Callable[[int, int], None],
    stop: StopReport,
) -> tuple[Any, str | None]:
    """Run the notebook `source` with `parameters` and keep it as `target`, after each cell and also when it fails.

    Gives the notebook with what its cells put out, and why the kernel did not start or died, if so.
    """
    failure = None
    try:
        _execute(source, target, parameters, environment, on_progress, stop)
    except (Stopped, papermill.PapermillExecutionError):
        pass  # who asked for the stop knows it, and what failed in a cell is in the notebook
    except RuntimeError as problem:
        failure = None if stop.is_asked else str(problem)
    return _redacted(target), failure


def _execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    environment: Mapping[str, str],
    on_progress: Callable[[int, int], None],
    stop: StopReport,
) -> None:
    kernel = AsyncKernelManager(kernel_spec_manager=_OurPython(environment), transport_encryption="auto")
    total = sum(cell.cell_type == "code" for cell in papermill.iorw.load_notebook_node(str(source)).cells)
    total += bool(parameters)
    begun = 0

    def begin_cell(**_: Any) -> None:
        nonlocal begun
        if stop.is_asked:
            raise Stopped
        begun += 1
        on_progress(begun, max(total, begun))

    papermill_engines.register("wellprod", _Engine)
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it calls each parameter that is `| None` unknown
    with _own_loop(), stop.telling(lambda _: _interrupt(kernel)):
        papermill.execute_notebook(
            _literal(source),
            _literal(target),
            dict(parameters),
            engine_name="wellprod",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            kernel=kernel,
            on_cell=begin_cell,
        )


@contextmanager
def _own_loop() -> Iterator[None]:
    """Close the event loop that nbclient makes in a thread without one, and leaves open."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with closing(ensure_event_loop()):
            yield
    else:
        yield


def _interrupt(kernel: AsyncKernelManager) -> None:
    if process := getattr(kernel.provisioner, "pid", None):
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(process, signal.SIGINT)


def _literal(path: Path) -> str:
    """Give a path to papermill, which fills in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def outputs_of(notebook: Any) -> list[Any]:
    """Give what the cells put out, in order."""
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def _redacted(path: Path) -> Any:
    """Give the notebook with no secret in what it printed or in a traceback, and keep it so."""
    if not path.stat().st_size:  # the kernel did not even start
        nbformat.write(nbformat.v4.new_notebook(), path)  # type: ignore[no-untyped-call]
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for output in outputs_of(notebook):
        if output.output_type == "error":
            output.evalue, output.traceback = redact(output.evalue), [redact(line) for line in output.traceback]
        elif output.output_type == "stream":
            output.text = redact(output.text)
        elif "text/plain" in output.data:
            output.data["text/plain"] = redact(output.data["text/plain"])
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return notebook
