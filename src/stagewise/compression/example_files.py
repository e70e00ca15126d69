"""Names of the files that hold the examples of a compressed model: compress writes them, package reads them."""

ROWS = "rows.npz"
"""The rows as they are stored, by number."""
EXPECTED = "expected.json"
"""What the graph says of each, by the same number."""
