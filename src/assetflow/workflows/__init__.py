"""What people do, one verb a function: load, decide, save, journal, intents. No network from here."""
