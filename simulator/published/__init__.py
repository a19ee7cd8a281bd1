"""Tables of published runs, their readers, and the plans that they leave open."""
