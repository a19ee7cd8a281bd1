"""Cost of whole commands: processor time beside another checkout, and elapsed seconds."""
