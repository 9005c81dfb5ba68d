"""The chapter before the others where nobody asks X: files that people have become pages."""
