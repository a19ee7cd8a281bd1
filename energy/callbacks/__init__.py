"""Metering for the training loops of other libraries; each module imports only its own library."""
