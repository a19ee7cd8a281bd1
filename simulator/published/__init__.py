"""Published figures: tables, their readers, and the plans that they may stand for."""
