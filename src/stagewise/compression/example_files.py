"""Names of the files that hold the examples of a compressed model: compress writes them, package reads them."""

ROWS = "rows.safetensors"
"""The rows as they are stored, by number. (A .npz says which Python wrote it: equal rows would not be equal bytes.)"""
EXPECTED = "expected.json"
"""What the graph says of each, by the same number."""
