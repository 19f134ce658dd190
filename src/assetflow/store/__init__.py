"""Where districts keep their records: the port, its specification in memory, the journal, SQL."""
