"""One class per way to change the network of a candidate and train it again (``stagewise.compression.steps``)."""
