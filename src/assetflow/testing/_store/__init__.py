"""The parts of the store's conformance suite; `assetflow.testing.stores` puts them together."""
