"""The readers: files of records, tables, cards and forms as claims."""
