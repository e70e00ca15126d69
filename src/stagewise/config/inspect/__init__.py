"""Looking at configs and keys: what would run and why, where values come from, what two revisions differ in."""
