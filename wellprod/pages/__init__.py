"""The pages that Voila publishes: they start jobs and show how things are, and compute nothing."""

from wellprod.pages.download import DownloadPage
from wellprod.pages.importing import ImportPage
from wellprod.pages.parts import open_page
from wellprod.pages.status import StatusPage

__all__ = ["DownloadPage", "ImportPage", "StatusPage", "open_page"]
