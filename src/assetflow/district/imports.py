"""Files in: ``district.imports``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assetflow.district.session import Session

__all__ = ["Imports"]


class Imports:
    """Plan a file, look at the plan, apply it."""

    def __init__(self, session: Session) -> None:
        self._session = session
