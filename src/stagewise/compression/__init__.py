"""From a trained network to the smallest ONNX graph that keeps its accuracy, and the proof that it does."""
