"""The district's settings: ``district.policy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.workflows.policy import adopt_policy

if TYPE_CHECKING:
    from assetflow.district.session import Session
    from assetflow.model import DistrictPolicy

__all__ = ["Policy"]


class Policy:
    """Read and adopt the district's policy."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def current(self) -> DistrictPolicy:
        """The policy that holds now."""
        return self._session.policy()

    def adopt(self, text: str, *, reason: str | None = None) -> DistrictPolicy:
        """Adopt a policy from TOML text; the same text again changes nothing.

        Raises:
            PolicyError: an unknown key or a value that is not allowed; names the line.
        """
        return self._session.write(lambda tx, act: adopt_policy(tx, act, text), reason=reason)
