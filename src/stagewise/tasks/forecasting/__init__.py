"""The next steps of every window: the module that is served, the one that trains it, and how it is judged."""
