"""Ask X for the posts of a window, page by page, within a budget, into a spool on the disk."""
