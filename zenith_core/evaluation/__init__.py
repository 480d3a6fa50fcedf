"""Walk-forward folds, metrics, model comparison, the forecast ledger and drift."""
