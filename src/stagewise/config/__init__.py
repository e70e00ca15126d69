"""One config authority: compose, validate and resolve what every stage gets."""
