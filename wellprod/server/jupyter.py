"""The extension: reads the settings, hands them on to the kernels, and hangs up the routes."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp, ExtensionAppJinjaMixin
from traitlets import Float, List, Unicode

from wellprod.address import announced
from wellprod.errors import SettingsError
from wellprod.server.door import WORKBENCH
from wellprod.server.files import ExportDoor, UploadDoor
from wellprod.server.front import FrontDoor, PageDoor
from wellprod.server.kernels import KernelDoor, LeftKernels
from wellprod.settings import Settings, load_settings


class WellprodApp(ExtensionAppJinjaMixin, ExtensionApp):
    """The dashboards of wellprod inside a Jupyter server."""

    name = "wellprod"
    description = "Import, status and download pages for well production"
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
            os.environ.update(settings.as_environment())
            self.settings[WORKBENCH] = settings

    def initialize_handlers(self) -> None:
        """Hang up the routes, and begin to look after the kernels of the pages."""
        self.handlers.extend(
            [
                (r"/wellprod/?", FrontDoor),
                (r"/wellprod/kernels/([^/]+)", KernelDoor),
                (r"/wellprod/exports/([^/]+)/file", ExportDoor),
                (r"/wellprod/uploads/(.+)", UploadDoor),
                (r"/wellprod/([^/]+)/?", PageDoor),
            ]
        )
        self._announced = ExitStack()
        kernels, sessions = self.settings["kernel_manager"], self.settings["session_manager"]
        self._left_kernels = LeftKernels(kernels, sessions, self.page_grace_seconds, self.log)
        self._left_kernels.start()

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Tell where the server answers, now that it does."""
        settings = self.settings[WORKBENCH]
        if isinstance(settings, Settings):
            self._announced.enter_context(announced(serverapp.connection_url, settings))

    async def stop_extension(self) -> None:
        """End with the server."""
        self._announced.close()
        self._left_kernels.stop()
