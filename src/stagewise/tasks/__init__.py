"""One kind of problem each: the module that is served, and the Lightning module that trains it."""
