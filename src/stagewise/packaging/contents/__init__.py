"""What a package says of its model: card, schema of requests and answers, SBOM, provenance."""
