"""PRODML 2.2: one month is one XML file of production volumes; several are a zip with one XML each.

A zip also holds what the volumes refer to, which a receiver needs once: each well and each field as a ReportingEntity,
in a file of its own since an XML file of PRODML holds one object, and the wells of the fields as a ReportingHierarchy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from wellprod.export.formats.base import ExportData, Format


class Prodml(Format):
    """AssetProductionVolumes, read month by month; the same records give the same bytes."""

    title, extensions = "PRODML 2.2", ("xml", "zip")
    about = "Volumes for the systems of partners, one XML a month."
    is_slow = True

    def endings(self, months: int) -> tuple[str, ...]:
        """Give both for one month, whose XML may be zipped too."""
        return self.extensions if months == 1 else ("zip",)

    def write(self, data: ExportData, path: Path) -> None:
        """Write one month after the other, each in memory by itself."""
        from wellprod.export.formats.prodml_objects import ProdmlObjects, as_xml  # takes 2 s to import

        objects = ProdmlObjects(data.selection)

        def parts() -> Iterator[tuple[str, bytes]]:
            for month in data.production.months:
                batches = data.production.in_month(month).batches()
                records = (record for batch in batches for record in batch.iter_rows(named=True))
                yield f"{month.isoformat()[:7]}.xml", as_xml(objects.volumes(month, records))
            if data.extension == "zip":
                yield "ReportingHierarchy.xml", as_xml(objects.hierarchy())
                for entity in objects.entities():
                    yield f"ReportingEntities/{entity.uuid}.xml", as_xml(entity)

        if data.extension == "zip":
            with ZipFile(path, "w") as archive:
                for name, xml in parts():
                    archive.writestr(_entry(name), xml)
        else:
            path.write_bytes(b"".join(xml for _, xml in parts()))
        objects.tell(data.warn)


def _entry(name: str) -> ZipInfo:
    """Give an entry that is the same on every day and machine."""
    entry = ZipInfo(name)
    entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o644 << 16
    return entry
