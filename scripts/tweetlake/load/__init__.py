"""Write a day into a bucket or a folder, and its manifest last."""
