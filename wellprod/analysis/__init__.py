"""What the records say: selections, measures and findings."""
