"""The layout of the project: its rules, its real imports, and the page that draws them."""
