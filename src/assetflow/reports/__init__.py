"""What is handed over: the answer to a records request, and records without names."""

from assetflow.reports.deidentified import CustodyLine, DeidentifiedExport, DeviceLine, FigureLine
from assetflow.reports.records_request import PersonExport

__all__ = ["CustodyLine", "DeidentifiedExport", "DeviceLine", "FigureLine", "PersonExport"]
