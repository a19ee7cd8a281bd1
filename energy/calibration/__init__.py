"""A machine fitted to a wall meter, and that fit applied to a record."""
