"""From joules to the facility, grams, liters and dollars."""
