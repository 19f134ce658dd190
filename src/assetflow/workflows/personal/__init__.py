"""What the store holds on a person: found, handed out, erased, and kept no longer than is right."""
