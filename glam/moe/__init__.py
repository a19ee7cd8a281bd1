"""The mixture of experts: router, dispatch, experts."""
