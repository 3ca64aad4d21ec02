"""What concerns the machine: devices, randomness, interrupts, progress, locks, files."""
