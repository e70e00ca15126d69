"""Figures from answers: scores, and intervals around them."""
