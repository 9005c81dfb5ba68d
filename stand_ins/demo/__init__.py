"""A host that is a container on this machine: booted, shown, removed."""
