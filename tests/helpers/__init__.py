"""What several tests share: the script as a process, playbooks on this machine, the simulator as tests see it."""
