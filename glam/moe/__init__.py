"""The mixture-of-experts layer: router, dispatch and experts."""
