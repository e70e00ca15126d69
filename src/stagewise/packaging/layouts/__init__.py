"""A package as other servers want it: one module per server, each made on demand from a verified package."""
