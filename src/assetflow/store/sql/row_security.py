"""Row-level security on PostgreSQL: the server itself keeps districts apart.

Every table has it enabled and forced, so that it holds for the tables' owner too. A transaction
says whose rows it wants by settings that end with it, also when a connection goes back to a pool;
one that says nothing sees nothing and can write nothing.

| setting | what it opens |
|---|---|
| ``assetflow.district`` | the rows of that district, to read and write |
| ``assetflow.districts`` | the rows of these, one a line, to read only: for figures across districts |
| ``assetflow.heads`` | with ``on``, the ends of all journals, to read only: which districts there are |

Nothing opens a write to several districts, and no role is meant to bypass it: a superuser and a
role with BYPASSRLS are refused when a store is opened. The settings guard against mistakes of a
program, not against somebody who writes SQL of their own under its role.
"""

from __future__ import annotations

from typing import NamedTuple

from assetflow.store.sql.tables import DISTRICT, EVENT_HEAD, PREFIX

__all__ = ["EVERYWHERE_HEADS", "NOWHERE", "ROLE_HINT", "Reach", "row_security"]


class Reach(NamedTuple):
    """Whose rows a transaction may see."""

    district: str = ""
    """The district that it belongs to."""
    districts: tuple[str, ...] = ()
    """Districts of which it reads figures."""
    heads: bool = False
    """Whether it asks which districts there are."""


NOWHERE = Reach()
"""No row of any district."""
EVERYWHERE_HEADS = Reach(heads=True)
"""The ends of the journals, and nothing else."""

ROLE_HINT = (
    "Give the program an ordinary role: CREATE ROLE assetflow LOGIN NOSUPERUSER NOBYPASSRLS; "
    "it owns the tables when it runs `assetflow db upgrade`, or is granted SELECT, INSERT, UPDATE "
    "and DELETE on them."
)
"""What to do about a role that row-level security does not hold for."""

_MINE = f"{DISTRICT} = current_setting('assetflow.district', true)"
# Within a SELECT of its own the list is taken apart once for a statement, not for each row.
_NAMED = (
    f"{DISTRICT} = ANY ((SELECT string_to_array(current_setting('assetflow.districts', true), "
    "chr(10)))::text[])"
)
_HEADS = "current_setting('assetflow.heads', true) = 'on'"


def row_security() -> str:
    """A statement that puts every table under row-level security; again, it finds nothing to do."""
    return _STATEMENT


_STATEMENT = f"""
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT c.oid AS id, c.oid::regclass AS made, c.relname FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = '{DISTRICT}'
    WHERE c.relkind IN ('r', 'p') AND left(c.relname, {len(PREFIX)}) = '{PREFIX}'
      AND c.relnamespace = to_regnamespace(current_schema())
      AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'district')
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', found.made);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', found.made);
    EXECUTE format($policy$CREATE POLICY district ON %s USING ({_MINE})$policy$, found.made);
    EXECUTE format(
      $policy$CREATE POLICY districts ON %s FOR SELECT USING ({_NAMED})$policy$, found.made);
    IF found.relname = '{EVENT_HEAD.name}' THEN
      EXECUTE format($policy$CREATE POLICY heads ON %s FOR SELECT USING ({_HEADS})$policy$, found.made);
    END IF;
  END LOOP;
END
$$
"""  # noqa: S608  # names of ours
