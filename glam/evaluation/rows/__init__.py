"""Rows of the published data sets as items of the suite, a function a data set."""
