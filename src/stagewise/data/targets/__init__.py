"""One kind of target each: from labels as published to what is trained on."""
