"""One number per row: the module that is served, the one that trains it, and how it is judged."""
