"""Constants fitted to data: a probe of one machine, or published rows."""
