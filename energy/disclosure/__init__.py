"""From a record to what regulators, hubs and auditors ask for, with every figure's origin."""
