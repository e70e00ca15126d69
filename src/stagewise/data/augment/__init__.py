"""Augmentation of whole batches on the training device; every draw is a function of (seed, epoch, sample index)."""
