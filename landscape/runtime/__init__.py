"""What the machine is asked for: devices, randomness, interrupts, progress, locks, files."""
