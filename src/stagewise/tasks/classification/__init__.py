"""One class of several per row: the module that is served, the one that trains it, and how it is judged."""
