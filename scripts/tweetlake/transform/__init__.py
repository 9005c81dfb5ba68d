"""From raw pages to rows that are checked, each once, and what can't be a row with its reason."""
