"""Constants fitted to data: to a probe of one machine, or to published rows."""
