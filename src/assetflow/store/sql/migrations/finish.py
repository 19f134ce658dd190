"""What holds for every table of a server, whatever revision made it."""

from __future__ import annotations

from assetflow.store.sql.row_security import row_security

__all__ = ["finishing"]

# A call of `record` may pass through states in which a reference does not hold yet, so that
# foreign keys must be ones that can wait for its end; and all text compares byte by byte.
_POSTGRES = """
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT c.conrelid::regclass AS made, c.conname FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid
    WHERE c.contype = 'f' AND NOT c.condeferrable AND left(t.relname, 3) = 'af_'
      AND t.relnamespace = to_regnamespace(current_schema())
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER CONSTRAINT %I DEFERRABLE', found.made, found.conname);
  END LOOP;
  FOR found IN
    SELECT t.oid::regclass AS made, a.attname, format_type(a.atttypid, a.atttypmod) AS kind
    FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
    JOIN pg_collation o ON o.oid = a.attcollation
    WHERE t.relkind IN ('r', 'p') AND left(t.relname, 3) = 'af_' AND o.collname <> 'C'
      AND t.relnamespace = to_regnamespace(current_schema())
      AND a.attnum > 0 AND NOT a.attisdropped
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s COLLATE "C"',
                   found.made, found.attname, found.kind);
  END LOOP;
END
$$
"""


def finishing(dialect: str) -> tuple[str, ...]:
    """Statements after the last revision; run again, they find nothing to do.

    From then on row-level security holds for whoever owns the tables too. A later revision that
    reads or writes rows of all districts begins with ``ALTER TABLE ... NO FORCE ROW LEVEL
    SECURITY`` on its tables and ends with ``FORCE``.

    Args:
        dialect: SQLAlchemy's name of the engine.
    """
    return (_POSTGRES, row_security()) if dialect == "postgresql" else ()
