"""Two files of one kind: equal content, or how far apart."""
