"""Constants fitted to data: those of one machine to its probe, the pool of all chips to tables."""
