"""What shapes posts come in, each found by its shape and brought into that of a page of the API v2."""
