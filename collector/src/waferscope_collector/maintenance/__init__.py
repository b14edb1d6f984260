"""What keeps a site's database in shape, done by one writer of the site at a time.

    prepare     before a writer writes: partitions
    run         until cancelled: wait to be the one, then do the tasks, each in its own rhythm

The tasks: `partitions` ahead of time, `rollups`, `columnstore`, `retention`, `ledger`, `statistics`.
"""

from waferscope_collector.maintenance.holder import once, run
from waferscope_collector.maintenance.partitions import prepare
from waferscope_collector.maintenance.state import States, TaskState

__all__ = ["States", "TaskState", "once", "prepare", "run"]
