"""What the screens use: watched runs, stored runs, the machine."""
