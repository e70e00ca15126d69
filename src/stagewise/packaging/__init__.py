"""The package of a model: a folder that predicts with onnxruntime, numpy and what reads its inputs."""
