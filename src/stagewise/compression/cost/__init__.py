"""What a candidate costs: bytes, time, memory."""
