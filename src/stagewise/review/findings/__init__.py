"""What is wrong, or doubtful, with a revision itself, whatever its stages give."""
