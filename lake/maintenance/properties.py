"""Giving a table the properties that the policy wants."""

from lake.maintenance.policy import Policy
from lake.table import Table
from lake.table_properties import properties


def settle(table: Table, policy: Policy) -> bool:
    """Give a table its properties where they differ; whether that was needed.

    One commit, which an append that meets it repeats. Of a new table they differ where the grace is
    not the usual one. delta-rs lets no other thread run meanwhile: so never more often than needed.
    """
    delta = table.delta()
    now = delta.metadata().configuration
    wanted = properties(policy.grace)
    if all(now.get(name) == value for name, value in wanted.items()):
        return False
    delta.alter.set_table_properties(wanted, raise_if_not_exists=False)
    return True
