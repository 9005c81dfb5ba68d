"""What a whole host takes: memory under load (`make bench-memory`), and time to stand up (`make bench-provision`)."""
