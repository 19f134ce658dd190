"""Files in: a device inventory or a list of people, planned first and applied then.

A plan shows what every column is taken for and what every row would do; it writes nothing.
Applying it twice changes nothing the second time, and one that was interrupted is finished by
planning and applying the same file again.
"""

from assetflow.exchange.imports.applying import apply
from assetflow.exchange.imports.options import DeviceImport, PersonImport
from assetflow.exchange.imports.plan import REJECT_HEADINGS, ImportPlan, ImportReport, Outcome

__all__ = [
    "REJECT_HEADINGS",
    "DeviceImport",
    "ImportPlan",
    "ImportReport",
    "Outcome",
    "PersonImport",
    "apply",
]
