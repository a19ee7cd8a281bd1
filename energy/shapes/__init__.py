"""The parts of a decoder's shape: fields and counts of attention, recurrence and networks."""
