"""The extension: reads the settings, hands them on to the kernels, and hangs up the routes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

from jupyter_server.extension.application import ExtensionApp, ExtensionAppJinjaMixin
from jupyter_server.serverapp import ServerApp
from traitlets import Float, List, Unicode

from wellprod.address import announced
from wellprod.errors import JobError, SettingsError
from wellprod.jobs import Ledger
from wellprod.log import configure_logs
from wellprod.metrics import Metrics
from wellprod.server.bridge import API, METRICS, ApiDoor, finish_answers
from wellprod.server.door import WORKBENCH
from wellprod.server.files import UploadDoor
from wellprod.server.front import FrontDoor, PageDoor
from wellprod.server.kernels import KernelDoor, LeftKernels
from wellprod.settings import Settings, load_settings


class WellprodApp(ExtensionAppJinjaMixin, ExtensionApp):
    """The dashboards of wellprod inside a Jupyter server."""

    name = "wellprod"
    description = "Import, status, explore and download pages for well production"
    load_other_extensions = True
    template_paths = List(Unicode(), [str(Path(__file__).with_name("templates"))])

    page_grace_seconds = Float(
        120.0, help="How long the kernel of a page lives without a browser; it must be more than a page takes to open"
    ).tag(config=True)

    def initialize_settings(self) -> None:
        """Read the settings and give them to the kernels, which inherit the environment of the server.

        A wrong setting is logged, and answered on our own routes; the rest of the server is not to suffer from it.
        """
        hidden = self.settings.get("extra_log_scrub_param_keys", ())
        self.settings["extra_log_scrub_param_keys"] = [*hidden, "signature"]
        try:
            settings = load_settings(server_path=self.settings["base_url"])
        except SettingsError as error:
            self.log.error("wellprod: %s", error)
            self.settings[WORKBENCH] = error
        else:
            configure_logs(settings.log_level, settings.log_format)
            os.environ.update(settings.as_environment())
            self.settings |= {WORKBENCH: settings, METRICS: Metrics(settings)}

    def initialize_handlers(self) -> None:
        """Hang up the routes, and begin to look after the kernels of the pages."""
        self.handlers.extend(
            [
                (r"/wellprod/?", FrontDoor),
                (r"/wellprod/kernels/([^/]+)", KernelDoor),
                (r"/wellprod/uploads/(.+)", UploadDoor),
                (r"/wellprod/([^/]+)/?", PageDoor),
                (r"/api/v1/.*", ApiDoor),
                (r"/health(?:/.*)?", ApiDoor),
                (r"/docs(?:/.*)?", ApiDoor),
                (r"/openapi\.json", ApiDoor),
            ]
        )
        self._announced = ExitStack()
        kernels, sessions = self.settings["kernel_manager"], self.settings["session_manager"]
        self._left_kernels = LeftKernels(kernels, sessions, self.page_grace_seconds, self.log)
        self._left_kernels.start()

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Tell where the server answers, now that it does."""
        _end_in_order(serverapp)
        settings = self.settings[WORKBENCH]
        if isinstance(settings, Settings):
            self.settings[METRICS].register()
            self._announced.enter_context(announced(serverapp.connection_url, settings))
            with suppress(JobError):  # who needs the ledger is told why it cannot be had
                self._announced.enter_context(Ledger(settings.jobs_path).held())

    async def stop_extension(self) -> None:
        """End with the server."""
        self._announced.close()
        self._left_kernels.stop()
        if self.serverapp:
            await finish_answers(self.serverapp.web_app.settings.get(API))


def _end_in_order(serverapp: ServerApp) -> None:
    """Have Ctrl-C end the server as SIGTERM does where there is no terminal to ask; Jupyter would just fall over."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one need not be patient
        serverapp.stop(from_signal=True)

    is_main = threading.current_thread() is threading.main_thread()  # no other may set it
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)
