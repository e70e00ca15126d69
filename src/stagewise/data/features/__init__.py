"""How one raw value becomes the stored array: one module per kind of input."""
