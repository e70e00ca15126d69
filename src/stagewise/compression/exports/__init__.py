"""Further formats of the trained network: one module per runtime, each checked against the network."""
