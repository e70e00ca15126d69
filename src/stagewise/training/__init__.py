"""Training: batches from the memory map, schedules, callbacks and the run itself."""
