"""One walk through a listing: what to fetch next, and when to stop. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assetflow.errors import ListingExpired, PageLoop
from assetflow.wire.call import Call, Listing, Page

__all__ = ["Traversal"]


class Traversal:
    """Where one walk through a listing stands.

    Args:
        listing: What is walked through.
        start: The call to begin with, from a checkpoint; the listing's first by default.
        age: Seconds that the listing has lived already, when it goes on from a checkpoint.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        listing: Listing[Any],
        start: Call | None,
        *,
        age: float,
        clock: Callable[[], float],
    ) -> None:
        self._listing = listing
        self._call: Call | None = listing.first if start is None else start
        self._clock = clock
        self._began = clock() - age
        self._pages = 0
        self._seen = {self._call}

    def upcoming(self) -> Call | None:
        """The call to make now; ``None`` after the last page.

        Raises:
            ListingExpired: The vendor would answer with an error that looks like a passing one.
        """
        call, limit = self._call, self._listing.max_age
        if call is None or limit is None:
            return call
        age = self._clock() - self._began
        if age >= limit:
            raise ListingExpired(
                f"the listing is older than {limit:g} s",
                operation=call.operation,
                pages=self._pages,
            )
        return call

    def took(self, made: Call, page: Page[Any]) -> None:
        """Note a page.

        Args:
            made: The call that was made in the end, amended or not.
            page: What came back.

        Raises:
            PageLoop: Its following call was made before, or is about to be. The page is not
                handed out: its following call must not get into a checkpoint.
        """
        self._pages += 1
        self._seen.add(made)
        following = page.following
        if following is not None:
            if following in self._seen:
                raise PageLoop(
                    "a page names one that came before it",
                    operation=made.operation,
                    pages=self._pages,
                )
            self._seen.add(following)
        self._call = following
