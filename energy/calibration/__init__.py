"""Calibration of a machine against a wall meter, and its application to later records."""
