"""Records in, a verified folder of Parquet out: resumable, in flat memory."""
