"""Mappings of forms as data: one TOML file a form, with the version and day it was read."""
