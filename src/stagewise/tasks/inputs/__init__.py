"""One kind of input each: the part of the graph between the stored rows and the network."""
