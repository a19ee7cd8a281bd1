"""From joules to the facility, grams, litres and dollars."""
