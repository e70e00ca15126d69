"""Checks of a composed config: files, interpolations, targets, contradictions; each names key and place."""
