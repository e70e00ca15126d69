"""Networks, one per module: ``Network(input_shape=(C, H, W), outputs=K, ...)`` maps ``[B, C, H, W]`` to ``[B, K]``."""
