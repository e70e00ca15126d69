"""Whether what a model is given, and what it answers, is still what it was made for."""
