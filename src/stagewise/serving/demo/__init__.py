"""A page on which a person tries the models that are served."""
