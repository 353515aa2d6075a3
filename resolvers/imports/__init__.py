"""Imports of CSV files: kept, run in the background, resumed, cancelled."""

from resolvers.imports.records import (
    cancel_import,
    count_imports,
    import_page,
    imports_by_id,
    rejected_rows,
)
from resolvers.imports.running import (
    LEASE,
    Overtaken,
    columns_of,
    has_waiting_imports,
    run_import,
    run_waiting_imports,
    take_import,
)
from resolvers.imports.starting import (
    MAX_UNFINISHED,
    UNFINISHED,
    NewImport,
    StatedConsent,
    start_import,
)

__all__ = [
    "LEASE",
    "MAX_UNFINISHED",
    "UNFINISHED",
    "NewImport",
    "Overtaken",
    "StatedConsent",
    "cancel_import",
    "columns_of",
    "count_imports",
    "has_waiting_imports",
    "import_page",
    "imports_by_id",
    "rejected_rows",
    "run_import",
    "run_waiting_imports",
    "start_import",
    "take_import",
]
