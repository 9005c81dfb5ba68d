"""Ansible's `linear` strategy, through Mitogen where that is installed: modules then run in one Python on the host.

Without it each task starts a Python of its own there, which is most of what a run with nothing to change costs
(docs/decisions/0014). `ANSIBLE_STRATEGY=linear` does without.
"""

from ansible.plugins.loader import strategy_loader
from ansible.plugins.strategy.linear import StrategyModule as Linear

DOCUMENTATION = """
name: quick
short_description: linear, through Mitogen where it is installed
description: As linear.
"""

try:
    from ansible_mitogen.strategy import StrategyMixin
except ImportError:
    StrategyModule = Linear
else:
    import ansible_mitogen.loaders  # noqa: F401  (checks the version of Ansible)

    Loaded = strategy_loader.get("linear", class_only=True)

    # Only Ansible knows its base classes.
    class StrategyModule(StrategyMixin, Loaded):  # type: ignore[no-redef, misc, valid-type]
        """Hosts in step, task after task, as `linear`."""
