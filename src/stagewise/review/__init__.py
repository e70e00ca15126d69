"""Review by re-execution: a revision is run again from its raw inputs, and judged stage by stage."""
