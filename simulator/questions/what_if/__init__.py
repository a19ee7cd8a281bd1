"""What if the run were another? The answers of the page, and what its menus offer."""
