"""The closed, typed schema of every config section, one module per part of the pipeline."""
