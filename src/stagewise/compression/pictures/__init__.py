"""Pictures of candidates: score over size and over time."""
