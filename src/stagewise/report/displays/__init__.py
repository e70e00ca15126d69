"""One kind of input each: how a single row is shown to a person."""
