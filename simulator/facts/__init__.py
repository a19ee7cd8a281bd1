"""Facts on training software, and assumptions, with their TOML files."""
